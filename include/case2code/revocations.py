"""What must not be published any more: tombstones of repositories, licences and functions, with reasons.

A tombstone is an object of its own under `revocations/`, created once and never changed or deleted. It holds for every
day that is built from then on, also for one of the past.
"""

import hashlib
import logging
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import duckdb
import pyarrow as pa

from case2code import database
from case2code.errors import ConfigurationError
from case2code.store import Store, to_json

log = logging.getLogger(__name__)

KINDS: Final = ("repository", "license", "function")
REVOCATIONS: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
        ("revoked_at", pa.timestamp("us", tz="UTC")),
    ]
)

_PREFIX: Final = "revocations"
_FUNCTION: Final = re.compile(r"[0-9a-f]{32}")
_MAX_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Revocation:
    """A tombstone: `value` is the repository as the data names it, the SPDX id of a licence, or a function_id."""

    kind: str
    value: str
    reason: str
    revoked_at: datetime

    @property
    def key(self) -> str:
        """Its place: the same thing is revoked once, whoever asks for it."""
        return f"{_PREFIX}/{self.kind}-{hashlib.sha256(self.value.encode()).hexdigest()[:32]}.json"


def revoke(store: Store, kind: str, value: str, reason: str, now: datetime) -> bool:
    """Write the tombstone; False where there is one already, which keeps its reason.

    Raises ConfigurationError where that is nothing that can be revoked, or no reason is given.
    """
    value, reason = value.strip(), reason.strip()
    if kind not in KINDS:
        raise ConfigurationError(f"cannot revoke a '{kind}'; known are: {', '.join(KINDS)}")
    if not value or len(value) > _MAX_CHARS or (kind == "function" and not _FUNCTION.fullmatch(value)):
        raise ConfigurationError(f"cannot revoke the {kind} '{value[:100]}': that is no {_FORMS[kind]}")
    if not reason or len(reason) > _MAX_CHARS:
        raise ConfigurationError(f"revoking {value} needs a reason of 1 to {_MAX_CHARS} characters: it is published")
    tombstone = Revocation(kind, value, reason, now.astimezone(UTC))
    content = asdict(tombstone) | {"revoked_at": tombstone.revoked_at.isoformat()}
    if not store.write_if_absent(tombstone.key, to_json(content)):
        log.info("The %s %s is revoked already", kind, value)
        return False
    log.info("Revoked the %s %s: %s → %s", kind, value, reason, store.uri(tombstone.key))
    return True


_FORMS: Final = {
    "repository": "name of a repository, as the column `repository` has it",
    "license": "SPDX identifier, as the column `license` has it",
    "function": "function_id of 32 hex digits",
}


def revocations(store: Store) -> list[Revocation]:
    """All tombstones, in the order in which they were written."""
    found = [store.read_json(key) for key in store.keys(f"{_PREFIX}/")]
    return sorted(
        (Revocation(**row | {"revoked_at": datetime.fromisoformat(row["revoked_at"])}) for row in found),
        key=lambda one: (one.revoked_at, one.key),
    )


def view(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    """Make the tombstones readable in SQL as `revocations`."""
    rows = [asdict(one) for one in revocations(store)]
    database.table(connection, "revocations", pa.Table.from_pylist(rows, REVOCATIONS))
