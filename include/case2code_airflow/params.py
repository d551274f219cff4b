"""What the trigger forms ask for: one definition of each param, shared by the DAGs."""

from typing import Any, Final

from airflow.sdk import Param

#: Files of include/case2code/sources, written down here because a DAG file reads no folder; a test compares.
SOURCES: Final = ("git", "github", "local", "parquet", "pypi")


def recipe() -> Any:
    """Which data set."""
    return Param(
        "default",
        type="string",
        minLength=1,
        maxLength=500,
        title="Recipe",
        description="What to build: the name of a file in include/recipes, or the path of a YAML file.",
    )


def sources() -> Any:
    """A part of the recipe."""
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string", "enum": list(SOURCES)},
        examples=list(SOURCES),
        maxItems=len(SOURCES),
        title="Only these sources",
        description="Names of sources in the recipe; what comes of them is published as a data set of its own, "
        "<recipe>-only-<sources>. Empty: all.",
    )


def max_cost_usd() -> Any:
    """A limit in dollars."""
    return Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1_000_000,
        title="Most that the LLM may cost",
        description="In US dollars, by the recipe's prices, for this run with its retries; empty: no limit.",
    )


def max_requests() -> Any:
    """A limit in requests."""
    return Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=1_000_000_000,
        title="Most requests to the LLM",
        description="For this run with its retries; empty: no limit.",
    )


def dry_run() -> Any:
    """Look before you pay."""
    return Param(
        False,
        type="boolean",
        title="Only estimate",
        description="Estimate requests, tokens and cost, ask nothing and publish nothing.",
    )
