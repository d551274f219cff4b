"""First stage: which repositories the day reads, split into shards.

Sources that list (an organisation, a pattern) answer another time with other names, so the first run of a day
writes down what they said, and every later one reads that.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from case2code import parts
from case2code.day import Day
from case2code.errors import ConfigurationError
from case2code.recipe import Part
from case2code.sources import BARE, Deployment
from case2code.store import Store


@dataclass(frozen=True, slots=True)
class Shard:
    """Share number `number` of `count`: some repositories of a day, or some buckets of its functions."""

    prefix: str
    number: int
    count: int
    members: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return f"{self.number:03d}-of-{self.count:03d}"

    @property
    def buckets(self) -> list[str]:
        """The buckets of the ledgers that a share of functions is."""
        return [bucket for bucket, _ in self.members]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Shard":
        members = tuple((a, b) for a, b in content["members"])
        return cls(content["prefix"], content["number"], content["count"], members)


def plan_day(day: Day, store: Store, shards: int, deployment: Deployment = BARE) -> list[Shard]:
    """Write the frozen recipe; return at most `shards` shares of (source part of the recipe, repository).

    Raises ConfigurationError for a day that is not over: `latest` would point into the future for ever.
    """
    if day.as_of > datetime.now(UTC):
        raise ConfigurationError(f"{day.date} is not over yet (UTC), so nobody can say what its sources were")
    day.write(store)
    key = f"{day.prefix}/repositories.json"
    try:
        listed = store.read_json(key)
    except KeyError:
        listed = [_repositories(part, day, deployment) for part in day.recipe.sources]
        store.write_json(key, listed)
    members = [(str(position), repository) for position, names in enumerate(listed) for repository in names]
    return split(day.prefix, members, shards)


def split(prefix: str, members: list[tuple[str, str]], shards: int) -> list[Shard]:
    """Deal `members` out to at most `shards` shares; how they are dealt changes no result."""
    count = max(1, min(shards, len(members)))
    return [Shard(prefix, number, count, tuple(members[number::count])) for number in range(count)]


def _repositories(part: Part, day: Day, deployment: Deployment) -> list[str]:
    module = parts.module("sources", part.name)
    names: list[str] = module.repositories(day.as_of, module.Settings.model_validate(part.settings), deployment)
    return names
