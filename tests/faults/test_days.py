"""What befalls the process that works on a day: killed in every stage, another one on the same day, a full disk, a
clock that is wrong.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from case2code.store import Store
from tests.faults.days import content, ledger_keys, start_day

pytestmark = pytest.mark.timeout(600)


def test_two_runs_of_one_day_at_once_publish_one_snapshot(
    repositories: Any, store: Store, undisturbed: dict[str, Any], record_fault: Callable[..., None]
) -> None:
    both = [start_day(store, repositories.urls) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    (version,) = {output.strip() for output, _ in said}
    assert content(store, version) == undisturbed["data"]
    assert ledger_keys(store) == undisturbed["ledgers"], "a key was lost or doubled"
    record_fault("two runs of one day", "at once", "both complete, one publishes")


#: Stage → keys of what it writes. For each, one process dies as soon as the first such object is on S3.
WRITTEN = {
    "plan_day": [r"/plan\.json$"],
    "scrape_files": ["^files/"],
    "extract_functions": ["^functions/"],
    "filter_functions": ["^clusters/"],
    "write_inputs": ["^inputs/"],
    "execute_inputs": ["^executions/"],
    "probe_behaviour": ["^probes/"],
    "run_mutants": ["^mutants/"],
    "select_cases": ["/cases/"],
    "publish_snapshot": ["/data/", r"/manifest\.json$"],
}


def test_a_day_whose_process_is_killed_in_every_stage_loses_and_doubles_nothing(
    repositories: Any, store: Store, undisturbed: dict[str, Any], record_fault: Callable[..., None]
) -> None:
    killed = start_day(store, repositories.urls, die_at=[key for keys in WRITTEN.values() for key in keys])
    output, said = killed.communicate()
    assert killed.returncode == 0, said
    assert content(store, output.strip()) == undisturbed["data"]
    assert ledger_keys(store) == undisturbed["ledgers"], "a key was lost or doubled"
    for stage, keys in WRITTEN.items():
        times = "" if len(keys) == 1 else ", twice"
        record_fault(f"{stage} killed{times}", "its first object is on S3", "another process completes the day")


def small_disk(folder: Path, size: str) -> list[str]:
    """A command that runs another one with a file system of `size` at `folder`; skips where nobody may mount one."""
    folder.mkdir()
    script = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", size, str(folder)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("nobody may mount a file system here")
    return command


def test_a_full_disk_fails_the_run_and_is_never_a_result(
    repositories: Any,
    store: Store,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    record_fault: Callable[..., None],
) -> None:
    folder = tmp_path / "disk"
    full = start_day(store, repositories.urls, *small_disk(folder, "16k"), TMPDIR=str(folder))
    _, said = full.communicate()
    assert full.returncode != 0, "the disk was large enough"
    assert "space" in said.strip().splitlines()[-1], said
    again = start_day(store, repositories.urls)
    output, said = again.communicate()
    assert again.returncode == 0, said
    assert content(store, output.strip()) == undisturbed["data"]
    assert ledger_keys(store) == undisturbed["ledgers"], "a key was lost or doubled"
    record_fault("disk full", "at the first file", "the run fails and says so; the next one completes")


@pytest.mark.parametrize("skew", ["-9m", "+9m"])
def test_a_clock_that_is_wrong_changes_no_byte(
    skew: str, repositories: Any, store: Store, undisturbed: dict[str, Any], record_fault: Callable[..., None]
) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("there is no program faketime to set a clock wrong with")
    wrong = start_day(store, repositories.urls, "faketime", "-f", skew)
    output, said = wrong.communicate()
    assert wrong.returncode == 0, said
    assert content(store, output.strip()) == undisturbed["data"]
    assert ledger_keys(store) == undisturbed["ledgers"]
    record_fault("clock skew", f"{skew}, all the time", "the run completes")
