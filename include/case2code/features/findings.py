"""Feature `findings`: secrets and personal data in the text of a function, comments and docstring included.

Secrets are what the detectors of detect-secrets find, and public IP addresses; telephone numbers are found by Google's
library; e-mail addresses by a pattern. Nothing of what is found is stored but its length.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import phonenumbers
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters.heuristic import is_sequential_string
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
from detect_secrets.plugins.ip_public import IPPublicDetector

from case2code import database, features
from case2code.ledger import Ledger
from case2code.recipe import Recipe, fingerprint
from case2code.records import FINDINGS
from case2code.store import Store

#: Raise it whenever the same text may give other findings.
REVISION: Final = 1

_CLASSES: Final[dict[str, Any]] = get_mapping_from_secret_type_to_class()
_DETECTORS: Final = [_CLASSES[name]() for name in sorted(_CLASSES)]
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
#: Reserved for examples by RFC 2606 and RFC 6761.
_EXAMPLE_DOMAIN: Final = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost)$|(?:^|[@.])example\.(?:com|net|org)$")
#: Masks, the address of every interface and public name servers are nobody's.
_NOBODY: Final = re.compile(r"0\.0\.0\.0|255\.255\.(?:255|0)\.\d+|(?:8\.8\.8\.8|8\.8\.4\.4|1\.1\.1\.1)")


def ledger(store: Store) -> Ledger:
    return Ledger(store, f"findings/{fingerprint([REVISION])}", FINDINGS, ["text_id"])


def open_table(connection: duckdb.DuckDBPyConnection, recipe: Recipe, store: Store) -> None:
    """Make `findings` readable in SQL, after the texts that are new are searched."""
    mine = ledger(store)
    features.fill(connection, mine, "features/create_unseen_texts", _rows)
    database.view(connection, "findings", store, mine.objects(), FINDINGS)


def _rows(texts: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"text_id": text_id, "findings": find(code)} for text_id, code in texts]


def find(text: str) -> list[dict[str, str]]:
    """What is secret or personal in `text`: kind, detector and length, sorted.

    >>> find("ADMIN = 'jane.roe@acme.io'")
    [{'kind': 'personal', 'detector': 'e-mail address', 'shown': 'of 16 characters'}]
    """
    found = {(kind, detector, f"of {len(value)} characters") for kind, detector, value in _found(text)}
    return [{"kind": kind, "detector": detector, "shown": shown} for kind, detector, shown in sorted(found)]


def _found(text: str) -> Iterator[tuple[str, str, str]]:
    for detector in _DETECTORS:
        # Not `analyze_line`: with the library's default settings it may ask the service whether the secret is valid.
        for value in detector.analyze_string(text):
            if isinstance(detector, IPPublicDetector):
                if not _NOBODY.match(value):
                    yield "personal", "public IP address", value
            elif not isinstance(detector, HighEntropyStringsPlugin) or (
                detector.calculate_shannon_entropy(value) > detector.entropy_limit and not is_sequential_string(value)
            ):
                yield "secret", detector.secret_type, value
    for match in _EMAIL.finditer(text):
        if not _EXAMPLE_DOMAIN.search(match[0].lower()):
            yield "personal", "e-mail address", match[0]
    if "+" in text:
        for phone in phonenumbers.PhoneNumberMatcher(text, None):
            yield "personal", "telephone number", phone.raw_string
