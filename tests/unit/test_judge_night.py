"""When a night raises an alert, and what it leaves on record."""

from typing import Any

import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from case2code.judge_night import Night, compare, judge_night, night_key
from case2code.recipe import Alerts
from case2code.snapshot import day_key
from case2code.store import Store

RECIPE = tiny_recipe(["https://example.org/r.git"])
USUAL = Night(0.4, 1_000, 2.0)


@pytest.mark.parametrize(
    ("night", "kinds"),
    [
        (USUAL, []),
        (Night(0.21, 501, 3.9), []),
        (Night(0.19, 1_000, 2.0), ["kept_share"]),
        (Night(0.81, 5_000, 2.0), ["kept_share"]),
        (Night(0.4, 499, 0.0), ["samples"]),
        (Night(0.4, 1_000, 4.1), ["cost"]),
        (Night(None, 0, 0.0), ["samples"]),
        (Night(0.1, 1, 90.0), ["kept_share", "samples", "cost"]),
    ],
)
def test_a_night_is_compared_with_the_median_of_its_week(night: Night, kinds: list[str]):
    week = [USUAL, USUAL, Night(0.0, 1, 500.0), USUAL]  # one bad night is not what is usual
    assert [alert.kind for alert in compare(night, week, Alerts())] == kinds


@pytest.mark.parametrize(("nights", "is_compared"), [(0, False), (2, False), (3, True), (7, True)])
def test_too_few_nights_are_no_week(nights: int, is_compared: bool):
    assert bool(compare(Night(0.0, 0, 100.0), [USUAL] * nights, Alerts())) is is_compared


def test_thresholds_are_the_recipes():
    night = Night(0.15, 400, 5.5)
    assert compare(night, [USUAL] * 3, Alerts(max_factor=3)) == []
    assert [a.kind for a in compare(night, [USUAL] * 3, Alerts(max_factor=2, min_cost_usd=6))] == [
        *("kept_share", "samples")
    ]
    assert compare(Night(0.4, 1_000, 0.9), [Night(0.4, 1_000, 0.0)] * 3, Alerts()) == []


def test_a_message_has_both_numbers():
    messages = {alert.kind: alert.message for alert in compare(Night(0.1, 12, 1234.5), [USUAL] * 3, Alerts())}
    assert messages == {
        "kept_share": "the rules kept 10.0% of the functions; in the week before it was 40.0%",
        "samples": "there are 12 samples; in the week before there were 1,000",
        "cost": "the LLM cost $1,234.50; in the week before it was $2.00 a night",
    }


def published(store: Store, date: str, functions: int, kept: int, samples: int) -> None:
    """The record of a day, as `publish_snapshot` leaves it."""
    rows = {"functions": functions, "kept": kept, "samples": samples}
    funnel = [{"stage": stage, "rows": count} for stage, count in rows.items()]
    store.write_json(day_key("tiny", date), {"date": date, "version": "v", "funnel": funnel})


def judged(store: Store, date: str, paid: dict[str, Any] | None = None) -> list[str]:
    return [alert.kind for alert in judge_night(day_of(date, RECIPE), store, paid or {}).alerts]


def test_a_collapse_is_found_among_the_seven_days_before_and_later_days_do_not_count(store: Store):
    for day in range(1, 6):
        published(store, f"2026-03-{day:02d}", 1_000, 500, 400)
        assert judged(store, f"2026-03-{day:02d}", {"cost_usd": 1.5}) == []
    published(store, "2026-03-06", 1_000, 50, 40)
    assert judged(store, "2026-03-06", {"cost_usd": 4.0}) == ["kept_share", "samples", "cost"]
    published(store, "2026-02-20", 1_000, 50, 40)  # built late: its own week has nothing
    assert judged(store, "2026-02-20") == []
    published(store, "2026-03-12", 1_000, 50, 40)  # only two nights are in its week
    assert judged(store, "2026-03-12") == []


def test_a_day_that_runs_again_keeps_what_it_has_cost(store: Store):
    published(store, "2026-03-01", 10, 5, 4)
    judged(store, "2026-03-01", {"cost_usd": 3.0})
    judged(store, "2026-03-01", {"cost_usd": 0.0})
    assert store.read_json(night_key("tiny", "2026-03-01")) == {"kept_share": 0.5, "samples": 4, "cost_usd": 3.0}


def test_a_budget_that_was_reached_says_who_is_left(store: Store):
    published(store, "2026-03-01", 10, 5, 4)
    paid = {"cost_usd": 2.0, "budget_reached": 2, "functions_left": 1234}
    (alert,) = judge_night(day_of("2026-03-01", RECIPE), store, paid).alerts
    assert alert.kind == "budget"
    assert "2026-03-01 was reached at $2.00; 1,234 functions are left" in alert.message


def test_what_a_real_day_publishes_can_be_judged(repositories, store: Store):
    day = day_of("2026-03-02", tiny_recipe(repositories.urls))
    done = run_day(day, store)
    judgement = judge_night(day, store, {"cost_usd": 0.0})
    assert judgement.night == Night(4 / 5, done.samples, 0.0)
    assert judgement.alerts == []


def test_a_day_without_a_record_is_not_judged(store: Store):
    with pytest.raises(KeyError):
        judge_night(day_of("2026-03-02", RECIPE), store, {})
