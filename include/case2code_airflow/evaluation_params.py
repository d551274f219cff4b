"""The trigger form of an evaluation."""

from typing import Any, Final

_PRICE: Final[dict[str, Any]] = {"default": None, "type": ["null", "number"], "minimum": 0, "maximum": 10_000}

#: Arguments of `Param` by name, in the order of the form.
PARAMS: Final[dict[str, dict[str, Any]]] = {
    "model": {
        "default": None,
        "type": ["null", "string"],
        "minLength": 1,
        "maxLength": 200,
        "title": "Model",
        "description": "Name at the endpoint, or baseline:search, which needs none. Empty: the models that the "
        "snapshot's recipe names, asked as it says and not as this form does.",
    },
    "connection": {
        "default": "openai_default",
        "type": "string",
        "pattern": "^[A-Za-z0-9_.-]{1,100}$",
        "title": "Connection",
        "description": "Airflow connection of the endpoint.",
    },
    "mode": {
        "default": "chat",
        "type": "string",
        "enum": ["chat", "completion"],
        "title": "Mode",
        "description": "Completion is for base models, which only go on with a text.",
    },
    "snapshot": {
        "default": None,
        "type": ["null", "string"],
        "maxLength": 100,
        "title": "Snapshot",
        "description": "For example default/latest, or human_eval; empty: the one just published, else default/latest.",
    },
    "split": {
        "default": "test",
        "type": "string",
        "enum": ["test", "train"],
        "title": "Split",
        "description": "The held-out one, but for checks of what was learnt.",
    },
    "view": {
        "default": "relaxed",
        "type": "string",
        "enum": ["relaxed", "strict", "easy", "medium", "hard"],
        "title": "View",
        "description": "Of the catalog: relaxed has all samples of the split, strict those without a doubt; easy, "
        "medium and hard are bands of what was evaluated before.",
    },
    "samples": {
        "default": 1,
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "title": "Answers to each question",
        "description": "The largest k of pass@k; with more than one, set a temperature above 0.",
    },
    "temperature": {
        "default": 0.0,
        "type": ["null", "number"],
        "minimum": 0,
        "maximum": 2,
        "title": "Temperature",
        "description": "Empty: not sent, for models that refuse it.",
    },
    "max_tokens": {
        "default": 1024,
        "type": "integer",
        "minimum": 16,
        "maximum": 200_000,
        "title": "Longest answer, in tokens",
        "description": "More for models that think before they answer.",
    },
    "names": {
        "default": "shown",
        "type": "string",
        "enum": ["shown", "hidden"],
        "title": "Names",
        "description": "Hidden: the model is asked about a function of a, b, c, and no name tells what it does.",
    },
    "limit": {
        "default": None,
        "type": ["null", "integer"],
        "minimum": 1,
        "maximum": 1_000_000,
        "title": "Most samples",
        "description": "So many of the split, chosen by a hash; empty: all.",
    },
    "usd_per_million_in": {
        **_PRICE,
        "title": "Price of a million tokens in",
        "description": "In US dollars; a limit of cost needs it, be it 0.",
    },
    "usd_per_million_out": {
        **_PRICE,
        "title": "Price of a million tokens out",
        "description": "In US dollars; a limit of cost needs it, be it 0.",
    },
    "max_cost_usd": {
        "default": None,
        "type": ["null", "number"],
        "minimum": 0,
        "maximum": 1_000_000,
        "title": "Most that the model may cost",
        "description": "In US dollars, for this run with its retries; empty: no limit.",
    },
    "max_requests": {
        "default": None,
        "type": ["null", "integer"],
        "minimum": 0,
        "maximum": 1_000_000_000,
        "title": "Most requests to the model",
        "description": "For this run with its retries; empty: no limit.",
    },
}
