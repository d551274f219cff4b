"""A day: the unit of work. Everything that a run computes is a function of the day and the recipe."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from case2code.recipe import Recipe
from case2code.store import Store


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one recipe. `as_of` is the midnight (UTC) that ends it: sources are read as they were then."""

    as_of: datetime
    recipe: Recipe

    @classmethod
    def at(cls, as_of: datetime, recipe: Recipe) -> "Day":
        """The day that ended last at `as_of`, which must have a time zone."""
        return cls(as_of.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0), recipe)

    @property
    def date(self) -> str:
        """ISO date of the day itself, '2026-11-19' for the one that ends at midnight on the 20th."""
        return (self.as_of - timedelta(days=1)).date().isoformat()

    @property
    def prefix(self) -> str:
        """Where the day's own tables are; a run of the day overwrites them and nothing else."""
        return f"days/{self.recipe.name}/{self.date}/{self.recipe.fingerprint}"

    def table_key(self, stage: str, shard: str = "all") -> str:
        """Key of the table that `stage` writes for this day, in one part for each shard."""
        return f"{self.prefix}/{stage}/{shard}.parquet"

    @classmethod
    def read(cls, store: Store, prefix: str) -> "Day":
        """The day that `plan_day` wrote under `prefix`."""
        plan = store.read_json(f"{prefix}/plan.json")
        return cls(datetime.fromisoformat(plan["as_of"]), Recipe.model_validate(plan["recipe"]))

    def write(self, store: Store) -> None:
        """Freeze the recipe for this run: a later edit of the file changes no task that is under way."""
        plan = {"as_of": self.as_of.isoformat(), "recipe": self.recipe.model_dump(mode="json")}
        store.write_json(f"{self.prefix}/plan.json", plan)
