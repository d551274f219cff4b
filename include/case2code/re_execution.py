"""A few published samples run once more, from what is published alone, before anybody sees the snapshot."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import duckdb

from case2code import database, sandbox
from case2code.comparators import agrees
from case2code.errors import CheckError, OutageError
from case2code.execute_inputs import limits_of
from case2code.recipe import Execute

#: So many samples, chosen by their ids.
SAMPLES_RUN: Final = 32
#: Times the CPU time of an execution that running it again may take: a slower machine is no fault.
PATIENCE: Final = 4.0


def run_again(connection: duckdb.DuckDBPyConnection, settings: Execute) -> int:
    """Run samples of the view `samples` again; returns how many. Raises CheckError where a case comes out otherwise."""
    rows = database.query(connection, "select/samples_to_run_again", samples=SAMPLES_RUN).to_pylist()
    programs = [
        sandbox.Program(r["sample_id"], r["code"], r["function_name"], tuple(c["arguments"] for c in r["cases"]))
        for r in rows
    ]
    limits = replace(limits_of(settings), cpu_seconds=settings.cpu_seconds * PATIENCE)
    results = sandbox.run(programs, limits, min_isolation=settings.min_isolation)
    for row, (_, executions) in zip(rows, results, strict=True):
        _compare(row, executions)
    return len(rows)


def _compare(row: dict[str, Any], executions: Sequence[sandbox.Execution]) -> None:
    for case, execution in zip(row["cases"], executions, strict=True):
        if execution.outcome == "sandbox_died":
            raise OutageError(f"the sandbox died with sample {row['sample_id']}")
        if not agrees(case["comparator"], case["outcome"], case["value"], execution.outcome, execution.value):
            raise CheckError(
                f"sample {row['sample_id']} gives {execution.outcome} {execution.value} for {case['arguments']}, "
                f"but {case['outcome']} {case['value']} when it was executed first"
            )
