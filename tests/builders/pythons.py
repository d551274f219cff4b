"""Other Pythons of the machine, for tests that run programs in them."""

import pytest

from case2code.errors import ConfigurationError
from case2code.sandbox.interpreters import Interpreter, find, this


def other_python(*names: str) -> Interpreter:
    """The first of the CPythons called so on PATH that is not this one; the test is skipped where there is none.

    A launcher that stands for a version that is not installed is none.
    """
    for name in names:
        try:
            found = find(name)
        except ConfigurationError:
            continue
        if found.version != this().version:
            return found
    pytest.skip(f"there is no other Python on PATH: {', '.join(names)}")
