"""`python -m case2code COMMAND`: what people do with published snapshots, outside Airflow."""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from rich.console import Console
from rich.markup import escape

from case2code import parts
from case2code.errors import Case2CodeError

_COLUMNS: Final = 120  # where the output goes into a file or a pipe


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A mistake is one line that says what to change."""
    arguments = _parser().parse_args(words)
    console = Console(width=None if sys.stdout.isatty() else _COLUMNS)
    try:
        status: int = arguments.run(arguments, console)
    except KeyboardInterrupt:
        return 130
    except Case2CodeError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m case2code", description=__doc__)
    parser.add_argument(
        "--store", default=None, metavar="S3_ADDRESS", help="where the data is; default: what CASE2CODE_STORE says"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in parts.names(Path(__file__).parent / "commands", ".py"):
        module: ModuleType = import_module(f"case2code.commands.{name}")
        said = (module.__doc__ or "").strip()
        command = commands.add_parser(name, help=said.partition("\n")[0], description=said)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
