"""Trigger the refresh of one day, show how it goes, and tell what came of it."""

import time
from collections import Counter
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from case2code import database
from case2code.errors import Case2CodeError, OutageError
from case2code.snapshot import day_key, snapshots_prefix
from case2code.store import Store
from case2code_embedded.airflow_server import AirflowClient
from case2code_embedded.stack import Stack

STAGES: Final = (
    "plan_day",
    "scrape_files",
    "extract_functions",
    "filter_functions",
    "write_inputs",
    "execute_inputs",
    "probe_behaviour",
    "run_mutants",
    "select_cases",
    "publish_snapshot",
    "judge_night",
)
_POLL_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 180
_ENDED: Final = ("success", "failed", "skipped", "upstream_failed", "removed")


class RefreshFailed(Case2CodeError):
    """The run ended without success; the message says which task said what."""


def run_refresh(
    client: AirflowClient, stack: Stack, day: datetime, params: dict[str, Any], console: Console
) -> list[dict[str, Any]]:
    """Run the day to its end with a live table; returns the run's task instances with what they returned.

    Raises RefreshFailed with the last words of the task that failed.
    """
    run_id = client.start_run(day, params)
    watch = _Watch(client, run_id)
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        answered = time.monotonic()
        while True:
            for name in stack.children.restart_ended():
                live.console.print(f"[yellow]{name} ended during the run; it is started again[/]")
            try:
                state = client.run(run_id)["state"]
                live.update(watch.table())
                if not console.is_terminal:  # nobody sees the table before the end
                    watch.say_ended(console)
                answered = time.monotonic()
            except OutageError:  # the API server takes a while to start again
                if time.monotonic() - answered > _PATIENCE_SECONDS:
                    raise
                continue
            if state in ("success", "failed"):
                break
            time.sleep(_POLL_SECONDS)
    if not console.is_terminal:
        console.line()  # the table's last line has no end there
    tasks = client.tasks(run_id)
    if state == "failed":
        raise RefreshFailed(_failure(client, run_id, tasks))
    if not tasks:
        raise RefreshFailed(f"Airflow ran no task of {run_id}: see the scheduler's log")
    return [task | {"returned": client.returned(run_id, task)} for task in tasks]


class _Watch:
    """What the live table shows; asks Airflow once for each ended task and for the newest words of running ones."""

    def __init__(self, client: AirflowClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id
        self.counts: dict[tuple[str, int], dict[str, Any]] = {}
        self.words: dict[tuple[str, int], str] = {}
        self.tasks: list[dict[str, Any]] = []
        self.said: set[str] = set()

    def say_ended(self, console: Console) -> None:
        """A line for each stage that has ended, as the last table had it, and of which nothing was said."""
        for stage in STAGES:
            mine = [task for task in self.tasks if task["task_id"] == stage]
            if mine and stage not in self.said and all(task["state"] in _ENDED for task in mine):
                self.said.add(stage)
                end = _end(mine)
                words = [self._told(mine), _seconds(mine)] if end in ("ended", "failed") else []
                told = ", ".join(filter(None, words))
                console.print(f"{stage} {end}" + (f": {told}" if told else ""), highlight=False, soft_wrap=True)

    def table(self) -> Group:
        self.tasks = self.client.tasks(self.run_id)
        table = Table(box=None, pad_edge=False, show_header=False)
        running_words = []
        for stage in STAGES:
            mine = [task for task in self.tasks if task["task_id"] == stage]
            ended = [task for task in mine if task["state"] in _ENDED]
            running = [task for task in mine if task["state"] in ("running", "deferred")]
            total = max(1, len(mine))
            mark = "[green]✓" if len(ended) == len(mine) and mine else "[yellow]●" if running else "[dim]·"
            if any(task["state"] in ("failed", "upstream_failed") for task in mine):
                mark = "[red]✗"
            table.add_row(
                mark,
                stage,
                ProgressBar(total, len(ended), width=20),
                f"{len(ended)}/{total}",
                self._told(ended),
                _seconds(mine),
            )
            busy = [task for task in mine if task["state"] in ("running", "up_for_retry")]
            running_words += [f"  {stage}: {word}" for task in busy if (word := self._last_word(task))]
        return Group(table, *(Text(line[:160], style="dim") for line in running_words[:4]))

    def _told(self, ended: list[dict[str, Any]]) -> str:
        """Counts of a stage, added up over its shards."""
        added: dict[str, float] = {}
        for task in ended:
            key = (task["task_id"], task["map_index"])
            if key not in self.counts:
                returned = self.client.returned(self.run_id, task)
                counts = returned.get("counts", {}) if isinstance(returned, dict) else {}
                if isinstance(returned, list) and returned and "counts" in returned[0]:
                    counts = returned[0]["counts"]
                self.counts[key] = counts
            for name, value in self.counts[key].items():
                added[name] = added.get(name, 0) + value
        return ", ".join(_count(name, value) for name, value in added.items())

    def _last_word(self, task: dict[str, Any]) -> str:
        key = (task["task_id"], task["map_index"])
        lines = self.client.messages(self.run_id, task)
        if task["state"] == "up_for_retry":
            return (
                f"will be tried again after {next((line for line in reversed(lines) if 'Error' in line), 'a failure')}"
            )
        telling = [line for line in lines if line.startswith(_TELLING)]
        if telling:
            self.words[key] = telling[-1]
        return self.words.get(key, "")


def _count(name: str, value: float) -> str:
    return f"${value:,.2f}" if name.endswith("cost_usd") else f"{value:,.0f} {name.replace('_', ' ')}"


# First words of the progress lines that the stages log.
_TELLING: Final = ("Scraped", "Extracted", "Rule", "Kept", "Wrote", "Writer", "Executed", "Probed", "Ran", "Published")


def _end(tasks: list[dict[str, Any]]) -> str:
    """The worst end of a stage's tasks, in a word."""
    states = {task["state"] for task in tasks}
    ends = {"failed": "failed", "upstream_failed": "was not begun", "success": "ended"}
    return next((word for state, word in ends.items() if state in states), "was skipped")


def _seconds(tasks: list[dict[str, Any]]) -> str:
    started = [datetime.fromisoformat(t["start_date"]) for t in tasks if t["start_date"]]
    ended = [datetime.fromisoformat(t["end_date"]) for t in tasks if t["end_date"]]
    if not started:
        return ""
    last = max(ended) if len(ended) == len(tasks) else datetime.now(started[0].tzinfo)
    return f"{(last - min(started)).total_seconds():.0f} s"


def _failure(client: AirflowClient, run_id: str, tasks: list[dict[str, Any]]) -> str:
    failed = next((task for task in tasks if task["state"] == "failed"), None)
    if failed is None:
        return "the run failed before any task did: see the scheduler's log"
    said = client.error(run_id, failed)
    if said is None:  # its process was ended from outside
        lines = [line for line in client.messages(run_id, failed) if line.strip() and not line.startswith("::")]
        said = lines[-1] if lines else "it left no log"
    return f"{failed['task_id']} failed: {said[:1500]}"


def show_estimate(tasks: list[dict[str, Any]], console: Console) -> None:
    """Print what a dry run has found out."""
    counts = Counter[str]()
    for task in tasks:
        if task["task_id"] == "write_inputs" and task["returned"]:
            counts.update(task["returned"]["counts"])
    console.print(
        f"\nA dry run: the LLM would get about [bold]{counts['estimated_requests']:,} requests[/] with "
        f"{counts['estimated_tokens_in']:,} tokens and answer with {counts['estimated_tokens_out']:,}, for about "
        f"[bold]${counts['estimated_cost_usd']:,.4f}[/] and ${counts['estimated_max_cost_usd']:,.4f} at most. "
        "Nothing was asked, and nothing is published.",
        highlight=False,
    )


def show_result(store: Store, recipe_name: str, day: datetime, tasks: list[dict[str, Any]], console: Console) -> None:
    """Print the funnel, why rows were dropped, the snapshot's address, and a query with its answer."""
    report = store.read_json(day_key(recipe_name, f"{day:%Y-%m-%d}"))
    address = store.uri(f"{snapshots_prefix(recipe_name)}/{report['version']}")
    console.print()
    console.print(_funnel(report))
    requests = sum(
        t["returned"]["counts"]["requests"] for t in tasks if t["task_id"] == "write_inputs" and t["returned"]
    )
    tokens = sum(t["returned"]["counts"]["tokens"] for t in tasks if t["task_id"] == "write_inputs" and t["returned"])
    console.print(_inputs_by_origin(report))
    console.print(f"LLM calls of this run: {requests:,} ({tokens:,} tokens)", highlight=False)
    for row in report["unwritten"]:
        console.print(
            f"[bold]The budget was reached:[/] {row['functions']:,} functions have no inputs from "
            f"{escape(row['origin'])} yet; another run goes on.",
            highlight=False,
        )
    if any(t["task_id"] == "publish_snapshot" and t["state"] == "skipped" for t in tasks):
        console.print(f"[bold]Nothing new:[/] {day:%Y-%m-%d} has the content of a snapshot that is published already.")
    console.print(f"Snapshot: [bold]{escape(address)}[/]", highlight=False, soft_wrap=True)
    query = (
        "SELECT split, count(*) AS samples, count(DISTINCT repository) AS repositories,\n"
        "       round(avg(n_cases), 1) AS cases, round(avg(distinct_outputs), 1) AS outputs\n"
        f"FROM read_parquet('{address}/data/*.parquet') GROUP BY split ORDER BY split;"
    )
    console.print(f"\n[dim]D[/] {escape(query)}", highlight=False, soft_wrap=True)
    console.print(str(database.connect(store).sql(query)), highlight=False, markup=False)


def _inputs_by_origin(report: dict[str, Any]) -> Table:
    title = "What the inputs of each origin add to the free ones: in how many functions they reach something new"
    table = Table(title=title, title_justify="left")
    table.add_column("origin", overflow="fold")
    for column in ("asked", "inputs", "return", "lines", "branches", "outputs", "tokens", "cost"):
        table.add_column(column, justify="right", min_width=len(column))
    for row in report["inputs_by_origin"]:
        share = row["returned_share"]
        table.add_row(
            escape(row["origin"]),
            f"{row['functions']:,}",
            f"{row['inputs']:,}",
            "" if share is None else f"{share:.0%}",
            *(f"{row[f'functions_with_new_{kind}']:,}" for kind in ("lines", "branches", "outputs")),
            f"{row['tokens']:,}",
            f"${row['cost_usd']:,.2f}",
        )
    return table


def _funnel(report: dict[str, Any]) -> Table:
    table = Table(title=f"{report['date']}: what each stage left, and why it dropped the rest", title_justify="left")
    table.add_column("stage")
    table.add_column("rows", justify="right")
    table.add_column("dropped, by rule")
    for row in report["funnel"]:
        drops = [d for d in report["drops"] if d["stage"] == row["stage"]]
        told = ", ".join(f"{d['dropped']:,} {d['rule']}" for d in drops[:5])
        more = sum(d["dropped"] for d in drops[5:])
        table.add_row(row["stage"], f"{row['rows']:,}", escape(told + (f", {more:,} others" if more else "")))
    return table
