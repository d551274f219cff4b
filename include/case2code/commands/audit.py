"""Prove a snapshot again from its files alone: programs, cases, mutants, splits, checksums.

Prints what was found beside what is asked for; the exit status is 1 where something does not hold.
"""

import argparse

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from case2code.audit import Finding, audit
from case2code.commands._options import positive
from case2code.commands._progress import progress
from case2code.sandbox import interpreters
from case2code.snapshot import open_snapshot, open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which snapshot, in which interpreters, and how much of it."""
    parser.add_argument("snapshot", help="recipe/version, or recipe/latest")
    parser.add_argument(
        "--python",
        action="append",
        metavar="PYTHON",
        help="an interpreter to run the programs in, beside this one; may be repeated; "
        "default: those of the recipe's execute.also_on",
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="run programs and mutants of the first N samples only"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Audit, print a table, and say by the exit status whether all of it holds."""
    snapshot = open_snapshot(open_store(arguments.store), arguments.snapshot)
    others = arguments.python or snapshot.manifest["recipe"]["execute"].get("also_on", [])
    pythons = list(dict.fromkeys([interpreters.this(), *map(interpreters.find, others)]))
    with progress(console) as tell:
        found = audit(snapshot, pythons, tell, arguments.limit)
    console.print(_table(snapshot.name, found))
    wrong = [finding for finding in found if not finding.holds]
    for finding in wrong:
        for example in finding.examples:
            console.print(f"[red]{escape(finding.check)}[/]: {escape(example)}", soft_wrap=True, highlight=False)
    if wrong:
        console.print(f"[bold red]{len(wrong)} of {len(found)} do not hold.[/]")
    else:
        console.print(f"[bold green]All {len(found)} hold.[/]")
    return 1 if wrong else 0


def _table(name: str, found: list[Finding]) -> Table:
    table = Table(title=f"Audit of {name}", title_justify="left")
    for column in ("check", "found", "goal", "holds"):
        table.add_column(column, overflow="fold")
    for finding in found:
        holds = "[green]yes[/]" if finding.holds else "[bold red]no[/]"
        table.add_row(escape(finding.check), finding.found, finding.goal, holds)
    return table
