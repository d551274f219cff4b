"""`make keys`: fill `.env` with a random key for each that `docker-compose.yaml` requires and `.env` lacks.

Only the standard library, so that a machine with Docker needs no virtual environment.
"""

import os
import re
import secrets
import sys
from pathlib import Path
from typing import Final

_REQUIRED: Final = re.compile(r"\$\{(\w+):\?")
_GIVEN: Final = re.compile(r"^\s*(?:export\s+)?(\w+)=\S", re.MULTILINE)


def required(compose: str) -> list[str]:
    """Names of the variables that have no default, sorted; all of them are keys."""
    return sorted(set(_REQUIRED.findall(compose)))


def fill(compose: Path, environment: Path) -> list[str]:
    """Append what is missing; returns its names. A key that is there is never changed."""
    text = environment.read_text(encoding="utf-8") if environment.exists() else ""
    missing = [name for name in required(compose.read_text(encoding="utf-8")) if name not in set(_GIVEN.findall(text))]
    if not missing:
        return []
    lines = [f"{name}={secrets.token_urlsafe(32)}\n" for name in missing]
    separator = "" if not text or text.endswith("\n") else "\n"
    with os.fdopen(os.open(environment, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(separator + "".join(lines))
    return missing


if __name__ == "__main__":
    project = Path(__file__).resolve().parents[2]
    added = fill(project / "docker-compose.yaml", project / ".env")
    sys.stdout.write(f"{len(added)} keys added to .env, which only you can read\n" if added else ".env has all keys\n")
