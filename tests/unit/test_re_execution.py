"""The samples that run once more before a snapshot is seen: what is equal by the comparator passes, nothing else."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from builders.made_snapshot import sample
from case2code.errors import CheckError
from case2code.re_execution import run_again
from case2code.recipe import Execute
from case2code.records import SAMPLES


def again(value: str, comparator: str) -> int:
    row: dict[str, Any] = sample("third", "def third(x):\n    return x / 3\n", [("{'x': 1}", value)])
    row["cases"][0]["comparator"] = comparator
    with duckdb.connect() as connection:
        connection.register("samples", pa.Table.from_pylist([row], SAMPLES))
        return run_again(connection, Execute())


def test_what_came_out_before_comes_out_again() -> None:
    assert again("0.3333333333333333", "exact") == 1


def test_the_last_digit_may_be_that_of_another_processor_where_the_case_says_so() -> None:
    assert again("0.33333333333333337", "approximate") == 1
    with pytest.raises(CheckError, match=r"gives returned 0\.3333333333333333 for"):
        again("0.33333333333333337", "exact")


@pytest.mark.parametrize("value", ["0.334", "'0.3333333333333333'"])
def test_another_value_stops_the_publication(value: str) -> None:
    with pytest.raises(CheckError, match="when it was executed first"):
        again(value, "approximate")
