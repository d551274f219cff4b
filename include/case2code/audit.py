"""Proves a published snapshot again from its files alone: nothing that the run which made it has said is believed.

Every program runs under several hash seeds, in every interpreter that is asked for, and every mutant of it runs on the
published cases.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database, parts
from case2code.comparators import agrees
from case2code.execute_inputs import limits_of
from case2code.extract_functions import extract
from case2code.mutation.kills import Expectation, Subject, fates, mutant_limits
from case2code.re_execution import PATIENCE
from case2code.recipe import Execute
from case2code.records import PUBLISHED_CASES
from case2code.sandbox import Limits, Program, Sandbox
from case2code.sandbox.interpreters import Interpreter
from case2code.snapshot import Snapshot

#: None of them is a seed under which the sandbox looks for instability.
HASH_SEEDS: Final = (11, 12, 13)
#: Share of the killable mutants that the shown cases of any sample kill.
MIN_KILLED_SHOWN: Final = 0.9

_PROGRAMS: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("split", pa.string()),
        ("function_name", pa.string()),
        ("code", pa.string()),
        ("cases", PUBLISHED_CASES),
    ]
)
_BATCH: Final = 512
_EXAMPLES: Final = 3
_ALL: Final = 10**12

#: What is told of the progress: a step, how many samples it has seen, and of how many.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit: what was looked at, what was found, what is asked for, and whether it holds."""

    check: str
    found: str
    goal: str
    holds: bool
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class _Count:
    """How many of `total` are wrong, with the first few."""

    total: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, problem: str | None) -> None:
        self.total += 1
        if problem is not None:
            self.wrong += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(problem)

    def none_wrong(self, check: str, noun: str) -> Finding:
        found = f"{self.wrong:,} of {self.total:,} {noun}"
        return Finding(check, found, "0", self.wrong == 0, tuple(self.examples))


def audit(snapshot: Snapshot, pythons: list[Interpreter], tell: Tell, limit: int | None = None) -> list[Finding]:
    """Look at everything; programs and mutants of the first `limit` samples only, if it is given.

    Raises OutageError where S3 or the sandbox fails: that is no finding.
    """
    same_bytes = checksums(snapshot, tell)
    if not same_bytes.holds:
        return [same_bytes]  # what other bytes say proves nothing
    connection = database.connect(snapshot.store)
    snapshot.open(connection)
    total = database.query(connection, "audit/total")["samples"][0].as_py()
    number = min(limit or _ALL, total)
    found = [same_bytes, *statements(connection, total)]
    found.append(undefined_names(_rows(connection, number), number, tell))
    execute = _execute(snapshot)
    limits = replace(limits_of(execute), cpu_seconds=execute.cpu_seconds * PATIENCE)
    for python in pythons:
        for seed in HASH_SEEDS:
            found.append(reproduced(_rows(connection, number), limits, python, seed, lambda s, n: tell(s, n, number)))
    return [*found, *mutants_killed(_rows(connection, number), execute, lambda s, n: tell(s, n, number))]


def checksums(snapshot: Snapshot, tell: Tell) -> Finding:
    """Whether each data file has the bytes that the manifest names."""
    count = _Count()
    files = snapshot.manifest["files"]
    for done, file in enumerate(files, 1):
        try:
            content = snapshot.store.read(f"{snapshot.prefix}/{file['path']}")
        except KeyError:
            count.add(f"{file['path']} is not there")
            continue
        same = hashlib.sha256(content).hexdigest() == file["sha256"] and len(content) == file["bytes"]
        count.add(None if same else f"{file['path']} has other bytes")
        tell("checksums", done, len(files))
    return count.none_wrong("files with other bytes than the manifest says", "files")


#: Name of a statement in `include/sql/audit`: the line that it gives.
_STATEMENTS: Final = {
    "duplicate_inputs": "samples with duplicate inputs",
    "constant_functions": "constant functions",
    "under_determined": "under-determined held-out samples",
    "clusters_across_splits": "clusters across splits",
    "without_lineage": "samples that lead back to no lines",
}


def statements(connection: duckdb.DuckDBPyConnection, total: int) -> list[Finding]:
    """The audit's own statements over `samples`, and the checks of the publication that need no other table."""
    named = [(said, f"audit/{name}") for name, said in _STATEMENTS.items()]
    with duckdb.connect() as empty:  # where no view stands for what it reads
        for name in parts.names(parts.SQL / "checks", ".sql"):
            if empty.get_table_names(database.statement(f"checks/{name}")) == {"samples"}:
                named.append((f"samples that fail the check {name}", f"checks/{name}"))
    found = []
    for said, path in named:
        wrong = database.query(connection, path).to_pylist()
        examples = tuple(f"{row['sample_id']} {row['reason']}" for row in wrong[:_EXAMPLES])
        found.append(Finding(said, f"{len(wrong):,} of {total:,} samples", "0", not wrong, examples))
    return found


def undefined_names(rows: Iterator[dict[str, Any]], number: int, tell: Tell) -> Finding:
    """Whether the published code says where each of its names comes from, as the extractor reads it."""
    count = _Count()
    for row in rows:
        file = dict.fromkeys(("source", "repository", "revision", "committed_at", "path", "license", "url"), "")
        read = extract(file | {"content": row["code"], "drop_rule": None})
        found = [name for one in read if one["name"] == row["function_name"] for name in one["undefined_names"] or ()]
        if not any(one["name"] == row["function_name"] for one in read):
            found = [row["function_name"]]
        count.add(f"{row['sample_id']} {', '.join(found)}" if found else None)
        tell("undefined names", count.total, number)
    return count.none_wrong("samples with undefined names", "samples")


def reproduced(
    rows: Iterator[dict[str, Any]], limits: Limits, python: Interpreter, seed: int, tell: Callable[[str, int], None]
) -> Finding:
    """Whether the reference programs give every published case in this interpreter under this hash seed."""
    count = _Count()
    check = f"cases reproduced, Python {python.version}, hash seed {seed}"
    pending: dict[str, list[dict[str, Any]]] = {}

    def programs() -> Iterator[Program]:
        for row in rows:
            pending[row["sample_id"]] = row["cases"]
            yield _program(row["sample_id"], row["code"], row)

    with Sandbox(limits, passes=1, hash_seed=seed, python=python.path) as sandbox:
        for done, (program, executions) in enumerate(sandbox.run(programs()), 1):
            for case, execution in zip(pending.pop(program.program_id), executions, strict=True):
                expected = (case["comparator"], case["outcome"], case["value"])
                same = agrees(*expected, execution.outcome, execution.value)
                got = f"{execution.outcome} {execution.value}"
                problem = f"{program.program_id} {case['arguments']}: {got}, not {case['outcome']} {case['value']}"
                count.add(None if same else problem)
            tell(check, done)
    right = count.total - count.wrong
    share = right / count.total if count.total else 0.0
    found = f"{share:.2%} ({right:,} of {count.total:,})"
    return Finding(check, found, "100 %", count.total > 0 and count.wrong == 0, tuple(count.examples))


def mutants_killed(rows: Iterator[dict[str, Any]], execute: Execute, tell: Callable[[str, int], None]) -> list[Finding]:
    """Which of the mutants that a published case kills are killed by the shown ones, in each sample."""
    shown: dict[str, set[str]] = {}  # inputs, of the samples that are under way
    held_out, unknown = set[str](), set[str]()
    killed: dict[str, tuple[int, int]] = {}  # by sample: by any case, by a shown one

    def subjects() -> Iterator[Subject]:
        for row in rows:
            sample, cases = row["sample_id"], sorted(row["cases"], key=lambda case: not case["shown"])
            shown[sample] = {case["arguments"] for case in cases if case["shown"]}
            if row["split"] == "test":
                held_out.add(sample)
            expected = (Expectation(c["arguments"], c["outcome"], c["value"], c["comparator"]) for c in cases)
            yield Subject(sample, row["code"], row["function_name"], tuple(expected))

    with Sandbox(mutant_limits(execute), passes=1) as sandbox:
        for done, (subject, found) in enumerate(fates(sandbox, subjects()), 1):
            sample, told = subject.function_id, shown.pop(subject.function_id)
            by = [set(fate.killed_by) for fate in found or () if fate.killed_by]
            killed[sample] = (len(by), sum(1 for inputs in by if inputs & told))
            if found is None:
                unknown.add(sample)
            tell("mutants", done)
    every = "killable mutants that shown cases kill, worst sample"
    found_out = {sample: counts for sample, counts in killed.items() if sample in held_out}
    return [
        _killed_shown(every, killed, MIN_KILLED_SHOWN, set()),
        _killed_shown(f"{every} held out", found_out, 1.0, unknown & held_out),
    ]


def _killed_shown(check: str, killed: dict[str, tuple[int, int]], least: float, unknown: set[str]) -> Finding:
    """`unknown` are samples whose mutants could not be run: they prove nothing."""
    shares = {sample: shown / both for sample, (both, shown) in killed.items() if both}
    short = sorted(sample for sample, share in shares.items() if share < least) + sorted(unknown)
    examples = tuple(f"{sample} {killed[sample][1]} of {killed[sample][0]}" for sample in short[:_EXAMPLES])
    worst = min(shares.values(), default=1.0)
    every, shown = sum(both for both, _ in killed.values()), sum(shown for _, shown in killed.values())
    found = f"{worst:.1%} ({len(short):,} of {len(killed):,} samples below; {shown:,} of {every:,} mutants)"
    return Finding(check, found, f"≥ {least:.0%}", not short, examples)


def _program(identity: str, code: str, row: dict[str, Any]) -> Program:
    return Program(identity, code, row["function_name"], tuple(case["arguments"] for case in row["cases"]))


def _rows(connection: duckdb.DuckDBPyConnection, number: int) -> Iterator[dict[str, Any]]:
    """The first samples. The connection is busy until the last one is taken."""
    for batch in database.stream(connection, "audit/programs", _PROGRAMS, _BATCH, number=number):
        yield from batch.to_pylist()


def _execute(snapshot: Snapshot) -> Execute:
    return Execute.model_validate(snapshot.manifest["recipe"]["execute"])
