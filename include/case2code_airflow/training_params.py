"""The trigger form of a training; what it shares with an evaluation's is defined there."""

from typing import Any, Final

from case2code_airflow.evaluation_params import PARAMS as EVALUATION

#: Params that are settings of the training; prices are put together, the others hold for the run only.
SETTINGS: Final = (
    *("model", "connection", "epochs", "learning_rate_multiplier", "batch_size", "seed", "mix", "ratio"),
    *("usd_per_million_trained", "samples", "temperature", "max_tokens", "names", "limit"),
)

_PRICE: Final[dict[str, Any]] = EVALUATION["usd_per_million_in"]

#: Arguments of `Param` by name, in the order of the form.
PARAMS: Final[dict[str, dict[str, Any]]] = {
    "model": {
        "default": None,
        "type": ["null", "string"],
        "maxLength": 200,
        "title": "Base model",
        "description": "Name at the endpoint of a model that it can tune, like gpt-4.1-mini-2025-04-14; must be said.",
    },
    "connection": EVALUATION["connection"],
    "snapshot": EVALUATION["snapshot"]
    | {
        "default": "default/latest",
        "type": "string",
        "minLength": 1,
        "description": "What is trained on, its train split, and evaluated on, its held-out one.",
    },
    "mix": {
        "default": None,
        "type": ["null", "string"],
        "maxLength": 1_000,
        "title": "Second corpus",
        "description": "JSON Lines of chat messages to mix in: a path on the workers, or s3://bucket/key with the keys "
        "of aws_default; empty: the samples alone.",
    },
    "ratio": {
        "default": None,
        "type": ["null", "number"],
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "maximum": 1,
        "title": "Share of samples in the mix",
        "description": "All samples are in it, and so much of the corpus that they are this share.",
    },
    "epochs": {
        "default": 3,
        "type": "integer",
        "minimum": 1,
        "maximum": 50,
        "title": "Epochs",
        "description": "Times that the model sees every example: a factor of the price.",
    },
    "learning_rate_multiplier": {
        "default": None,
        "type": ["null", "number"],
        "exclusiveMinimum": 0,
        "maximum": 100,
        "title": "Learning rate multiplier",
        "description": "Empty: the endpoint chooses.",
    },
    "batch_size": {
        "default": None,
        "type": ["null", "integer"],
        "minimum": 1,
        "maximum": 256,
        "title": "Batch size",
        "description": "Empty: the endpoint chooses.",
    },
    "seed": {
        "default": 1,
        "type": "integer",
        "minimum": 0,
        "maximum": 2**31 - 1,
        "title": "Seed",
        "description": "Another one is another training, and is paid for.",
    },
    "samples": EVALUATION["samples"],
    "temperature": EVALUATION["temperature"],
    "max_tokens": EVALUATION["max_tokens"],
    "names": EVALUATION["names"],
    "limit": EVALUATION["limit"]
    | {
        "title": "Most questions",
        "description": "So many of each set, chosen by a hash; empty: all.",
    },
    "usd_per_million_trained": _PRICE
    | {
        "title": "Price of a million tokens trained",
        "description": "In US dollars; a limit of cost needs it, be it 0.",
    },
    "usd_per_million_in": _PRICE | {"title": "Base model: price of a million tokens in"},
    "usd_per_million_out": _PRICE | {"title": "Base model: price of a million tokens out"},
    "tuned_usd_per_million_in": _PRICE | {"title": "Tuned model: price of a million tokens in"},
    "tuned_usd_per_million_out": _PRICE | {"title": "Tuned model: price of a million tokens out"},
    "max_cost_usd": EVALUATION["max_cost_usd"]
    | {
        "title": "Most that training and answers may cost",
        "description": "In US dollars, for this run with its retries: a training that may cost more is not begun, and "
        "what it leaves is for the answers of both models; empty: no limit.",
    },
    "max_requests": EVALUATION["max_requests"]
    | {"title": "Most questions to both models", "description": "For this run with its retries; empty: no limit."},
}
