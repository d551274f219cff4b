"""Stage `probe_behaviour`: what functions compute, whatever their code looks like.

Every kept function runs on the shared probes for as many arguments as it needs (`probes`): functions with the same
outputs behave the same. It also runs on a few inputs of each benchmark's reference solution; where it agrees there,
both run on all of the reference's inputs and on all of the function's own, and it is a benchmark's twin if they agree
again. The ledger `probes` keeps hashes of the outputs, so nothing is probed twice (`decisions/0008-behaviour.md`).
"""

import hashlib
import logging
import platform
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import benchmarks, database, probes, sandbox, values
from case2code.day import Day
from case2code.execute_inputs import executions_ledger, open_inputs
from case2code.ledger import BUCKETS, Ledger
from case2code.plan_day import Shard
from case2code.probes import Probe, ProbeSet
from case2code.recipe import Benchmarks, fingerprint
from case2code.records import EXECUTIONS, PROBES
from case2code.store import Store
from case2code.write_inputs import kept_buckets, open_functions

log = logging.getLogger(__name__)

#: Raise it whenever the same probe may give another hash.
REVISION: Final = 1

#: A function that hangs on every probe must cost little, and a limit in lines is the same on every machine.
LIMITS: Final = sandbox.Limits(cpu_seconds=0.1, memory_mb=512, max_value_chars=4_000, max_traced_lines=5_000)

#: Less evidence than this says nothing about what a function computes.
MIN_RETURNED: Final = 5
MIN_DISTINCT_OUTPUTS: Final = 3

#: Inputs of a reference that a function has to agree on before the rest is tried.
_SCREEN: Final = 2
_COMMIT_SECONDS: Final = 10.0
#: All references are read together, by every shard.
_ONE_BUCKET: Final = BUCKETS[0]

PROBE_SETS: Final = pa.schema([("probe_set", pa.string()), ("arity", pa.int32()), ("is_shared", pa.bool_())])
REFERENCES: Final = pa.schema(
    [("task", pa.string()), ("program_id", pa.string()), ("probe_set", pa.string()), ("inputs", pa.int32())]
)
#: One row per probe of a screen: what the reference `program_id` computes there; `probes` is how many it has in all.
SCREENS: Final = pa.schema(
    [
        ("program_id", pa.string()),
        ("probe_set", pa.string()),
        ("position", pa.int64()),
        ("output", pa.int64()),
        ("probes", pa.int32()),
    ]
)


#: What functions compute on the shared probes, as one id.
BEHAVIOURS: Final = pa.schema([(name, pa.string()) for name in ("function_id", "behaviour_id")])
#: Functions that compute what the solution of a benchmark's task computes.
BENCHMARK_TWINS: Final = pa.schema([(name, pa.string()) for name in ("function_id", "task")])
#: What the recipe does not want of what functions compute.
BEHAVIOUR_DROPS: Final = pa.schema([(name, pa.string()) for name in ("function_id", "rule", "reason")])


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference solution of a benchmark's task, with the inputs of its tests."""

    task: str
    program_id: str
    name: str
    code: str
    parameters: tuple[str, ...]
    inputs: ProbeSet


@dataclass(frozen=True, slots=True)
class _Probing:
    """A program, and the probe sets that it is run on for the function `function_id`."""

    function_id: str
    program_id: str
    name: str
    code: str
    parameters: tuple[str, ...]
    sets: tuple[ProbeSet, ...]

    def program(self) -> sandbox.Program:
        arguments = [_arguments(self.parameters, probe) for one in self.sets for probe in one.probes]
        return sandbox.Program(self.program_id, self.code, self.name, tuple(arguments))


def probes_ledger(store: Store) -> Ledger:
    """The ledger of this prober: limits, sandbox and Python version are in the name, what is run is in the rows."""
    return Ledger(store, f"probes/{_identity()}", PROBES, ["function_id", "program_id", "probe_set"])


def references_ledger(store: Store) -> Ledger:
    """The same for what the references compute on their own inputs, small enough for every shard to read."""
    return Ledger(store, f"references/{_identity()}", PROBES, ["function_id", "program_id", "probe_set"])


def _identity() -> str:
    return fingerprint([REVISION, sandbox.REVISION, platform.python_version(), repr(LIMITS)])


def probe_behaviour(day: Day, shard: Shard, store: Store) -> dict[str, int]:
    """Probe what the ledger misses for the shard's buckets; returns counts.

    Raises OutageError where S3 or the sandbox fails, and ConfigurationError where the machine offers less isolation
    than the recipe asks for or a benchmark cannot be read; what a function does is a row.
    """
    buckets = shard.buckets
    ledger = probes_ledger(store)
    ledger.mend(buckets)
    connection = database.connect(store)
    open_functions(connection, day, store)
    open_inputs(connection, day, store, buckets)
    executions = executions_ledger(store, day.recipe.execute)
    keys = executions.objects(buckets)
    database.view(connection, "executions", store, keys, EXECUTIONS)
    with _Prober(day.recipe.execute.min_isolation) as prober:
        references = read_references(day.recipe.benchmarks)
        computed = _references_computed(references, references_ledger(store), prober)
        screens = _screens(references, computed)
        _open_sets(connection, references, list(screens.sets.values()))
        _open_probes(connection, ledger, buckets)
        known = {one.identity: one for one in (*_shared(), *screens.sets.values())}
        missing = database.query(connection, "behaviour/functions_to_probe", buckets=buckets).to_pylist()
        probed = prober.run(
            [
                _Probing(
                    *(row["function_id"], row["function_id"], row["name"], row["code"], tuple(row["parameters"])),
                    tuple(known[name] for name in row["probe_sets"]),
                )
                for row in missing
            ],
            ledger,
        )
        _open_probes(connection, ledger, buckets)
        database.table(connection, "screens", pa.Table.from_pylist(screens.rows, schema=SCREENS))
        database.run(connection, "behaviour/create_alike", buckets=buckets)
        database.run(connection, "behaviour/create_own_inputs")
        trials = database.query(connection, "behaviour/trials_to_run").to_pylist()
        by_id = {reference.program_id: reference for reference in references}
        prober.run([one for row in trials for one in _trial(row, by_id[row["program_id"]])], ledger)
    counts = {"programs": probed, "probes": prober.calls, "trials": len(trials), "sandbox_died": prober.died}
    log.info(
        "Probed %d functions with %d calls, %d beside a reference → %s",
        *(probed, prober.calls, len(trials), store.uri(ledger.prefix)),
    )
    if prober.died:
        log.warning("Left out %d programs: the sandbox died twice with them", prober.died)
    return counts


def open_behaviour(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make what the day's kept functions compute readable in SQL.

    The tables are `behaviours` (function_id, behaviour_id), `benchmark_twins` (function_id, task) and
    `behaviour_drops` (function_id, rule, reason), which has what the recipe does not want of them. The connection has
    the day's functions and verdicts already. A bucket of the ledgers at a time is looked at, which bounds memory;
    afterwards `inputs`, `executions` and `probes` are those of the last.
    """
    evidence = {"min_returned": MIN_RETURNED, "min_distinct_outputs": MIN_DISTINCT_OUTPUTS}
    executions, ledger = executions_ledger(store, day.recipe.execute), probes_ledger(store)
    _open_sets(connection, read_references(day.recipe.benchmarks), [])
    database.create_empty(connection, "behaviours", BEHAVIOURS)
    database.create_empty(connection, "benchmark_twins", BENCHMARK_TWINS)
    for bucket in kept_buckets(connection):
        open_inputs(connection, day, store, [bucket])
        database.view(connection, "executions", store, executions.objects(bucket), EXECUTIONS)
        _open_probes(connection, ledger, [bucket])
        database.run(connection, "behaviour/create_tried")
        database.run(connection, "behaviour/create_own_inputs")
        database.append(connection, "behaviours", "behaviour/behaviours", **evidence)
        database.append(connection, "benchmark_twins", "behaviour/benchmark_twins", **evidence)
    database.run(
        connection,
        "behaviour/create_behaviour_drops",
        twins=day.recipe.benchmarks.twins,
        same_behaviour=day.recipe.duplicates.same_behaviour,
    )


def read_references(settings: Benchmarks) -> list[Reference]:
    """The reference solutions of the recipe's benchmarks that have inputs. Raises ConfigurationError."""
    found = []
    for benchmark in settings.sets:
        for task in benchmarks.read(benchmark):
            arity = len(task.parameters)
            inputs = [_encoded(values.parse(text)) for text in task.inputs]
            whole = tuple(probe for probe in inputs if len(probe) == arity)
            if whole:
                program_id = hashlib.md5(f"{task.name}\n{task.code}".encode(), usedforsecurity=False).hexdigest()
                mine = ProbeSet.of(arity, whole)
                found.append(Reference(task.task, program_id, task.name, task.code, task.parameters, mine))
    return found


def _encoded(arguments: Iterable[Any]) -> Probe:
    return tuple(values.encode(argument) for argument in arguments)


def _arguments(parameters: Sequence[str], probe: Probe) -> str:
    """The canonical literal of these arguments by name.

    >>> _arguments(["x", "y", "unused"], ("1", "'a'"))
    "{'x': 1, 'y': 'a'}"
    """
    given = zip(parameters, probe, strict=False)
    return f"{{{', '.join(f'{name!r}: {value}' for name, value in given)}}}"


def _shared() -> list[ProbeSet]:
    return [probes.shared(arity) for arity in range(1, probes.MAX_ARITY + 1)]


def _open_sets(connection: duckdb.DuckDBPyConnection, references: list[Reference], screens: Sequence[ProbeSet]) -> None:
    """Make `probe_sets` and `benchmark_references` readable in SQL."""
    rows: list[dict[str, Any]] = [
        {"probe_set": one.identity, "arity": one.arity, "is_shared": is_shared}
        for sets, is_shared in ((_shared(), True), (screens, False))
        for one in sets
    ]
    database.table(connection, "probe_sets", pa.Table.from_pylist(rows, schema=PROBE_SETS))
    rows = [
        {"task": r.task, "program_id": r.program_id, "probe_set": r.inputs.identity, "inputs": len(r.inputs.probes)}
        for r in references
    ]
    database.table(connection, "benchmark_references", pa.Table.from_pylist(rows, schema=REFERENCES))


def _open_probes(connection: duckdb.DuckDBPyConnection, ledger: Ledger, buckets: Sequence[str]) -> None:
    keys = ledger.objects(buckets)
    database.view(connection, "probes", ledger.store, keys, PROBES)


def _references_computed(references: list[Reference], ledger: Ledger, prober: "_Prober") -> dict[str, list[int | None]]:
    """What each reference computes on its own inputs, from the ledger; what is missing there is run now."""
    ledger.mend(_ONE_BUCKET)
    known = _own_outputs(references, ledger)
    missing = [r for r in references if r.program_id not in known]
    if not missing:
        return known
    prober.run(
        [_Probing(r.program_id, r.program_id, r.name, r.code, r.parameters, (r.inputs,)) for r in missing],
        ledger,
        _ONE_BUCKET,
    )
    return _own_outputs(references, ledger)


def _own_outputs(references: list[Reference], ledger: Ledger) -> dict[str, list[int | None]]:
    wanted = {(reference.program_id, reference.inputs.identity) for reference in references}
    rows = [row for key in ledger.objects(_ONE_BUCKET) for row in ledger.store.read_table(key).to_pylist()]
    return {row["program_id"]: row["outputs"] for row in rows if (row["program_id"], row["probe_set"]) in wanted}


@dataclass(frozen=True, slots=True)
class _Screens:
    """The first probes of all references, one set for each number of arguments, and what the references compute."""

    sets: dict[int, ProbeSet]
    rows: list[dict[str, Any]]


def _screens(references: list[Reference], computed: dict[str, list[int | None]]) -> _Screens:
    """Two inputs of each reference with different outputs; without such a pair there is no telling a twin."""
    chosen: dict[int, list[tuple[Reference, int]]] = {}
    for reference in references:
        outputs = computed.get(reference.program_id, [])
        first = {output: at for at, output in reversed(list(enumerate(outputs))) if output is not None}
        if len(first) >= _SCREEN and not first.keys() <= _TRUTH:
            places = sorted(first.values())[:_SCREEN]
            chosen.setdefault(reference.inputs.arity, []).extend((reference, at) for at in places)
    sets, rows = {}, []
    for arity, all_of in sorted(chosen.items()):
        distinct = list(dict.fromkeys(reference.inputs.probes[at] for reference, at in all_of))
        sets[arity] = ProbeSet.of(arity, distinct)
        rows += [
            {
                "program_id": reference.program_id,
                "probe_set": sets[arity].identity,
                "position": distinct.index(reference.inputs.probes[at]),
                "output": computed[reference.program_id][at],
                "probes": _SCREEN,
            }
            for reference, at in all_of
        ]
    return _Screens(sets, rows)


def _trial(row: dict[str, Any], reference: Reference) -> list[_Probing]:
    """The function and the reference on the inputs of both; own inputs that the reference cannot take are left out."""
    taken = row["parameters"][: reference.inputs.arity]
    given = [values.parse(text) for text in row["arguments"]]
    own = [_encoded(arguments[name] for name in taken) for arguments in given if arguments.keys() == set(taken)]
    both = (ProbeSet(row["probe_set"], reference.inputs.arity, (*reference.inputs.probes, *own)),)
    return [
        _Probing(row["function_id"], row["function_id"], row["name"], row["code"], tuple(row["parameters"]), both),
        _Probing(
            *(row["function_id"], reference.program_id, reference.name, reference.code, reference.parameters), both
        ),
    ]


class _Prober:
    """Runs programs and commits hashes of what they return; the sandbox starts when there is something to run."""

    def __init__(self, min_isolation: str) -> None:
        self.calls = 0
        self.died = 0
        self._min_isolation = min_isolation
        self._open = ExitStack()
        self._sandbox: sandbox.Sandbox | None = None

    def __enter__(self) -> "_Prober":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self, all_of: Sequence[_Probing], ledger: Ledger, bucket: str | None = None) -> int:
        """Commit a row for each probe set of each program; returns how many programs there were.

        The rows go to `bucket`, or each to that of its function.
        """
        if not all_of:
            return 0
        if self._sandbox is None:
            started = sandbox.Sandbox(LIMITS, min_isolation=self._min_isolation, passes=1)
            self._sandbox = self._open.enter_context(started)
        rows: list[dict[str, Any]] = []
        last, done = time.monotonic(), 0
        results = self._sandbox.run((one.program() for one in all_of), with_coverage=True)
        for probing, (_, executions) in zip(all_of, results, strict=True):
            done += 1
            # An outage of the sandbox is no result: such a program is run again another time.
            if any(execution.outcome == "sandbox_died" for execution in executions):
                self.died += 1
                continue
            self.calls += len(executions)
            rows += _rows(probing, executions)
            if time.monotonic() - last > _COMMIT_SECONDS:
                _commit(ledger, rows, bucket)
                log.info("Probed %d of %d functions", done, len(all_of))
                rows, last = [], time.monotonic()
        _commit(ledger, rows, bucket)
        return done


def _commit(ledger: Ledger, rows: list[dict[str, Any]], bucket: str | None) -> None:
    by_bucket: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_bucket.setdefault(bucket or row["function_id"][0], []).append(row)
    for name, some in sorted(by_bucket.items()):
        ledger.append(name, some)


def _rows(probing: _Probing, executions: Sequence[sandbox.Execution]) -> list[dict[str, Any]]:
    rows, first = [], 0
    for one in probing.sets:
        mine = executions[first : first + len(one.probes)]
        first += len(one.probes)
        outputs = [_hash(e.value) if e.outcome == "returned" and e.value is not None else None for e in mine]
        # To give an argument back says nothing: many functions do where they find nothing to do.
        telling = {
            output
            for output, execution, probe in zip(outputs, mine, one.probes, strict=True)
            if output is not None and execution.value not in probe
        }
        rows.append(
            {
                "function_id": probing.function_id,
                "program_id": probing.program_id,
                "probe_set": one.identity,
                "outputs": outputs,
                "telling_outputs": len(telling),
            }
        )
    return rows


_FLOAT: Final = re.compile(r"\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+")


def _hash(value: str) -> int:
    """Of a canonical literal; floats count to ten digits, since another order of the same sum gives other last ones."""
    text = _FLOAT.sub(lambda number: f"{float(number[0]):.10g}", value)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


#: A reference that answers yes or no never has three different outputs.
_TRUTH: Final = {_hash("True"), _hash("False")}
