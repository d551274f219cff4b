"""After the last stage: is the night like the nights before it? Says what is not; changes nothing that is published.

A night leaves a small record of what it kept and paid, and is compared with those of the days before it. Whoever
builds the past compares each day with its own week, so a backfill raises no alarm about today.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any, Final

from case2code.day import Day
from case2code.recipe import Alerts
from case2code.snapshot import day_key, snapshots_prefix
from case2code.store import Store

log = logging.getLogger(__name__)

#: A night is compared with those of so many days before it.
WEEK_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Night:
    """What is compared: `kept_share` of all functions (None without one), samples, and what the night itself paid."""

    kept_share: float | None
    samples: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should look at; `kind` is `kept_share`, `samples`, `cost` or `budget`."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A night, with the alerts that it raises."""

    night: Night
    alerts: list[Alert]


def judge_night(day: Day, store: Store, paid: Mapping[str, Any]) -> Judgement:
    """Compare the day with the week before it; `paid` is what `write_inputs` counted, added up over its shards.

    Raises KeyError where the day has no record, because nothing was ever published for it.
    """
    report = store.read_json(day_key(day.recipe.name, day.date))
    funnel = {row["stage"]: row["rows"] for row in report["funnel"]}
    before = _read(store, day.recipe.name, day.date)
    # A run that is repeated pays nothing: the night has cost what its dearest run has.
    cost = max(float(paid.get("cost_usd", 0)), before.cost_usd if before else 0)
    night = Night(funnel["kept"] / funnel["functions"] if funnel["functions"] else None, funnel["samples"], cost)
    alerts = compare(night, _week(day, store), day.recipe.alerts)
    if paid.get("budget_reached"):
        left = f"{paid.get('functions_left', 0):,} functions are left for another run"
        alerts.append(Alert("budget", f"the budget of {day.date} was reached at ${night.cost_usd:,.2f}; {left}"))
    store.write_json(night_key(day.recipe.name, day.date), asdict(night))
    share = "no function" if night.kept_share is None else f"{night.kept_share:.1%} of the functions"
    log.info(
        "Judged %s: %s kept, %d samples, $%.2f, %d alerts", day.date, share, night.samples, night.cost_usd, len(alerts)
    )
    return Judgement(night, alerts)


def compare(night: Night, week: list[Night], limits: Alerts) -> list[Alert]:
    """What of `night` is unlike the median of `week`; nothing where the week has too few nights.

    >>> week = [Night(0.4, 1_000, 2.0)] * 5
    >>> [alert.kind for alert in compare(Night(0.1, 300, 9.0), week, Alerts())]
    ['kept_share', 'samples', 'cost']
    """
    if len(week) < limits.min_nights:
        return []
    alerts = []
    shares = [past.kept_share for past in week if past.kept_share is not None]
    if shares and night.kept_share is not None:
        usual = median(shares)
        if night.kept_share * limits.max_factor < usual or night.kept_share > usual * limits.max_factor:
            said = f"the rules kept {night.kept_share:.1%} of the functions; in the week before it was {usual:.1%}"
            alerts.append(Alert("kept_share", said))
    usual_samples = median(past.samples for past in week)
    if night.samples * limits.max_factor < usual_samples:
        said = f"there are {night.samples:,} samples; in the week before there were {usual_samples:,.0f}"
        alerts.append(Alert("samples", said))
    usual_cost = median(past.cost_usd for past in week)
    if night.cost_usd > max(limits.min_cost_usd, usual_cost * limits.max_factor):
        said = f"the LLM cost ${night.cost_usd:,.2f}; in the week before it was ${usual_cost:,.2f} a night"
        alerts.append(Alert("cost", said))
    return alerts


def night_key(name: str, day: str) -> str:
    """Key of the record of a night."""
    return f"{snapshots_prefix(name)}/nights/{day}.json"


def _week(day: Day, store: Store) -> list[Night]:
    today = date.fromisoformat(day.date)
    found = [_read(store, day.recipe.name, f"{today - timedelta(days=n)}") for n in range(1, WEEK_DAYS + 1)]
    return [night for night in found if night]


def _read(store: Store, name: str, day: str) -> Night | None:
    try:
        return Night(**store.read_json(night_key(name, day)))
    except KeyError:
        return None
