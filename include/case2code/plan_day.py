"""First stage: which repositories the day reads, split into shards."""

from dataclasses import asdict, dataclass
from typing import Any

from case2code import parts
from case2code.day import Day
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

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Shard":
        members = tuple((a, b) for a, b in content["members"])
        return cls(content["prefix"], content["number"], content["count"], members)


def plan_day(day: Day, store: Store, shards: int) -> list[Shard]:
    """Write the frozen recipe; return at most `shards` shares of (source part of the recipe, repository)."""
    day.write(store)
    members = [
        (str(position), repository)
        for position, part in enumerate(day.recipe.sources)
        for repository in _repositories(part.name, part.settings)
    ]
    return split(day.prefix, members, shards)


def split(prefix: str, members: list[tuple[str, str]], shards: int) -> list[Shard]:
    """Deal `members` out to at most `shards` shares; how they are dealt changes no result."""
    count = max(1, min(shards, len(members)))
    return [Shard(prefix, number, count, tuple(members[number::count])) for number in range(count)]


def _repositories(source: str, settings: dict[str, Any]) -> list[str]:
    module = parts.module("sources", source)
    names: list[str] = module.repositories(module.Settings.model_validate(settings))
    return names
