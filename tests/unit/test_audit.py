"""The audit finds what a snapshot hides, from its files alone: each fault is put into the data of a real one."""

import hashlib
import io
import platform
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from builders.pythons import other_python
from case2code.__main__ import _parser, main
from case2code.audit import Finding, audit
from case2code.commands import audit as command
from case2code.records import SAMPLES
from case2code.sandbox import interpreters
from case2code.snapshot import Snapshot, open_snapshot
from case2code.store import Store, to_json, to_parquet

CODE = """
def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def digit_sum(number: int) -> int:
    total = 0
    for digit in str(abs(number)):
        total += int(digit)
    return total


def letters(text: str) -> set:
    return {char for char in text if char.isalpha()}


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def step(up: bool, value: int) -> int:
    if up:
        return value + 1
    return value - 3
"""


@pytest.fixture
def snapshot(store: Store, tmp_path: Path) -> Snapshot:
    repository = GitRepository(tmp_path / "repository")
    at = datetime(2026, 2, 1, tzinfo=UTC)
    repository.commit(at, {"pyproject.toml": LICENSED, "code.py": CODE})
    run_day(day_of("2026-03-01", tiny_recipe([repository.url], split={"test_share": 0.0})), store)
    return open_snapshot(store, "tiny/latest")


def changed(snapshot: Snapshot, change: Callable[[list[dict[str, Any]]], None]) -> Snapshot:
    """The same snapshot with other rows, and a manifest that fits them."""
    (key,) = snapshot.data_keys()
    rows = snapshot.store.read_table(key).to_pylist()
    change(rows)
    data = to_parquet(pa.Table.from_pylist(rows, SAMPLES))
    (file,) = snapshot.manifest["files"]
    files = [file | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}]
    version = "2026-03-01-0123456789ab"
    prefix = snapshot.prefix.replace(snapshot.version, version)
    snapshot.store.write(f"{prefix}/{file['path']}", data)
    manifest = snapshot.manifest | {"files": files, "version": version}
    snapshot.store.write(f"{prefix}/manifest.json", to_json(manifest))
    return replace(snapshot, version=version, manifest=manifest)


def failed(snapshot: Snapshot) -> dict[str, Finding]:
    found = audit(snapshot, [interpreters.this()], lambda step, done, total: None)
    return {finding.check: finding for finding in found if not finding.holds}


def test_a_sound_snapshot_holds_everywhere(snapshot: Snapshot) -> None:
    steps: dict[str, tuple[int, int]] = {}
    found = audit(snapshot, [interpreters.this()], lambda step, done, total: steps.update({step: (done, total)}))
    assert [finding for finding in found if not finding.holds] == []
    said = {finding.check: finding.found for finding in found}
    version = platform.python_version()
    for seed in (11, 12, 13):
        assert f"cases reproduced, Python {version}, hash seed {seed}" in said
    assert said["constant functions"] == "0 of 5 samples"
    assert any(check.startswith("samples that fail the check") for check in said)
    assert all(done == total for done, total in steps.values())


def test_every_fault_is_found_and_named(snapshot: Snapshot) -> None:
    version = platform.python_version()

    def spoil(rows: list[dict[str, Any]]) -> None:
        wrong, constant, twice, undefined, _ = rows
        wrong["cases"][0]["value"] = "'another value'"
        wrong["split"], wrong["cluster_id"], twice["cluster_id"] = "test", "one", "one"
        wrong["mutants_killed_shown"], wrong["mutants_killed"] = 1, 2
        for case in constant["cases"]:
            case["value"], case["outcome"] = "1", "returned"
        twice["cases"][1] = twice["cases"][0]
        undefined["code"] = undefined["code"].replace("    return ", "    missing_name\n    return ")
        undefined["url"] = None

    found = failed(changed(snapshot, spoil))
    assert {
        "samples with duplicate inputs",
        "constant functions",
        "under-determined held-out samples",
        "clusters across splits",
        "samples that lead back to no lines",
        "samples with undefined names",
        f"cases reproduced, Python {version}, hash seed 11",
    } <= set(found)
    assert "missing_name" in found["samples with undefined names"].examples[0]
    assert "not " in found[f"cases reproduced, Python {version}, hash seed 11"].examples[0]


def test_shown_cases_that_leave_a_mutant_alive_are_found(snapshot: Snapshot) -> None:
    def show_one(rows: list[dict[str, Any]]) -> None:
        """No single case takes both ways through `step`."""
        for row in rows:
            row["split"] = "test"
            for position, case in enumerate(row["cases"]):
                case["shown"] = position == len(row["cases"]) - 1
            row["n_shown"] = 1

    found = failed(changed(snapshot, show_one))
    assert "killable mutants that shown cases kill, worst sample held out" in found


def test_other_bytes_than_the_manifest_says_are_found(snapshot: Snapshot) -> None:
    manifest = snapshot.manifest | {"files": [file | {"sha256": "0" * 64} for file in snapshot.manifest["files"]]}
    found = failed(replace(snapshot, manifest=manifest))
    assert list(found) == ["files with other bytes than the manifest says"]


def test_the_command_prints_a_table_and_its_status_says_whether_all_holds(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "open_store", lambda address: snapshot.store)
    console = Console(record=True, width=150, file=io.StringIO())
    words = ["audit", "tiny/latest", "--limit", "2"]
    assert command.run(_parser().parse_args(words), console) == 0
    said = console.export_text()
    assert f"Audit of tiny/{snapshot.version}" in said
    assert "hold." in said
    spoiled = changed(snapshot, lambda rows: rows[0].update(url=None))
    assert command.run(_parser().parse_args(["audit", spoiled.name, "--limit", "1"]), console) == 1
    assert "1 of " in console.export_text()


def test_every_case_runs_in_another_python_too(snapshot: Snapshot) -> None:
    other = other_python("python3.13", "python3.12")
    found = audit(snapshot, [other], lambda step, done, total: None, limit=4)
    checks = [finding for finding in found if f"Python {other.version}" in finding.check]
    assert [(finding.holds, finding.found[:7]) for finding in checks] == [(True, "100.00%")] * 3


def test_a_limit_that_is_no_number_and_a_missing_python_are_mistakes(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "open_store", lambda address: snapshot.store)
    with pytest.raises(SystemExit):
        main(["audit", "tiny/latest", "--limit", "0"])
    assert "no number above 0" in capsys.readouterr().err
    assert main(["audit", "tiny/latest", "--python", "python3.99"]) == 1
    assert "no interpreter 'python3.99' on PATH" in capsys.readouterr().out
