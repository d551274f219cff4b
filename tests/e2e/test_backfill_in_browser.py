"""A backfill as people start one: in the form of the real Airflow UI, in a real Chromium."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from builders.day_run import run_day
from builders.git_repository import LICENSED, GitRepository
from case2code.day import Day
from case2code.execute_inputs import executions_ledger
from case2code.ledger import Ledger
from case2code.recipe import load_recipe
from case2code.snapshot import day_key, latest_key
from case2code.store import Store
from case2code.write_inputs import inputs_ledger
from case2code_embedded.airflow_server import DAG, AirflowClient
from case2code_embedded.object_store import s3_client
from case2code_embedded.stack import BUCKET, Stack
from tests.e2e.conftest import DAYS
from tests.e2e.test_refresh import runs_of_backfill, snapshot_bytes, wait_for

pytestmark = pytest.mark.stack

#: Days that no other test runs.
PAST = [datetime(2024, 2, day, tzinfo=UTC) for day in (6, 7, 8)]
AT_ONCE = 2
#: What is committed on each of them; no other test has these functions in a ledger.
FILES: list[dict[str, str | bytes | None]] = [
    {
        "pyproject.toml": LICENSED,
        "tides.py": """
def level(hour: int, range_cm: int) -> int:
    rising = hour % 12 < 6
    return (hour % 6) * range_cm // 6 if rising else range_cm - (hour % 6) * range_cm // 6


def ebbing(hours: list[int]) -> list:
    return [hour for hour in hours if hour % 12 >= 6]
""",
    },
    {
        "knots.py": """
def untie(rope: str) -> str:
    while "oo" in rope:
        rope = rope.replace("oo", "o")
    return rope.strip("-")


def loops(rope: str) -> int:
    return rope.count("o") + 2 * rope.count("8")
"""
    },
    {
        "sails.py": """
def reefed(areas: list[int], wind: int) -> list:
    return [area if wind < 20 else area * 2 // 3 for area in areas]
"""
    },
]


@pytest.fixture
def recipe(tmp_path: Path, write_recipe: Any) -> Path:
    """A repository that got more functions on each of the days."""
    repository = GitRepository(tmp_path / "past")
    for day, files in zip(PAST, FILES, strict=True):
        repository.commit(day + timedelta(hours=12), files)
    path: Path = write_recipe(
        "chosen", sources=[{"git": {"urls": [repository.url]}}], writers=[{"boundary": {"inputs": 23}}]
    )
    return path


def choose(page: Page, which: str, day: datetime) -> None:
    """Type one end of the range into its calendar."""
    field = page.get_by_role("group").filter(has=page.get_by_text(which, exact=True))
    field.get_by_text("Select date and time").click()
    page.get_by_placeholder("YYYY/MM/DD").fill(f"{day:%Y/%m/%d}")
    page.get_by_placeholder("HH:mm").fill("00:00")
    page.get_by_role("heading", name="Run Backfill").click()
    expect(page.get_by_placeholder("YYYY/MM/DD")).to_be_hidden()


def start_backfill(page: Page, stack: Stack, recipe: Path) -> None:
    """Open the DAG and its form, choose the days, newest first and two at once, and start them."""
    page.goto(f"{stack.ui}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_text("Run this Dag for a range of dates").click()
    choose(page, "From", PAST[0])
    choose(page, "To", PAST[-1])
    expect(page.get_by_text("3 runs will be triggered.")).to_be_visible()
    page.locator("[name=max_active_runs]").fill(str(AT_ONCE))
    page.get_by_text("Run Backwards").click()
    # Airflow 3.3.2 sends the parameters only if this is ticked, for new runs too (apache/airflow#64939 brought it).
    page.get_by_text("Override parameters on existing runs").click()
    page.locator("[name=element_recipe]").fill(str(recipe))
    page.get_by_role("button", name="Run Backfill").click()
    expect(page.get_by_role("heading", name="Run Backfill")).to_be_hidden()


def paid(ledger: Ledger) -> Counter[tuple[Any, ...]]:
    """How often the ledger has each of its keys, which begin with the function's id."""
    rows = (row for key in ledger.objects() for row in ledger.store.read_table(key, ledger.key).to_pylist())
    return Counter(tuple(row.values()) for row in rows)


def test_days_chosen_in_the_form_run_side_by_side_and_are_published(
    stack: Stack, client: AirflowClient, store: Store, page: Page, recipe: Path
) -> None:
    wait_for(client, f"make_run__{DAYS[3]:%Y-%m-%d}")
    start_backfill(page, stack, recipe)
    *two, oldest = runs = sorted(runs_of_backfill(client, recipe), key=lambda run: run["start_date"])
    assert [run["state"] for run in runs] == ["success"] * 3
    assert {run["logical_date"][:10] for run in two} == {"2024-02-07", "2024-02-08"}
    assert max(run["start_date"] for run in two) < min(run["end_date"] for run in two), "two days ran at once"
    assert oldest["start_date"] >= min(run["end_date"] for run in two), "and no more than two"

    # What people see: the backfill has ended, its runs are green, and the page has a night for each day.
    page.get_by_role("link", name="Backfills").click()
    completed_at = page.get_by_role("row").filter(has_text=f"{PAST[0]:%Y-%m-%d}").get_by_role("cell").nth(4)
    expect(completed_at.locator("time")).to_be_visible()
    page.get_by_role("link", name="Runs", exact=True).click()
    for run in runs:
        expect(page.get_by_role("row").filter(has_text=run["dag_run_id"]).get_by_text("Success")).to_be_visible()
    page.get_by_role("link", name="Case2Code", exact=True).click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="chosen", exact=True).click()
    versions = [store.read_json(day_key("chosen", f"{day:%Y-%m-%d}"))["version"] for day in PAST]
    for version in versions:
        expect(frame.get_by_role("link", name=version, exact=True).first).to_be_visible()

    # The newest day was built before the oldest one, and stays the latest.
    assert store.read_json(latest_key("chosen")) == {"date": "2024-02-08", "version": versions[2]}

    # Each day has the bytes that the stages give without Airflow, one day after the other, the oldest first.
    settings = load_recipe(str(recipe))
    alone = Store(s3_client(stack), BUCKET, "alone", store.access)
    for day, version in zip(PAST, versions, strict=True):
        assert run_day(Day.at(day + timedelta(days=1), settings), alone).version == version
        assert snapshot_bytes(alone, "chosen", version) == snapshot_bytes(store, "chosen", version)

    # Two days in flight may both pay for what neither finds in the ledger; the third finds all of it there.
    (writer,) = settings.writers
    for ledger_at in (lambda at: inputs_ledger(at, writer), lambda at: executions_ledger(at, settings.execute)):
        once, here = paid(ledger_at(alone)), paid(ledger_at(store))
        assert set(once.values()) == {1}
        functions = {key[0] for key in once}
        mine = {key: times for key, times in here.items() if key[0] in functions}
        assert mine.keys() == once.keys()
        assert max(mine.values()) <= AT_ONCE
    counts = {
        task["task_id"]: client.returned(oldest["dag_run_id"], task)["counts"]
        for task in client.tasks(oldest["dag_run_id"])
        if task["task_id"] in ("write_inputs", "execute_inputs")
    }
    assert counts["write_inputs"]["functions"] == counts["execute_inputs"]["executions"] == 0
