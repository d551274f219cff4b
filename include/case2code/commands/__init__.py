"""The commands of `python -m case2code`: one file each, the file name is the command.

A command has a docstring, whose first line is its help, `add_arguments(parser)` and `run(arguments, console) -> int`.
"""
