"""How the cases of a sample look in its prompt: one file each, the file name is the registration.

Each has `text(name, arguments, outcome, value)`: the call of `name` with the arguments as Python would show them, and
what came of it; `outcome` is `returned`, or `raised` and then `value` is the exception's type.
"""
