"""The sandbox's memory layout, each in an interpreter of its own: what it moves and fills, nobody may notice."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "include"


def interpret(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(INCLUDE)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="code is moved on x86-64 only")
def test_code_moves_into_private_memory_with_the_rights_it_had_and_the_interpreter_goes_on():
    found = interpret(
        """
import json, re
from case2code.sandbox import layout
def large():
    lines = (line.split() for line in layout._maps())
    ends = ((*(int(end, 16) for end in line[0].split("-")), line[1], line[5:]) for line in lines)
    return {(start, rights): bool(path) for start, end, rights, path in ends
            if rights in ("r-xp", "r--p") and end - start >= layout._LEAST}
before = large()
layout.share_code()
after = large()
print(set(before) <= {(s, r) for s, r in after}, sum(before.values()), sum(after[key] for key in before))
print(json.loads('{"a": [1, 2.5]}'), re.sub("a+", "b", "caat"), eval("sum(range(10))"))
"""
    )
    kept, answer = found.splitlines()
    same, files_before, files_after = kept.split()
    assert same == "True"
    assert int(files_before) >= 2
    assert int(files_after) == 0
    assert answer == "{'a': [1, 2.5]} cbt 45"


def test_what_is_made_after_the_gaps_are_filled_lies_side_by_side():
    found = interpret(
        """
from case2code.sandbox import layout
held = layout.fill_gaps()
for size in (50, 200, 400):
    places = [id(item) for item in [bytes(size) for _ in range(30)]]
    print((max(places) - min(places)) < 30 * (size + 64))
large = [id(item) for item in [bytes(5_000) for _ in range(30)]]
print(max(large) - min(large) < 30 * 5_100)
"""
    )
    assert found.split() == ["True"] * 4


def test_fork_is_the_fork_of_the_system():
    found = interpret(
        """
import os
from case2code.sandbox import system
parent = os.getpid()
child = system.fork()
if child == 0:
    os._exit(7 if os.getppid() == parent != os.getpid() else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    assert found == "7\n"
