"""Stage `report_training`: the base and the tuned model beside each other, task by task, with what it cost."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from case2code import human_eval
from case2code.pass_at_k import difference
from case2code.snapshot import open_snapshot
from case2code.store import Store
from case2code.training import MODELS, SETS, Training
from case2code.tune_model import Tuned

log = logging.getLogger(__name__)


def report_training(
    training: Training, tuned: Tuned, evaluated: Mapping[str, Mapping[str, str]], store: Store
) -> dict[str, Any]:
    """Write `report.json`, and return it.

    `evaluated` are prefixes of published evaluations by set of questions and model, as SETS and MODELS name them.
    """
    sets = [_compared(name, evaluated[name], store) for name in SETS]
    settings = training.settings
    asked_usd = {model: sum(one[model]["spent"]["cost_usd"] for one in sets) for model in MODELS}
    report = {
        "snapshot": training.snapshot,
        "endpoint": training.endpoint,
        "strategy": "direct" if settings.mix is None else "mixed",
        "settings": settings.model_dump(mode="json"),
        "file": asdict(training.file),
        "job": {"name": training.job, **asdict(tuned)},
        "cost_usd": {
            "trained": tuned.usd(training),
            "trained_at_most": training.most_usd,
            # Answers that an earlier run has asked for were paid for then.
            "base_answers": asked_usd["base"],
            "tuned_answers": asked_usd["tuned"],
        },
        "sets": sets,
        "left_out": human_eval.left_out(),
        "checked_benchmarks": [one["name"] for one in _recipe(training, store)["benchmarks"]["sets"]],
    }
    store.write_json(f"{training.prefix}/report.json", report)
    log.info("%s\n→ %s", "\n".join(table(report)), store.uri(f"{training.prefix}/report.json"))
    return report


def _recipe(training: Training, store: Store) -> dict[str, Any]:
    """The recipe that the snapshot was built by."""
    found: dict[str, Any] = open_snapshot(store, training.snapshot).manifest["recipe"]
    return found


def _compared(name: str, prefixes: Mapping[str, str], store: Store) -> dict[str, Any]:
    """Both models on one set of questions."""
    reports = {model: store.read_json(f"{prefixes[model]}/report.json") for model in MODELS}
    counts = {model: _counts(store, prefixes[model]) for model in MODELS}
    both = sorted(counts["base"].keys() & counts["tuned"].keys())
    pairs = [(counts["base"][task], counts["tuned"][task]) for task in both]
    found = [difference(pairs, one["k"]) for one in reports["base"]["pass"]]
    moved = Counter(_moved(before, after) for before, after in pairs)
    return {
        "set": name,
        **{
            model: {
                "evaluation": prefixes[model],
                **{key: reports[model][key] for key in ("questions", "tasks", "answers", "pass", "reasons", "spent")},
            }
            for model in MODELS
        },
        "difference": [asdict(one) for one in found if one is not None],
        "compared_tasks": len(both),
        "tasks_by_change": {kind: moved[kind] for kind in ("better", "same", "worse")},
    }


def _counts(store: Store, prefix: str) -> dict[str, tuple[int, int]]:
    """Answers and right ones by task."""
    rows = store.read_table(f"{prefix}/solved.parquet", ["sample_id", "answers", "solved"]).to_pylist()
    return {row["sample_id"]: (row["answers"], row["solved"]) for row in rows}


def _moved(before: tuple[int, int], after: tuple[int, int]) -> str:
    change = after[1] / after[0] - before[1] / before[0]
    return "better" if change > 0 else "worse" if change < 0 else "same"


def table(report: dict[str, Any]) -> list[str]:
    """The report in lines, a table of both sets first."""
    form = "{:<10} {:>6} {:>24} {:>24} {:>28} {:>16}"
    lines = [form.format("pass@k", "tasks", "base", "tuned", "difference", "better / worse")]
    for one in report["sets"]:
        for change in one["difference"]:
            base, tuned = (_percent(next(p for p in one[model]["pass"] if p["k"] == change["k"])) for model in MODELS)
            moved = f"{one['tasks_by_change']['better']} / {one['tasks_by_change']['worse']}"
            name = one["set"] if change["k"] == 1 else f"  k = {change['k']}"
            lines.append(form.format(name, change["tasks"], base, tuned, _percent(change, "+"), moved))
    file, cost, job = report["file"], report["cost_usd"], report["job"]
    tokens = "unknown" if job["trained_tokens"] is None else f"{job['trained_tokens']:,}"
    asked = cost["base_answers"] + cost["tuned_answers"]
    lines.append(
        f"{report['settings']['model']} → {job['model']} ({report['strategy']}): {file['examples']:,} examples, "
        f"{tokens} tokens trained, ${cost['trained']:.4f}; answers ${asked:.4f}"
    )
    if human_eval.NAME not in report["checked_benchmarks"]:
        lines.append(
            f"The recipe of {report['snapshot']} does not check {human_eval.NAME}: its tasks may be among the samples."
        )
    if file["benchmark_twins"]:
        lines.append(f"{file['benchmark_twins']:,} samples that compute what a benchmark asks for were left out.")
    return lines


def _percent(one: Mapping[str, Any], sign: str = "") -> str:
    """A share with its interval, of 95 %.

    >>> _percent({"value": 0.125, "low": -0.5, "high": 0.25}, "+")
    '+12.5 (-50.0 to +25.0)'
    """
    value, low, high = (format(100 * one[name], f"{sign}.1f") for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
