"""A training: one model tuned on the train split of one snapshot, at an endpoint with OpenAI's fine-tuning API.

The two strategies of the paper (arXiv 2407.12504): direct fine-tuning on the samples, and a mix with a second corpus.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from case2code import evaluation, human_eval
from case2code.errors import ConfigurationError
from case2code.llm.budget import Run
from case2code.llm.settings import Prices
from case2code.recipe import Section, fingerprint
from case2code.store import Store

#: Raise it whenever the same file and settings would be trained in another way.
REVISION: Final = 1

#: What both models are asked about: the snapshot's held-out split, and HumanEval.
SETS: Final = ("held_out", human_eval.NAME)
MODELS: Final = ("base", "tuned")

#: How both models are evaluated.
_ASKED: Final = {"samples", "temperature", "max_tokens", "names", "limit"}


class Settings(Section):
    """Which model, how it is trained, on what beside the samples, and how both models are evaluated."""

    model: str = Field(min_length=1, max_length=200, description="the base model's name at the endpoint")
    connection: str = Field("openai_default", pattern=r"^[A-Za-z0-9_.-]{1,100}$", description="of the endpoint")
    # Never left to the endpoint: it is a factor of the price.
    epochs: int = Field(3, ge=1, le=50, description="times that the model sees every example")
    learning_rate_multiplier: float | None = Field(None, gt=0, le=100, description="null: the endpoint chooses")
    batch_size: int | None = Field(None, ge=1, le=256, description="null: the endpoint chooses")
    seed: int = Field(1, ge=0, le=2**31 - 1)
    mix: str | None = Field(None, max_length=1_000, description="a corpus of chat messages, path or s3://; null: none")
    ratio: float | None = Field(None, gt=0, lt=1, description="with a mix: the share of samples in it")
    usd_per_million_trained: float | None = Field(None, ge=0, description="tokens trained on, in all epochs")
    usd_per_million: Prices = Field(Prices(), description="of the base model's answers")
    tuned_usd_per_million: Prices = Field(Prices(), description="of the tuned model's answers")
    samples: int = Field(1, ge=1, le=200, description="answers to each question")
    temperature: float | None = Field(0.0, ge=0, le=2)
    max_tokens: int = Field(1_024, ge=16, le=200_000)
    names: Literal["shown", "hidden"] = Field("shown", description="in the questions about the held-out split")
    limit: int | None = Field(None, ge=1, description="so many questions of each set; null: all")

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """As the API calls them."""
        found = {"n_epochs": self.epochs}
        chosen = {"learning_rate_multiplier": self.learning_rate_multiplier, "batch_size": self.batch_size}
        return found | {name: value for name, value in chosen.items() if value is not None}

    def require_prices(self) -> None:
        """Raises ConfigurationError where a limit of cost could not be kept, before anything is paid."""
        prices = {
            "usd_per_million_trained": self.usd_per_million_trained is not None,
            "usd_per_million": self.usd_per_million != Prices(),
            "tuned_usd_per_million": self.tuned_usd_per_million != Prices(),
        }
        missing = [name for name, is_said in prices.items() if not is_said]
        if missing:
            raise ConfigurationError(f"there is a limit of cost, but nobody said what it costs: set {missing[0]}")


def settings_of(content: dict[str, Any]) -> Settings:
    """Checked settings. Raises ConfigurationError that names every mistake."""
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in error.errors())
        raise ConfigurationError(f"this cannot be trained: {told}") from None
    if (settings.mix is None) != (settings.ratio is None):
        raise ConfigurationError("a mix takes both: mix, the corpus, and ratio, the share of samples")
    return settings


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """What is trained on; `most_tokens` is a bound for one epoch: no tokenizer makes more tokens than bytes.

    `benchmark_twins` samples of the train split are not in it, because they compute what a benchmark asks for.
    """

    key: str
    sha256: str
    bytes: int
    examples: int
    mixed_in: int
    most_tokens: int
    corpus_sha256: str | None = None
    benchmark_twins: int = 0


@dataclass(frozen=True, slots=True)
class Training:
    """One training of one snapshot, `recipe/version`, at one endpoint; frozen by `prepare_training`."""

    snapshot: str
    endpoint: str
    settings: Settings
    file: TrainingFile

    @property
    def job(self) -> str:
        """Name of the job that is paid for: what changes the tuned model, and nothing else."""
        settings = self.settings
        identity = [REVISION, self.endpoint, settings.model, settings.hyperparameters, settings.seed, self.file.sha256]
        return fingerprint(identity)

    @property
    def folder(self) -> str:
        """Where all trainings of the recipe are."""
        return folder_of(self.snapshot)

    @property
    def prefix(self) -> str:
        """Where this one's plan and report are: the job, and how its model is evaluated."""
        asked = self.settings.model_dump(mode="json", include=_ASKED)
        return f"{self.folder}/{fingerprint([self.snapshot, self.job, evaluation.REVISION, asked])}"

    @property
    def job_key(self) -> str:
        """The record of the job."""
        return f"{self.folder}/jobs/{self.job}.json"

    @property
    def most_usd(self) -> float:
        """What training can cost at most."""
        return self.usd(self.file.most_tokens * self.settings.epochs)

    def usd(self, tokens: int) -> float:
        """Price of so many tokens trained on."""
        return tokens * (self.settings.usd_per_million_trained or 0.0) / 1_000_000

    def require_affordable(self, run: Run) -> None:
        """Raises ConfigurationError where training may cost more than the run may spend."""
        if run.max_cost_usd is not None and self.most_usd > run.max_cost_usd:
            raise ConfigurationError(
                f"training {self.settings.model} may cost ${self.most_usd:.2f}, more than max_cost_usd, "
                f"${run.max_cost_usd:.2f}: at most {self.file.most_tokens:,} tokens of {self.file.examples:,} examples "
                f"in each of {self.settings.epochs} epochs. Raise the limit, lower epochs, or take a smaller snapshot; "
                "nothing was uploaded"
            )

    def shares(self, run: Run, paid_usd: float) -> list[tuple[str, str, Run]]:
        """The four evaluations, of SETS and MODELS, each with its part of what the run may still spend."""
        pairs = [(questions, model) for questions in SETS for model in MODELS]
        left = None if run.max_cost_usd is None else max(0.0, run.max_cost_usd - paid_usd)
        rest = replace(run, max_cost_usd=left)
        return [(*pair, rest.share(number, len(pairs))) for number, pair in enumerate(pairs)]

    def evaluation_of(self, questions: str, model: str, tuned_model: str) -> tuple[str, evaluation.Settings]:
        """What is asked, and how, to compare: `questions` is one of SETS, `model` one of MODELS."""
        settings = self.settings
        is_tuned = model == "tuned"
        content = settings.model_dump(include=_ASKED | {"connection"}) | {
            "model": tuned_model if is_tuned else settings.model,
            "names": settings.names if questions == "held_out" else "shown",
            "usd_per_million": settings.tuned_usd_per_million if is_tuned else settings.usd_per_million,
        }
        return self.snapshot if questions == "held_out" else questions, evaluation.settings_of(content)

    def write(self, store: Store) -> None:
        """Freeze it, for all tasks of the run."""
        store.write_json(
            f"{self.prefix}/plan.json",
            {
                "snapshot": self.snapshot,
                "endpoint": self.endpoint,
                "settings": self.settings.model_dump(mode="json"),
                "file": asdict(self.file),
            },
        )

    @classmethod
    def read(cls, store: Store, prefix: str) -> "Training":
        """The training that `prepare_training` wrote under `prefix`."""
        plan = store.read_json(f"{prefix}/plan.json")
        settings, file = Settings.model_validate(plan["settings"]), TrainingFile(**plan["file"])
        return cls(plan["snapshot"], plan["endpoint"], settings, file)


def folder_of(snapshot: str) -> str:
    """Where the trainings of the recipe of a snapshot, `recipe/version`, are."""
    return f"trainings/{snapshot.partition('/')[0]}"


def files_of(store: Store, snapshot: str) -> list[str]:
    """Keys of the files that were made of this snapshot, `recipe/version`, and of no other."""
    plans = [store.read_json(key) for key in store.keys(f"{folder_of(snapshot)}/") if key.endswith("/plan.json")]
    others = {plan["file"]["key"] for plan in plans if plan["snapshot"] != snapshot}
    return sorted({plan["file"]["key"] for plan in plans if plan["snapshot"] == snapshot} - others)
