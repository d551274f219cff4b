"""`python -m case2code_embedded run | up | duckdb | case2code | airflow`: what the Makefile calls."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from dotenv import load_dotenv
from rich.console import Console

from case2code import database, parts
from case2code.catalog import attachment, catalog_key
from case2code.commands._options import count, usd
from case2code.errors import ConfigurationError, OutageError
from case2code.recipe import load_recipe
from case2code.store import Store
from case2code_embedded.airflow_server import DAG, MAINTENANCE, AirflowClient
from case2code_embedded.command import complete_day, end_well, latest_complete_day, recipe_for_tasks
from case2code_embedded.object_store import start_object_store
from case2code_embedded.refresh import run_refresh, show_estimate, show_result
from case2code_embedded.servers import start_servers
from case2code_embedded.stack import ENVIRONMENT_FILE, PROJECT, USER, is_up, open_stack

FOLDER: Final = Path(os.environ.get("CASE2CODE_HOME", PROJECT / "var"))


def main() -> int:
    load_dotenv(PROJECT / ".env")
    arguments = _arguments()
    return end_well(lambda console: arguments.call(arguments, console))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m case2code_embedded", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    recipes = ", ".join(parts.names(parts.RECIPES, ".yaml"))
    run = commands.add_parser("run", help="start the stack, refresh one day, print what came of it, and stop")
    run.add_argument("--recipe", default="default", help=f"a name ({recipes}), or the path of a YAML file")
    run.add_argument(
        "--day", type=complete_day, default=None, metavar="YYYY-MM-DD", help="default: the latest complete day (UTC)"
    )
    run.add_argument("--max-cost-usd", type=usd, default=None, metavar="N", help="end the LLM's writing before it")
    run.add_argument(
        "--max-requests", type=count, default=None, metavar="N", help="end the LLM's writing after so many"
    )
    run.add_argument("--dry-run", action="store_true", help="only estimate what the LLM's inputs would cost")
    run.set_defaults(call=_run)
    up = commands.add_parser("up", help="start the stack with the UI and the nightly schedule, until Ctrl-C")
    up.set_defaults(call=_up)
    sql = commands.add_parser("duckdb", help="open the duckdb program on the data, or run one statement")
    sql.add_argument("sql", nargs="?", default=None)
    sql.add_argument("--recipe", default="default", help="whose catalog is attached as 'catalog', where there is one")
    sql.set_defaults(call=_duckdb)
    # Nothing that follows is an option of ours, --help neither: it is for the program that is called.
    domain = commands.add_parser(
        "case2code", prefix_chars="\0", add_help=False, help="run a command of 'python -m case2code' on the data"
    )
    domain.add_argument("command", nargs=argparse.REMAINDER)
    domain.set_defaults(call=_case2code)
    airflow = commands.add_parser(
        "airflow", prefix_chars="\0", add_help=False, help="run an airflow command against the stack that 'up' started"
    )
    airflow.add_argument("command", nargs=argparse.REMAINDER)
    airflow.set_defaults(call=_airflow)
    return parser.parse_args()


def _run(arguments: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    recipe = load_recipe(arguments.recipe)
    name = recipe_for_tasks(arguments.recipe)
    day = arguments.day or latest_complete_day()
    with open_stack(FOLDER) as stack:
        start_servers(
            stack, console, llm=any(parts.module("writers", writer.name).USES_LLM for writer in recipe.writers)
        )
        client = AirflowClient(stack)
        console.print(
            f"Airflow is up after {time.monotonic() - began:.0f} s; refreshing [bold]{day:%Y-%m-%d}[/] "
            f"with the recipe [bold]{recipe.name}[/]",
            highlight=False,
        )
        try:
            tasks = run_refresh(client, stack, day, _params(name, arguments), console)
        finally:
            with contextlib.suppress(OutageError):  # an Airflow that has ended must not hide why
                client.pause(True)
        if arguments.dry_run:
            show_estimate(tasks, console)
        else:
            show_result(_open_store(stack.environment), recipe.name, day, tasks, console)
    console.print(
        f"Elapsed: {time.monotonic() - began:.0f} s. Everything is stopped; the data is in {FOLDER}.", highlight=False
    )
    console.print("Open the UI, with the nightly schedule: [bold]make up[/]    Query the data: [bold]make duckdb[/]")
    return 0


def _params(recipe: str, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "max_cost_usd": arguments.max_cost_usd,
        "max_requests": arguments.max_requests,
        "dry_run": arguments.dry_run,
    }


def _up(arguments: argparse.Namespace, console: Console) -> NoReturn:
    with open_stack(FOLDER, nightly=True) as stack:
        start_servers(stack, console)
        client = AirflowClient(stack)
        for dag in (DAG, MAINTENANCE):
            client.pause(False, dag)
        console.print(
            f"Airflow UI: [bold]{stack.ui}[/]  user [bold]{USER}[/]  password [bold]{stack.keys['password']}[/]",
            highlight=False,
        )
        console.print(
            "The refresh runs every night at 00:00 UTC, maintenance once a week. Ctrl-C stops all; the data stays."
        )
        while True:
            for name in stack.children.restart_ended():
                console.print(f"[yellow]{name} ended; it is started again[/] (log: {stack.folder / 'logs'})")
            time.sleep(1)


def _open_store(environment: dict[str, str]) -> Store:
    """The store that the stack's tasks use, opened in this process and without Airflow's log lines."""
    os.environ.update(environment | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"})
    from case2code_airflow.connections import open_store

    return open_store()


def _duckdb(arguments: argparse.Namespace, console: Console) -> int:
    """The plain duckdb program, with httpfs and the store's key; starts the S3 server where none is up."""
    program = shutil.which("duckdb", path=str(Path(sys.executable).parent))
    if program is None:
        raise ConfigurationError(
            "the program 'duckdb' is not in the virtual environment: run 'make clean' and try again"
        )
    with _environment_with_store() as environment:
        return _duckdb_with(program, environment, arguments.sql, arguments.recipe)


def _case2code(arguments: argparse.Namespace, console: Console) -> int:
    """A command of the domain, with the store's keys as boto3 finds them; starts the S3 server where none is up."""
    with _environment_with_store() as environment:
        access = _open_store(environment).access
        keys = {
            "AWS_ENDPOINT_URL": access.endpoint_url,
            "AWS_REGION": access.region,
            "AWS_ACCESS_KEY_ID": access.key_id,
            "AWS_SECRET_ACCESS_KEY": access.secret,
            "AWS_SESSION_TOKEN": access.token,
        }
        given = {name: value for name, value in keys.items() if value}
        command = [sys.executable, "-m", "case2code", *arguments.command]
        return subprocess.run(command, env=environment | given, check=False).returncode


@contextlib.contextmanager
def _environment_with_store() -> Iterator[dict[str, str]]:
    """The environment of the stack that is up, or of an S3 server that is started for as long as it is needed."""
    if is_up(FOLDER):
        yield _environment_of_running_stack()
        return
    with open_stack(FOLDER) as stack:
        if stack.embeds_s3:
            start_object_store(stack)
        yield stack.environment


def _duckdb_with(program: str, environment: dict[str, str], sql: str | None, recipe: str) -> int:
    store = _open_store(environment)
    name = load_recipe(recipe).name if recipe.endswith((".yaml", ".yml")) else recipe
    attach = ""
    if store.exists(catalog_key(name)):
        attach = f"{attachment(store, name)}\n"
    else:
        there = sorted({key.split("/")[1] for key in store.keys("snapshots/") if key.endswith("/catalog.duckdb")})
        sys.stderr.write(
            f"Nothing is published of '{name}', so there is no catalog; of: {', '.join(there) or 'nothing yet'}\n"
        )
    with tempfile.NamedTemporaryFile("w", dir=FOLDER, suffix=".sql") as setup:  # it holds the key; mode 0600
        setup.write(f".output /dev/null\n{database.setup(store)}{attach}.output\n")
        setup.flush()
        command = [program, "-init", setup.name, *(["-c", sql] if sql else [])]
        return subprocess.run(command, check=False).returncode


def _environment_of_running_stack() -> dict[str, str]:
    if not is_up(FOLDER):
        raise ConfigurationError("no stack is up: run 'make up' in another terminal first")
    return {**os.environ, **json.loads((FOLDER / ENVIRONMENT_FILE).read_text())}


def _airflow(arguments: argparse.Namespace, console: Console) -> int:
    command = [str(Path(sys.executable).parent / "airflow"), *arguments.command]
    return subprocess.run(command, env=_environment_of_running_stack(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
