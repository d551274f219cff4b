"""Stage `plan_evaluation`: what is asked about each sample of a split, in shards."""

import logging
import string
from hashlib import sha256
from string import Template
from typing import Any, Final

import pyarrow as pa

from case2code import database, human_eval, parts, values
from case2code.case_formats import session
from case2code.errors import ConfigurationError
from case2code.evaluation import (
    Evaluation,
    Part,
    Settings,
    answers_prefix,
    difficulty_key,
    endpoint_of,
    settings_of,
)
from case2code.models import Tools
from case2code.prompts import call_arguments
from case2code.recipe import Recipe
from case2code.records import DIFFICULTY, QUESTIONS
from case2code.snapshot import Snapshot, open_snapshot
from case2code.store import Store

log = logging.getLogger(__name__)

_PLACEHOLDERS: Final = {"function_name", "cases"}

#: What a function is called where names are hidden; its parameters are a, b, c, ….
HIDDEN_NAME: Final = "function"


def plan_evaluation(snapshot: str, settings: Settings, store: Store, shards: int, tools: Tools) -> list[Part]:
    """Freeze the evaluation, and write its questions; returns the shards that the next stages fan out to.

    `snapshot` is `recipe/version`, `recipe/latest` or `human_eval`. Raises ConfigurationError where there is no such
    snapshot, or nothing in its split and view.
    """
    if snapshot == human_eval.NAME:
        name, settings = human_eval.version(), human_eval.settings_of(settings)
        template = parts.prompt(settings.prompt, human_eval.PLACEHOLDERS, parts.PROMPTS)
        questions = human_eval.questions(settings, template)
    else:
        published = open_snapshot(store, snapshot)
        name = published.name
        template = parts.prompt(settings.prompt, _PLACEHOLDERS, parts.PROMPTS)
        questions = [_question(row, settings, template) for row in _samples(published, settings)]
    evaluation = Evaluation(name, settings, answers_prefix(settings, tools), endpoint_of(settings, tools))
    evaluation.write(store)
    questions = [question | {"prompt_hash": hash_of(question["prompt"])} for question in questions]
    count = min(shards, len(questions))
    planned = [Part(evaluation.prefix, number, count) for number in range(count)]
    for part in planned:
        mine = pa.Table.from_pylist(questions[part.number :: count], QUESTIONS)
        store.write_table(evaluation.key("questions", part.name), mine)
    log.info("%d questions about %s in %d shards → %s", len(questions), name, count, store.uri(part.prefix))
    return planned


def models_of(snapshot: str, store: Store) -> list[Settings]:
    """What the recipe of a published snapshot has evaluated, as it was when that was built.

    Raises ConfigurationError where there is no such snapshot.
    """
    frozen = open_snapshot(store, snapshot).manifest["recipe"]
    if "evaluate" not in frozen:  # from before recipes could say so
        frozen = {"evaluate": [part.model_dump() for part in Recipe.model_fields["evaluate"].default]}
    return [settings_of(part["settings"] | {"model": part["name"]}) for part in frozen["evaluate"]]


def _samples(published: Snapshot, settings: Settings) -> list[dict[str, Any]]:
    store, key = published.store, difficulty_key(published.name)
    with database.connect(store) as connection:
        published.open(connection)
        database.view(connection, "difficulty", store, [key] if store.exists(key) else [], DIFFICULTY)
        chosen = {"split": settings.split, "view": settings.view, "max_samples": settings.limit}
        rows: list[dict[str, Any]] = database.query(connection, "evaluate/questions", **chosen).to_pylist()
    if not rows:
        raise ConfigurationError(
            f"{published.name} has no samples in the split '{settings.split}' and the view '{settings.view}'"
        )
    return rows


def _question(row: dict[str, Any], settings: Settings, template: Template) -> dict[str, Any]:
    """A row of QUESTIONS, but for the hash: the sample under the names that the model is told."""
    names = {name: name for name in row["parameters"]}
    function_name = row["function_name"]
    if settings.names == "hidden":
        names = dict(zip(names, _letters(len(names)), strict=True))
        function_name = HIDDEN_NAME
    positional = [names[name] for name in row["positional_only"]]
    cases = [
        {name: case[name] for name in ("outcome", "value", "comparator", "shown")}
        | {"arguments": _renamed(case["arguments"], names) if settings.names == "hidden" else case["arguments"]}
        for case in row["cases"]
    ]
    shown = "\n".join(_call(function_name, case, positional) for case in cases if case["shown"])
    prompt = template.substitute(function_name=function_name, cases=shown).rstrip() + "\n"
    return {
        "sample_id": row["sample_id"],
        "function_name": function_name,
        "prompt": prompt,
        "parameters": list(names.values()),
        "positional_only": positional,
        "cases": cases,
        "completion": row["completion"],
        "loc": row["loc"],
        "cyclomatic_complexity": row["cyclomatic_complexity"],
        "license": row["license"],
        "origin": row["writer"],
    }


def hash_of(prompt: str) -> str:
    """Key of a prompt in the ledger of answers."""
    return sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _letters(count: int) -> list[str]:
    return [string.ascii_lowercase[n] if n < 26 else f"a{n}" for n in range(count)]


def _renamed(arguments: str, names: dict[str, str]) -> str:
    return values.encode({names[name]: value for name, value in values.parse(arguments).items()})


def _call(name: str, case: dict[str, Any], positional_only: list[str]) -> str:
    """A case as a Python session shows it."""
    arguments = call_arguments(case["arguments"], set(positional_only), {})
    return session.text(name, arguments, case["outcome"], case["value"])
