"""Write a snapshot in the form that a trainer or a benchmark reads.

For example `export default/latest rl --to rl --check`. `--check` grades what was written, in the sandbox: references
score 1; mutants, empty and raising answers score 0.
"""

import argparse
from pathlib import Path
from typing import Final

from rich.console import Console

from case2code import parts
from case2code.commands._options import positive
from case2code.errors import ConfigurationError
from case2code.exports import SPLITS, Options, export, names
from case2code.exports._check import check
from case2code.snapshot import open_snapshot, open_store

_CHECKED_SAMPLES: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Snapshot, export, folder and options."""
    said = [f"{name}: {(parts.module('exports', name).__doc__ or '').partition(chr(10))[0]}" for name in names()]
    parser.add_argument("snapshot", help="recipe/latest, or recipe/version")
    parser.add_argument("name", choices=names(), metavar="NAME", help=" ".join(said).replace("%", "%%"))
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument("--split", choices=SPLITS, default=None, help="this split alone; default: a file for each")
    parser.add_argument("--mix", type=Path, default=None, metavar="CORPUS.jsonl", help="chat, text: a corpus to mix in")
    parser.add_argument(
        "--ratio", type=float, default=None, metavar="SHARE", help="chat, text: share of samples in the mix"
    )
    parser.add_argument(
        "--check",
        type=positive,
        nargs="?",
        const=_CHECKED_SAMPLES,
        default=0,
        metavar="N",
        help=f"grade the first N samples of each split, {_CHECKED_SAMPLES} where N is not given",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Export, and check if wanted; 1 where an answer gets a wrong score."""
    if arguments.check and arguments.mix is not None:
        raise ConfigurationError("--check grades samples, and a mix has other rows too: check it without --mix")
    snapshot = open_snapshot(open_store(arguments.store), arguments.snapshot)
    options = Options(arguments.split, arguments.mix, arguments.ratio)
    with console.status(f"Exporting {snapshot.name} as {arguments.name} …"):
        rows = export(snapshot, arguments.name, arguments.to, options)
    console.print(f"{rows:,} rows of {snapshot.name} as {arguments.name} → {arguments.to}", highlight=False)
    if not arguments.check:
        return 0
    with console.status("Grading …"):
        checked = check(snapshot, arguments.name, arguments.to, options, arguments.check)
    graded = ", ".join(f"{count:,} {kind}" for kind, count in sorted(checked.counts.items()))
    console.print(f"Graded: {graded}; wrong scores: {len(checked.wrong)}", highlight=False)
    for line in checked.wrong[:20]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if checked.wrong else 0
