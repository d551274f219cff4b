"""How a function is taken out of its file: what one statement says, what it needs, and why a file is refused."""
