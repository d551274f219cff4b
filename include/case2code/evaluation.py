"""An evaluation: one model on one split of one snapshot. Everything that it computes is a function of these."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from case2code import parts, sandbox
from case2code.errors import ConfigurationError
from case2code.llm.settings import Prices
from case2code.models import Tools
from case2code.recipe import Section, fingerprint
from case2code.store import Store, slug

#: Raise it whenever the same answer may get another score.
REVISION: Final = 2

#: What the prompts of all sets of questions may say; each set has its own of them.
PLACEHOLDERS: Final = {"function_name", "cases", "stub"}

#: An answer may take more time than the function that it recovers, which had a quarter of a second. One that hangs on
#: two cases has failed, and is not waited for on all.
LIMITS: Final = sandbox.Limits(cpu_seconds=1.0, max_value_chars=4_000, max_timeouts=2)

#: They are about how a run is done, and not about what comes out.
_NOT_IDENTITY: Final = {"concurrency", "usd_per_million", "connection"}


class Asked(Section):
    """How a model is asked, and about what."""

    connection: str = Field("openai_default", pattern=r"^[A-Za-z0-9_.-]{1,100}$", description="of the endpoint")
    mode: Literal["chat", "completion"] = Field("chat", description="completion: for base models")
    split: Literal["train", "test"] = "test"
    view: Literal["relaxed", "strict", "easy", "medium", "hard"] = Field(
        "relaxed", description="of the catalog: relaxed has all samples of the split"
    )
    samples: int = Field(1, ge=1, le=200, description="answers to each question; the k of pass@k")
    names: Literal["shown", "hidden"] = Field("shown", description="hidden: a function of a, b, c, …")
    limit: int | None = Field(None, ge=1, description="so many samples, chosen by a hash; null: all")
    temperature: float | None = Field(0.0, ge=0, le=2, description="null: not sent, for models that refuse it")
    max_tokens: int = Field(1_024, ge=16, le=200_000)
    seed: int | None = Field(1, description="of the first answer, the next ones count on; null: not sent")
    prompt: str = "evaluate"
    concurrency: int = Field(8, ge=1, le=256, description="requests in flight in one task")
    usd_per_million: Prices = Prices()


class Settings(Asked):
    """Which model, how it is asked, and about what."""

    model: str = Field(min_length=1, max_length=200, description="of the endpoint; baseline:search needs none")

    @property
    def family(self) -> str:
        """The module of `models` that answers for this model."""
        prefix = self.model.partition(":")[0]
        return prefix if prefix in parts.names(parts.INCLUDE / "case2code/models", ".py") else "openai"

    @property
    def is_baseline(self) -> bool:
        """Whether nothing is asked of an endpoint, and nothing paid."""
        return self.family == "baseline"


def settings_of(content: dict[str, Any]) -> Settings:
    """Checked settings. Raises ConfigurationError that names every mistake."""
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in error.errors())
        raise ConfigurationError(f"this cannot be evaluated: {told}") from None
    parts.prompt(settings.prompt, PLACEHOLDERS, parts.PROMPTS)
    return settings


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model on one snapshot, `recipe/version`, or on HumanEval.

    `answers` is where the ledger of its answers is; `endpoint` says whose they are.
    """

    snapshot: str
    settings: Settings
    answers: str
    endpoint: str = ""

    @property
    def name(self) -> str:
        """What the model, its endpoint and everything that changes the scores come to."""
        identity = self.settings.model_dump(mode="json", exclude=_NOT_IDENTITY)
        template = parts.prompt(self.settings.prompt, PLACEHOLDERS, parts.PROMPTS).template
        return (
            f"{slug(self.settings.model)}-{fingerprint([REVISION, sandbox.REVISION, self.answers, identity, template])}"
        )

    @property
    def folder(self) -> str:
        """Where all evaluations of the snapshot are."""
        return folder_of(self.snapshot)

    @property
    def prefix(self) -> str:
        """Where this one's tables are; a run of it overwrites them and nothing else."""
        return f"{self.folder}/{self.name}"

    def key(self, table: str, shard: str) -> str:
        """Key of the part of a table that belongs to one shard."""
        return f"{self.prefix}/{table}/{shard}.parquet"

    def write(self, store: Store) -> None:
        """Freeze what this run evaluates, for all its tasks."""
        plan = {
            "snapshot": self.snapshot,
            "settings": self.settings.model_dump(mode="json"),
            "answers": self.answers,
            "endpoint": self.endpoint,
        }
        store.write_json(f"{self.prefix}/plan.json", plan)

    @classmethod
    def read(cls, store: Store, prefix: str) -> "Evaluation":
        """The evaluation that `plan_evaluation` wrote under `prefix`."""
        plan = store.read_json(f"{prefix}/plan.json")
        return cls(plan["snapshot"], Settings.model_validate(plan["settings"]), plan["answers"], plan["endpoint"])


def answers_prefix(settings: Settings, tools: Tools) -> str:
    """Where the answers of one model are: its endpoint and everything that changes them is in the name."""
    identity = parts.module("models", settings.family).identity(settings, tools)
    return f"answers/{slug(settings.model)}-{fingerprint(identity)}"


def endpoint_of(settings: Settings, tools: Tools) -> str:
    """Who answers for the model, for people; empty where nobody is asked."""
    found: str = parts.module("models", settings.family).endpoint(settings, tools)
    return found


def folder_of(snapshot: str) -> str:
    """Where the evaluations of a snapshot, `recipe/version`, are."""
    return f"evaluations/{snapshot}"


def leaderboard_key(snapshot: str) -> str:
    """Key of the table of a snapshot's evaluations (records.LEADERBOARD)."""
    return f"{folder_of(snapshot)}/leaderboard.parquet"


def difficulty_key(snapshot: str) -> str:
    """Key of the table of how hard a snapshot's samples are (records.DIFFICULTY)."""
    return f"{folder_of(snapshot)}/difficulty.parquet"


@dataclass(frozen=True, slots=True)
class Part:
    """One shard of an evaluation's questions."""

    prefix: str
    number: int
    count: int

    @property
    def name(self) -> str:
        """The number, of how many: another run of the evaluation may have cut its questions otherwise."""
        return f"{self.number:04d}-of-{self.count:04d}"

    def to_dict(self) -> dict[str, Any]:
        return {"prefix": self.prefix, "number": self.number, "count": self.count}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Part":
        return cls(content["prefix"], content["number"], content["count"])
