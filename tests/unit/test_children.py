"""Child processes of a stack, and their ports: what one process was promised, no other one gets."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from case2code.errors import OutageError
from case2code_embedded.children import Children, free_port

_ASK = "import sys; from case2code_embedded.children import free_port; print(free_port(int(sys.argv[1])))"


def _asked_elsewhere(port: int) -> int:
    done = subprocess.run([sys.executable, "-c", _ASK, str(port)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_port_that_was_promised_and_is_not_yet_used_is_given_to_no_other_process() -> None:
    mine = free_port()
    assert _asked_elsewhere(mine) != mine
    assert free_port(mine) == mine, "a server that is started again gets its own port"


def test_a_port_that_nobody_has_is_given_as_asked_for() -> None:
    theirs = _asked_elsewhere(free_port())
    assert _asked_elsewhere(theirs) == theirs, "who had it has ended"


def test_a_child_that_ended_is_started_again_without_what_it_left_behind(tmp_path: Path) -> None:
    orphan = (
        "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"
    )
    with Children(tmp_path) as children:
        children.start("server", [sys.executable, "-c", orphan], os.environ)
        children.wait_until("server", lambda: "up" in children.log_end("server"), seconds=60)
        assert children.restart_ended() == []
        first = children.pid("server")
        (left,) = psutil.Process(first).children()
        os.kill(first, signal.SIGKILL)
        while not (again := children.restart_ended()):
            time.sleep(0.01)
        assert again == ["server"]
        assert children.pid("server") != first
        left.wait(timeout=60)


def test_what_a_child_left_behind_that_ended_by_itself_is_ended_too(tmp_path: Path) -> None:
    leaving = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    with Children(tmp_path) as children:
        children.start("server", [sys.executable, "-c", leaving], os.environ)
        while not (told := children.log_end("server").split()[0]).isdigit():
            time.sleep(0.01)
        left = psutil.Process(int(told))
        while psutil.pid_exists(children.pid("server")) and psutil.Process(children.pid("server")).status() != "zombie":
            time.sleep(0.01)
    left.wait(timeout=60)


def test_a_child_that_ends_time_and_again_is_an_outage_with_its_last_words(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("server", [sys.executable, "-c", "raise SystemExit('no disk')"], os.environ)
        with pytest.raises(OutageError, match=r"server ended 6 times: no disk"):
            restart_for_ever(children)


def restart_for_ever(children: Children) -> None:
    while True:
        children.restart_ended()
        time.sleep(0.01)
