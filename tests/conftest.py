"""What most tests share: a real S3 server, and an empty place on it for each test."""

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import hypothesis
import pytest

from case2code import parts
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, Stack, open_stack

# A busy machine is slow, which is no fault of an example.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

#: For the processes that tests start; pytest's own `pythonpath` reaches only this one.
os.environ["PYTHONPATH"] = str(parts.INCLUDE)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded SeaweedFS of `make run`, once for the session."""
    with open_stack(tmp_path_factory.mktemp("stack")) as stack:
        start_object_store(stack)
        yield stack
        stack.children.stop(seconds=1)  # it would take eight to end by itself, and its data is thrown away


@pytest.fixture
def store(s3: Stack) -> Store:
    """An empty store: a fresh prefix of the server's bucket, which DuckDB can read too."""
    client = s3_client(s3)
    access = Access(client.meta.endpoint_url, "us-east-1", s3.keys["s3_id"], s3.keys["s3_secret"])
    return Store(client, BUCKET, f"tests/{uuid4().hex}", access)


@pytest.fixture
def record_fault(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Notes a row of the table of faults, after a test has asserted all of it."""

    def note(fault: str, when: str, happened: str, snapshot: str = "equal") -> None:
        record_property("fault", (fault, when, happened, snapshot))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the faults that were tried; tests in other processes send it with their reports."""
    passed = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    faults = [tuple(row) for report in passed for name, row in report.user_properties if name == "fault"]
    if faults:
        rows = [("fault", "when", "what happened", "snapshot"), *faults]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        terminalreporter.section("faults")
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line(line.rstrip())
