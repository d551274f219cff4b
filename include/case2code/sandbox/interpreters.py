"""Other Python interpreters of this machine, for the same programs."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from case2code.errors import ConfigurationError

_OLDEST = (3, 11)
_ASK = "import platform, sys; print(platform.python_implementation(), platform.python_version(), sys.executable)"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An executable, and the version that it says it is, for example '3.13.0'."""

    path: str
    version: str


@cache
def find(name: str) -> Interpreter:
    """The CPython called `name` on PATH, or at that path. Raises ConfigurationError where there is none to use."""
    path = shutil.which(name)
    if path is None:
        raise ConfigurationError(f"no interpreter '{name}' on PATH: install it, or leave it out of execute.also_on")
    try:
        done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, check=False, timeout=60)
        implementation, version, real = done.stdout.strip().split(" ", 2)  # what is on PATH may be a script before it
        numbers = tuple(int(number) for number in version.split(".")[:2])
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"'{name}' ({path}) does not say which Python it is: {error}") from None
    if implementation != "CPython" or numbers < _OLDEST:
        raise ConfigurationError(f"'{name}' is {implementation} {version}; the sandbox runs in CPython 3.11 or newer")
    return Interpreter(real, version)


def this() -> Interpreter:
    """The interpreter that runs this."""
    return Interpreter(sys.executable, ".".join(map(str, sys.version_info[:3])))
