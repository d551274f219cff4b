"""Nothing escapes: every attack of `sandbox_attacks`, at L3 and L2, as root and as an ordinary user.

The runner is a process of its own for each level and user. A level that cannot be had here is skipped, with the reason.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.sandbox_attacks import ATTACKS, GOOD_VALUE

_HERE = Path(__file__).parent
_INCLUDE = _HERE.parents[1] / "include"
_NOBODY = 65534
_WHO = ["as root", "as an ordinary user"]


@pytest.fixture(scope="module")
def readable() -> Iterator[Path]:
    """A folder that everybody may read: the sandbox and the attacks, and an interpreter where there is no other."""
    folder = Path(tempfile.mkdtemp(prefix="case2code-attacks-"))
    shutil.copytree(_INCLUDE / "case2code/sandbox", folder / "case2code/sandbox")
    for name in ("__init__.py", "errors.py", "values.py"):
        shutil.copy(_INCLUDE / "case2code" / name, folder / "case2code" / name)
    shutil.copy(_HERE / "sandbox_attacks.py", folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder
    shutil.rmtree(folder)


def _interpreter(folder: Path, user: int | None) -> str:
    """One that `user` may run: this one, the system's, or a copy of this one."""
    own = str(Path(sys.executable).resolve())
    for candidate in (own, "/usr/bin/python3"):
        if user is None or _runs(candidate, user):
            return candidate
    copy = folder / "python"
    if not copy.exists():
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        ignored = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "__pycache__", "*.a", "config-*")
        shutil.copytree(Path(sys.base_prefix) / "lib" / version, copy / "lib" / version, ignore=ignored)
        for library in (Path(sys.base_prefix) / "lib").glob("libpython*.so*"):
            shutil.copy(library, copy / "lib")
        (copy / "bin").mkdir()
        shutil.copy(own, copy / "bin" / version)
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    found = next((copy / "bin").iterdir())
    if not _runs(str(found), user):
        pytest.skip("there is no Python 3.11 or newer that an ordinary user may run")
    return str(found)


def _runs(candidate: str, user: int) -> bool:
    check = "import sys, ctypes, decimal, unicodedata; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([candidate, "-c", check], user=user, cwd="/", capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def attacked(readable: Path) -> Any:
    """All the attacks at one level by one user, made once: results by name of attack."""

    @functools.cache
    def run(level: str, who: str) -> dict[str, dict[str, Any]]:
        if who == "as root" and os.geteuid() != 0:
            pytest.skip("these tests do not run as root here")
        user = _NOBODY if who == "as an ordinary user" and os.geteuid() == 0 else None
        extra: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        done = subprocess.run(
            [_interpreter(readable, user), "-B", str(readable / "sandbox_attacks.py"), level],
            env={"PYTHONPATH": str(readable), "PATH": os.environ["PATH"]},
            **(extra | {"cwd": "/", "capture_output": True, "text": True, "timeout": 600}),
            check=False,
        )
        if "ConfigurationError" in done.stderr:
            pytest.skip(f"no {level} {who} here: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stderr[-2000:]
        first, *results = [json.loads(line) for line in done.stdout.splitlines()]
        assert first["level"] == level
        return {result.get("attack", "left"): result for result in results}

    return run


@pytest.mark.parametrize("who", _WHO)
@pytest.mark.parametrize("level", ["L3", "L2"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_is_contained(attack: Any, level: str, who: str, attacked: Any) -> None:
    result = attacked(level, who)[attack.name]
    assert result["effects"] == []
    assert result["good"] == [[GOOD_VALUE, True]] * 2, "the jobs before and after it"
    if attack.expected:
        assert result["outcome"] in attack.expected
    if attack.expected == {"impure"}:
        assert "system call" in result["message"], "the kernel ended it, not a mistake in the attack"


@pytest.mark.parametrize("who", _WHO)
@pytest.mark.parametrize("level", ["L3", "L2"])
def test_attacks_leave_no_process(level: str, who: str, attacked: Any) -> None:
    assert attacked(level, who)["left"]["left"] == []


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.proven], ids=lambda attack: attack.name)
def test_attack_works_without_layers(attack: Any, attacked: Any) -> None:
    """Otherwise its failure would prove nothing. Of two runs at once, one may find that the other has done it."""
    results = attacked("L0", "as root" if os.geteuid() == 0 else "as an ordinary user")
    assert results[attack.name]["effects"]


def test_there_are_enough_attacks() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 54
