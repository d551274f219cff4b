"""Stage `scrape_files`: the Python files of each repository as it was at the end of the day.

Writes one immutable table of `files` for each revision, and the day's `repositories`. A revision that is there
already costs one look-up and no download; its table is read, to see that it is what was written.
"""

import logging
import re
from typing import Any, Final

import pyarrow as pa

from case2code import parts
from case2code.day import Day
from case2code.errors import RepositoryError
from case2code.plan_day import Shard
from case2code.records import FILES, REPOSITORIES
from case2code.sources import BARE, Deployment, Revision, SourceFile
from case2code.store import Store, slug

log = logging.getLogger(__name__)

#: Raise it whenever the same repository gives other rows: other path rules, another reading of a licence.
REVISION: Final = 3

#: First match decides: (rule, what the path looks like).
_PATH_RULES: Final = (
    ("unsafe_path", re.compile(r"(^|/)\.\.(/|$)|^/|[\x00-\x1f\\]")),
    (
        "vendored",
        re.compile(r"(^|/)(_?vendor(ed)?|third_party|site-packages|node_modules|\.?venv|extern(al)?s?|\.eggs|\.tox)/"),
    ),
    (
        "generated",
        re.compile(r"(_pb2(_grpc)?|(^|/)(parse|parser|lex|yacc)tab|(^|/)_version|_rc)\.py$|(^|/)migrations/\d{4}_"),
    ),
    ("test_file", re.compile(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_tests?|conftest)\.py$")),
    ("not_library", re.compile(r"(^|/)(setup|docs?/.*|examples?/.*|benchmarks?/.*|release|noxfile)\.py$|^docs?/")),
)
#: Of these no function is taken, but what they pass to the functions of others is.
_SHOWING: Final = {"test_file", "not_library"}
_MADE_BY: Final = (
    r"@generated\b|\b(auto-?|automatically[ -]|machine[ -]|code )generated\b|\bdo(n't| not) (edit|modify|change)\b"
)
#: What a generator says of its work, in the comments and docstring at the top; or what it names its work.
_GENERATED: Final = re.compile(
    rf"^\s*#.*({_MADE_BY}|\bgenerated (by|from|with)\b)|{_MADE_BY}", re.IGNORECASE | re.MULTILINE
)
_CODE: Final = re.compile(r"^(import|from|def|class|async|if|try|with|for|@)\b|^\w+\s*[:=(]", re.MULTILINE)
_GENERATED_HEAD_CHARS: Final = 1_000
#: A line that nobody wrote by hand; The Stack's own limit.
_MAX_LINE_CHARS: Final = 1_000


def scrape_files(day: Day, shard: Shard, store: Store, deployment: Deployment = BARE) -> dict[str, int]:
    """Read the shard's repositories and write its part of `repositories`; returns counts.

    Raises OutageError where a source or S3 does not answer; a repository that cannot be read is a row.
    """
    rows = []
    for position, repository in shard.members:
        rows.append(_scrape(day, int(position), repository, store, deployment))
        log.info("Scraped %d of %d repositories: %s", len(rows), len(shard.members), _describe(rows[-1]))
    store.write_table(day.table_key("repositories", shard.name), pa.Table.from_pylist(rows, schema=REPOSITORIES))
    return {"repositories": len(rows), "unreadable": sum(row["drop_rule"] is not None for row in rows)}


def _describe(row: dict[str, Any]) -> str:
    if row["drop_rule"]:
        return f"{row['repository']} dropped, {row['drop_rule']}: {row['drop_reason']}"
    return f"{row['repository']} at {row['revision']}"


def _scrape(day: Day, position: int, repository: str, store: Store, deployment: Deployment) -> dict[str, Any]:
    part = day.recipe.sources[position]
    source = parts.module("sources", part.name)
    settings = source.Settings.model_validate(part.settings)
    row: dict[str, Any] = dict.fromkeys(REPOSITORIES.names)
    row |= {"source": part.name, "repository": repository}
    limits = day.recipe.scrape
    try:
        found: Revision = source.revision(repository, day.as_of, settings, deployment)
        row |= {"revision": found.revision, "committed_at": found.committed_at}
        # Limits and revision decide what the table holds, so they are part of its name.
        folder = f"files/{slug(repository)}/{REVISION}-{limits.max_file_kb}-{limits.max_archive_mb}"
        row["files_key"] = f"{folder}/{slug(found.revision)}.parquet"
        if store.find_table(row["files_key"], columns=[]) is None:
            files = source.checkout(found, settings, deployment, limits.max_archive_mb * 1_000_000)
            table = pa.Table.from_pylist([_row(found, file, limits.max_file_kb) for file in files], schema=FILES)
            store.write_table(row["files_key"], table)
    except RepositoryError as error:
        row |= {"files_key": None, "drop_rule": error.rule, "drop_reason": str(error)}
    return row


def _row(revision: Revision, file: SourceFile, max_file_kb: int) -> dict[str, Any]:
    rule, reason, content = _read(file, max_file_kb)
    return {
        "source": revision.source,
        "repository": file.repository or revision.repository,
        "revision": file.revision or revision.revision,
        "committed_at": file.committed_at or revision.committed_at,
        "path": file.path,
        "license": file.license,
        "url": file.url,
        "content": content,
        "drop_rule": rule,
        "drop_reason": reason,
    }


def _read(file: SourceFile, max_file_kb: int) -> tuple[str | None, str | None, str | None]:
    """Rule and reason, or None for both, and the content, which some dropped files keep."""
    for rule, pattern in _PATH_RULES:
        if pattern.search(file.path):
            is_read = rule in _SHOWING and len(file.content) <= max_file_kb * 1_000
            content = file.content.decode("utf-8-sig", "replace") if is_read else None
            return rule, f"the path {file.path[:200]!r} says so", content
    if file.drop_rule:
        return file.drop_rule, file.drop_reason, None
    if len(file.content) > max_file_kb * 1_000:
        return "file_too_large", f"{len(file.content):,} bytes, the limit is {max_file_kb:,} kB", None
    try:
        content = file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return "not_utf8", f"byte {error.start} is {file.content[error.start]:#04x}", None
    if said := _GENERATED.search(_head(content)):
        return "generated", f"it says {said[0].strip()[:80]!r}", None
    longest, number = max((len(line), -n) for n, line in enumerate(content.split("\n"), 1))
    if longest > _MAX_LINE_CHARS:
        return "minified", f"line {-number} has {longest:,} characters, the limit is {_MAX_LINE_CHARS:,}", None
    return None, None, content


def _head(content: str) -> str:
    """What stands before the first code, and where it is a docstring, its begin."""
    head = content[:_GENERATED_HEAD_CHARS]
    code = _CODE.search(head)
    return head[: code.start()] if code else head
