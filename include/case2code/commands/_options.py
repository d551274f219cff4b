"""Options that commands share, and the numbers that they take."""

import argparse


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 on, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def usd(text: str) -> float:
    """An amount of US dollars, for argparse."""
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of dollars from 0 on")
    return amount


def add_limits(parser: argparse.ArgumentParser, cost: str) -> None:
    """What a run may spend; `cost` says what the limit of cost does."""
    parser.add_argument("--max-cost-usd", type=usd, metavar="USD", help=cost)
    parser.add_argument("--max-requests", type=count, metavar="N", help="end the asking after so many")


def add_temperature(parser: argparse.ArgumentParser) -> None:
    """It is no attribute where it is not said, and None where nothing is to be sent."""
    parser.add_argument(
        "--temperature",
        type=_temperature,
        default=argparse.SUPPRESS,
        metavar="T",
        help="default 0; say 0.8 for several samples, none for a model that takes no other than its own",
    )


def _temperature(text: str) -> float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor none") from None
