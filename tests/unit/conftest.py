"""Three small repositories that change from day to day, for the tests that run whole days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.git_repository import LICENSED, GitRepository
from case2code.store import Store

DOUBLE = "def double(n: int):\n    return 2 * n\n"
SHOUT = "def shout(text: str):\n    return text.upper() + '!'\n"
SIGN = "def sign(n: int):\n    if n < 0:\n        return -1\n    return 1 if n else 0\n"
TOTAL = "def total(numbers: list[int]):\n    return sum(n for n in numbers if n > 0)\n"


@dataclass(frozen=True)
class Repositories:
    """Day 1 (2026-03-01) has double, shout and total; day 2 adds sign; on day 3 shout goes; day 4 brings nothing."""

    numbers: GitRepository
    texts: GitRepository

    @property
    def urls(self) -> list[str]:
        return [self.numbers.url, self.texts.url]


def noon(day: int) -> datetime:
    return datetime(2026, 3, day, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    folder: Path = tmp_path_factory.mktemp("repositories")
    numbers, texts = GitRepository(folder / "numbers"), GitRepository(folder / "texts")
    numbers.commit(noon(1), {"pyproject.toml": LICENSED, "numbers.py": DOUBLE, "copy/total.py": TOTAL})
    texts.commit(noon(1), {"pyproject.toml": LICENSED, "texts.py": SHOUT, "total.py": TOTAL, "old.py": "print 'x'\n"})
    numbers.commit(noon(2), {"sign.py": "\n\n" + SIGN})
    texts.commit(noon(3), {"texts.py": "x = 1\n"})
    return Repositories(numbers, texts)


@pytest.fixture
def beside(store: Store) -> Callable[[str], Store]:
    """Other empty stores on the same server, by name."""
    return lambda name: Store(store.client, store.bucket, f"{store.prefix}-{name}", store.access)
