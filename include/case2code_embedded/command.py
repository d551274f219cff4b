"""What the commands that start a stack have in common: days, recipes by name or path, and how a command ends."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from case2code.errors import Case2CodeError

#: Airflow runs no task of a DAG before its start date; this is the project's.
FIRST_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LOG_COLUMNS: Final = 120  # where the output goes into a file or a pipe


def complete_day(text: str) -> datetime:
    """The midnight that begins a day which is over (UTC), for argparse."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a day like 2026-11-19") from None
    if day < FIRST_DAY:
        raise argparse.ArgumentTypeError(f"{text} is before {FIRST_DAY:%Y-%m-%d}, the first day that can be built")
    if day > latest_complete_day():
        raise argparse.ArgumentTypeError(f"{text} is not over yet (UTC)")
    return day


def latest_complete_day() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def recipe_for_tasks(recipe: str) -> str:
    """The name or path of a recipe as tasks find it, which run in a folder of their own."""
    return str(Path(recipe).resolve()) if recipe.endswith((".yaml", ".yml")) else recipe


def end_well(call: Callable[[Console], int]) -> int:
    """Run a command; Ctrl-C, SIGTERM and the errors of this project end it with a status and a line that says why."""
    console = Console(width=None if sys.stdout.isatty() else _LOG_COLUMNS)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job would ignore it
        signal.signal(number, signal.default_int_handler)
    reach_this_machine_directly()
    try:
        return call(console)
    except KeyboardInterrupt:
        console.print("\nStopped; what was done is kept, and the next run goes on from there.")
        return 130
    except Case2CodeError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 1


def reach_this_machine_directly() -> None:
    """Exempt the services of the stack from the proxy of this process and its children, where there is one."""
    exempt = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = dict.fromkeys([*filter(None, exempt.split(",")), "127.0.0.1", "localhost"])
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(names)
