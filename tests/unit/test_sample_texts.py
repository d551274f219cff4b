"""Texts of samples from several processes: the rows of one process in the same order, or an outage, never a hang."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from case2code import parts
from case2code.errors import OutageError
from case2code.prompts import PromptWriter
from case2code.recipe import Prompts
from case2code.records import SAMPLES
from case2code.sample_texts import MAX_HERE, with_texts

SETTINGS = Prompts()
TESTS = Path(__file__).parents[1]


def sample(number: int) -> dict[str, Any]:
    case = {"arguments": f"{{'n': {number}}}", "outcome": "returned", "value": f"{number + 1}", "shown": True}
    return dict.fromkeys(SAMPLES.names) | {
        "sample_id": f"{number:032x}",
        "split": "train",
        "function_name": "following",
        "code": "def following(n):\n    return n + 1\n",
        "parameters": [{"name": "n", "kind": "POSITIONAL_OR_KEYWORD"}],
        "cases": [case],
    }


def batches(count: int) -> Iterator[pa.RecordBatch]:
    for number in range(count):
        yield pa.RecordBatch.from_pylist([sample(2 * number), sample(2 * number + 1)], SAMPLES)


@pytest.mark.parametrize("samples", [MAX_HERE, MAX_HERE + 1], ids=["here", "elsewhere"])
@pytest.mark.parametrize("count", [0, 1, 2, 25])
def test_the_rows_are_those_of_one_process_in_the_same_order(count: int, samples: int):
    writer = PromptWriter(SETTINGS)
    expected = [(f"{n:032x}", writer.write(sample(n)).prompt) for n in range(2 * count)]
    found = pa.Table.from_batches(with_texts(batches(count), SETTINGS, samples), SAMPLES)
    assert list(zip(*(found[name].to_pylist() for name in ("sample_id", "prompt")), strict=True)) == expected


def test_a_killed_process_is_an_outage():
    def killing() -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(batches(50)):
            if number == 25:
                for child in psutil.Process().children():
                    if "case2code.sample_texts" in child.cmdline():
                        child.kill()
            yield batch

    with pytest.raises(OutageError, match="writes the texts of samples ended with status -9"):
        list(with_texts(killing(), SETTINGS, MAX_HERE + 1))


def test_the_program_that_publishes_is_not_run_again_by_its_processes(tmp_path: Path):
    """In a task it is Airflow's, which starts only where its settings are."""
    program = tmp_path / "airflow"
    program.write_text(
        "import sys\n"
        "print('started', flush=True)\n"
        f"sys.path += {[str(folder) for folder in (parts.INCLUDE, TESTS)]!r}\n"
        "from case2code.sample_texts import MAX_HERE, with_texts\n"
        "from unit.test_sample_texts import SETTINGS, batches\n"
        "print(sum(batch.num_rows for batch in with_texts(batches(4), SETTINGS, MAX_HERE + 1)))\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["started", "8"]
