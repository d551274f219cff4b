"""What commands take for a number, and what they say where it is none."""

import argparse
from typing import Any

import pytest

from case2code.commands import _options as options
from case2code.commands import evaluate, train


def parsed(command: Any, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    return parser.parse_args(list(words))


@pytest.mark.parametrize("text", ["-1", "x", "", "nan", "inf", "1e999"])
def test_a_limit_of_cost_is_an_amount(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="no amount of dollars"):
        options.usd(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "x", ""])
def test_a_limit_of_requests_is_a_whole_number(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="no whole number"):
        options.count(text)


def test_nothing_at_all_is_a_limit():
    assert (options.usd("0"), options.count("0"), options.usd("2.5")) == (0.0, 0, 2.5)


@pytest.mark.parametrize(
    ("words", "temperature"), [((), 0.0), (("--temperature", "0.8"), 0.8), (("--temperature", "none"), None)]
)
def test_a_temperature_may_be_left_to_the_model(words: tuple[str, ...], temperature: float | None):
    for command in (evaluate, train):
        settings = command._settings(parsed(command, "default/latest", "--model", "m", *words))
        assert settings.temperature == temperature


def test_what_a_model_costs_is_not_known_until_somebody_says_it():
    unsaid = evaluate._settings(parsed(evaluate, "default/latest", "--model", "m"))
    free = evaluate._settings(parsed(evaluate, "default/latest", "--model", "m", "--usd-in", "0", "--usd-out", "0"))
    assert unsaid.usd_per_million.tokens_in is None
    assert free.usd_per_million != unsaid.usd_per_million
    assert free.usd_per_million.cost_usd(10, 10, False) == 0.0
