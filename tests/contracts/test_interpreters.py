"""Programs run in other Pythons of the machine, as locked down as in this one."""

import platform
from pathlib import Path

import pytest

from builders.pythons import other_python
from case2code.errors import ConfigurationError
from case2code.sandbox import Limits, Program, Sandbox
from case2code.sandbox.interpreters import Interpreter, find, this

#: Since 3.13 the compiler takes the indentation out of docstrings.
VERSION_BOUND = "def f(x):\n    '''one\n    two'''\n    return f.__doc__\n"
FREE = "import math\ndef f(x): return [math.floor(x), sorted({3, 1, 2}), {'a': x}]\n"


@pytest.fixture(params=["python3.12", "python3.13"])
def other(request: pytest.FixtureRequest) -> Interpreter:
    """Another CPython on PATH."""
    return other_python(request.param)


def test_another_interpreter_reaches_the_same_isolation_and_answers(other: Interpreter) -> None:
    programs = [Program(name, code, "f", ("{'x': 7.5}",)) for name, code in (("free", FREE), ("bound", VERSION_BOUND))]
    with Sandbox(Limits()) as here, Sandbox(Limits(), python=other.path) as there:
        assert there.isolation.level == here.isolation.level
        assert there.isolation.canaries == here.isolation.canaries
        first, second = (
            {program.program_id: execution for program, (execution,) in opened.run(programs, with_coverage=True)}
            for opened in (here, there)
        )
    assert first["free"].value == second["free"].value == "[7, [1, 2, 3], {'a': 7.5}]"
    assert second["free"].stable
    changed = tuple(map(int, other.version.split(".")[:2])) >= (3, 13) > tuple(map(int, this().version.split(".")[:2]))
    assert (first["bound"].value != second["bound"].value) is changed


def test_an_interpreter_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no interpreter 'python3\.99' on PATH"):
        find("python3.99")


def test_a_program_that_is_no_python_is_named(tmp_path: Path) -> None:
    script = tmp_path / "python3.77"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    with pytest.raises(ConfigurationError, match="does not say which Python it is"):
        find(str(script))


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "python3.10"
    script.write_text("#!/bin/sh\necho CPython 3.10.13 /usr/bin/python3.10\n")
    script.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"is CPython 3\.10\.13; the sandbox runs in CPython 3\.11 or newer"):
        find(str(script))


def test_this_one_knows_its_version() -> None:
    assert this().version == platform.python_version()
