"""Stage `publish_snapshot`: write, check, publish. A snapshot is complete or absent, and never changes.

Data goes under its final prefix first, then the checks of `include/sql/checks` read it back from there, then one
conditional write of `manifest.json` makes it a snapshot. The version ends in a hash of the data, so equal content is
published once: a night on which nothing changed publishes nothing. `latest.json` follows the newest day, never the
clock (`decisions/0002-snapshots.md`).
"""

import hashlib
import json
import logging
import platform
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import __version__, database, parts, values
from case2code.day import Day
from case2code.errors import CheckError
from case2code.features import clusters
from case2code.recipe import SAMPLE_PLACEHOLDERS
from case2code.records import CASES, FILES, REPOSITORIES, SAMPLES
from case2code.select_cases import open_executions
from case2code.store import Store, to_json, to_parquet
from case2code.write_inputs import functions_left

log = logging.getLogger(__name__)

#: Rows of one Parquet file; part of the content, so never changed lightly.
ROWS_PER_FILE: Final = 100_000
#: Samples that Python holds at once to write their prompts.
_BATCH: Final = 4_096


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of a day: its version, and whether it was new."""

    version: str
    published: bool
    samples: int
    report: dict[str, Any]


def publish_snapshot(day: Day, store: Store) -> Publication:
    """Publish the day's samples, or find that the same content is published already.

    Raises CheckError where there is no sample, or a check fails; nothing is visible then.
    """
    with tempfile.TemporaryDirectory() as spool:
        return _publish(day, store, Path(spool))


def _publish(day: Day, store: Store, spool: Path) -> Publication:
    connection = database.connect(store)
    open_day(connection, day, store)
    report = _report(connection) | {"unwritten": functions_left(connection, day, store)}
    files = _write_files(connection, day, _weakest_isolation(report), spool)
    samples = sum(row["rows"] for row in report["funnel"] if row["stage"] == "samples")
    if not files:
        top = ", ".join(f"{row['dropped']} {row['rule']}" for row in report["drops"][-3:])
        raise CheckError(f"no function of {day.date} became a sample, so nothing is published: {top}")
    content = hashlib.sha256("".join(f"{file['path']} {file['sha256']}\n" for file in files).encode()).hexdigest()
    version = _claim(store, day, content)
    folder = f"{snapshots_prefix(day.recipe.name)}/{version}"
    if not store.exists(f"{folder}/manifest.json"):
        for file in files:
            store.write(f"{folder}/{file['path']}", (spool / file["path"]).read_bytes())
        _check(connection, store, [f"{folder}/{file['path']}" for file in files])
        manifest = _manifest(day, version, files, report)
        for path, text in _documents(connection, day, manifest).items():
            store.write(f"{folder}/{path}", text.encode())
        store.write_if_absent(f"{folder}/manifest.json", to_json(manifest))
    _move_latest(store, day, version)
    # The day's record comes last: until it is there, a publisher that was killed in between has still to say so.
    published = version.startswith(day.date) and _version_of(day, store) != version
    store.write_json(day_key(day.recipe.name, day.date), report | {"version": version, "date": day.date})
    verb = "Published" if published else "Nothing new: the content is that of"
    log.info("%s %s, %d samples → %s", verb, version, samples, store.uri(folder))
    return Publication(version, published, samples, report)


def _version_of(day: Day, store: Store) -> str | None:
    """The version that the day's record names, None before there is one."""
    try:
        record: dict[str, str] = store.read_json(day_key(day.recipe.name, day.date))
    except KeyError:
        return None
    return record["version"]


def snapshots_prefix(name: str) -> str:
    """Where the snapshots of the recipe `name` are."""
    return f"snapshots/{name}"


def day_key(name: str, date: str) -> str:
    """Key of the record of a day: the version that holds for it, its funnel, drops and cost."""
    return f"{snapshots_prefix(name)}/days/{date}.json"


def latest_key(name: str) -> str:
    """Key of the pointer to the newest day's version."""
    return f"{snapshots_prefix(name)}/latest.json"


def open_day(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make every table of the day readable in SQL under its own name."""
    repositories = store.read_table(day.table_key("repositories"))
    files = sorted({key for key in repositories["files_key"].to_pylist() if key})
    database.view(connection, "repositories", store, [day.table_key("repositories")], REPOSITORIES)
    database.view(connection, "files", store, files, FILES)
    open_executions(connection, day, store)
    clusters.view(connection, day.recipe, store)
    database.view(connection, "cases", store, [day.table_key("cases")], CASES)


def _report(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    names = ("funnel", "drops", "cost", "inputs_by_origin", "isolation_runs")
    return {name: database.query(connection, f"report/{name}").to_pylist() for name in names}


def _weakest_isolation(report: dict[str, Any]) -> str | None:
    """The level that holds for all executions of the day; None where there is none."""
    return next((row["isolation"] for row in report["isolation_runs"]), None)


def _write_files(
    connection: duckdb.DuckDBPyConnection, day: Day, isolation: str | None, spool: Path
) -> list[dict[str, Any]]:
    """Write the data files into the folder `spool`, one in memory at a time; returns path, bytes and sha256 of each."""
    settings = day.recipe.split.model_dump() | {
        "isolation": isolation,
        "python_version": platform.python_version(),
    }
    database.create(connection, "unpublished", "select/samples", **settings)
    files = []
    for row in database.query(connection, "select/splits").to_pylist():
        split, total = row["split"], -(-row["samples"] // ROWS_PER_FILE)
        for number in range(total):
            place = {"split": split, "number": ROWS_PER_FILE, "skipped": number * ROWS_PER_FILE}
            batches = database.stream(connection, "select/samples_of_split", SAMPLES, _BATCH, **place)
            data = to_parquet(_with_prompts(batches, day))
            path = f"data/{split}-{number:05d}-of-{total:05d}.parquet"
            (spool / path).parent.mkdir(exist_ok=True)
            (spool / path).write_bytes(data)
            files.append({"path": path, "bytes": len(data), "sha256": _sha256(data)})
    return sorted(files, key=lambda file: str(file["path"]))


def _with_prompts(samples: Iterator[pa.RecordBatch], day: Day) -> pa.Table:
    """The samples with prompt and completion; a batch after the other becomes Python objects."""
    template = parts.prompt(day.recipe.prompt, SAMPLE_PLACEHOLDERS)
    done = []
    for batch in samples:
        prompts = pa.array([_prompt(row, template) for row in batch.to_pylist()], pa.string())
        completions = pa.array([f"```python\n{code}```" for code in batch["code"].to_pylist()], pa.string())
        for name, column in (("prompt", prompts), ("completion", completions)):
            batch = batch.set_column(SAMPLES.get_field_index(name), SAMPLES.field(name), column)
        done.append(batch)
    return pa.Table.from_batches(done).combine_chunks()


def _prompt(sample: dict[str, Any], template: Template) -> str:
    kinds = {parameter["name"]: parameter["kind"] for parameter in sample["parameters"]}
    shown = "\n".join(case_text(sample["function_name"], case, kinds) for case in sample["cases"] if case["shown"])
    return template.substitute(function_name=sample["function_name"], cases=shown).rstrip() + "\n"


def case_text(name: str, case: dict[str, Any], kinds: dict[str, str]) -> str:
    """A case as a Python session shows it.

    >>> case_text("f", {"arguments": "{'x': 1, 'y': 'a'}", "outcome": "returned", "value": "'aa'"}, {})
    ">>> f(x=1, y='a')\\n'aa'"
    """
    arguments = [
        values.encode(value) if kinds.get(parameter) == "POSITIONAL_ONLY" else f"{parameter}={values.encode(value)}"
        for parameter, value in values.parse(case["arguments"]).items()
    ]
    result = f"raises {case['value']}" if case["outcome"] == "raised" else case["value"]
    return f">>> {name}({', '.join(arguments)})\n{result}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _claim(store: Store, day: Day, content: str) -> str:
    """The one version of this content: the first day that had it names it, whoever else builds the same."""
    key = f"{snapshots_prefix(day.recipe.name)}/contents/{content}.json"
    mine = {"version": f"{day.date}-{content[:12]}"}
    if store.write_if_absent(key, to_json(mine)):
        return mine["version"]
    version: str = store.read_json(key)["version"]
    return version


def _check(connection: duckdb.DuckDBPyConnection, store: Store, keys: list[str]) -> None:
    database.view(connection, "samples", store, keys, SAMPLES)
    for name in parts.names(parts.SQL / "checks", ".sql"):
        wrong = database.query(connection, f"checks/{name}").to_pylist()
        if wrong:
            first = wrong[0]
            raise CheckError(f"{len(wrong)} samples fail {name}: {first['sample_id']} {first['reason']}")


def _manifest(day: Day, version: str, files: list[dict[str, Any]], report: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": version,
        "date": day.date,
        "as_of": day.as_of.isoformat(),
        "recipe": day.recipe.model_dump(mode="json"),
        "case2code": __version__,
        "git_commit": _git_commit(),
        "python_version": platform.python_version(),
        "isolation": _weakest_isolation(report),
        "files": files,
        **report,
    }


def _git_commit() -> str | None:
    """Commit of this project, None outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(parts.INCLUDE), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _documents(connection: duckdb.DuckDBPyConnection, day: Day, manifest: dict[str, Any]) -> dict[str, str]:
    """The dataset card and the attribution, from the manifest and the view `samples`."""
    rows = database.query(connection, "report/attribution").to_pylist()
    splits, licenses = Counter[str](), Counter[str]()
    for row in rows:
        splits[row["split"]] += row["samples"]
        licenses[row["license"]] += row["samples"]
    paths: dict[str, list[str]] = {}
    for file in manifest["files"]:
        paths.setdefault(file["path"].removeprefix("data/").partition("-")[0], []).append(file["path"])
    total = sum(splits.values())
    card = Template(parts.text(parts.CARDS, "snapshot", ".md")).substitute(
        name=day.recipe.name,
        version=manifest["version"],
        description=day.recipe.description,
        as_of=f"{day.as_of:%Y-%m-%d %H:%M} UTC",
        samples=total,
        train=splits["train"],
        test=splits["test"],
        size_category=next(name for most, name in _SIZES if total < most),
        data_files="\n".join(
            f"      - {{split: {split}, path: [{', '.join(p)}]}}" for split, p in sorted(paths.items())
        ),
        funnel=_markdown(manifest["funnel"], "stage", "rows"),
        cost=_markdown(
            [row | {"tokens": row["tokens_in"] + row["tokens_out"]} for row in manifest["cost"]],
            *("origin", "functions", "inputs", "tokens", "cost_usd"),
        ),
        inputs_by_origin=_markdown(
            manifest["inputs_by_origin"],
            *("origin", "returned_share", "functions_with_new_lines", "functions_with_new_branches"),
            *("functions_with_new_outputs", "usd_per_new_branch"),
        ),
        unwritten="".join(
            f"- A budget ended the writing: {row['functions']} functions have no inputs from `{row['origin']}`.\n"
            for row in manifest["unwritten"]
        ),
        licenses="\n".join(f"| {_cell(name)} | {count} |" for name, count in licenses.most_common()),
        isolation=manifest["isolation"],
        python_version=manifest["python_version"],
    )
    attribution = Template(parts.text(parts.CARDS, "attribution", ".md")).substitute(
        rows=_markdown(rows, "repository", "revision", "license", "samples", "url")
    )
    return {"README.md": card, "ATTRIBUTION.md": attribution}


_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10**12, "1M<n<10M"),
)


def _markdown(rows: list[dict[str, Any]], *columns: str) -> str:
    return "\n".join(f"| {' | '.join(_cell(row[column]) for column in columns)} |" for row in rows)


def _cell(value: Any) -> str:
    """A value in a Markdown table; names come from outside and must not end the cell or begin HTML."""
    return str(value).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _move_latest(store: Store, day: Day, version: str) -> None:
    """Point `latest.json` at this day's version, unless it points at a newer day."""
    key, pointer = latest_key(day.recipe.name), to_json({"version": version, "date": day.date})
    while True:
        try:
            current, tag = store.read_with_tag(key)
        except KeyError:
            if store.write_if_absent(key, pointer):
                return
            continue
        if json.loads(current)["date"] > day.date or current == pointer or store.replace(key, pointer, tag):
            return
