"""Inputs without an LLM: what a function's code says about its parameters, and what running it says.

`seeds` are the inputs that a repository shows. `usage`, `constants` and `guards` read the code; `generate` and `mutate`
make values; `explore` runs them in the sandbox, learns from what happens (`feedback`), and chooses.
"""
