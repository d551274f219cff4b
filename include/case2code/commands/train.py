"""Have a model tuned on a snapshot's train split, and compare it with its base on the held-out split and on HumanEval.

For example `train default/latest --model gpt-4.1-mini-2025-04-14 --epochs 2`. It waits for the endpoint's fine-tuning
job, and finds it again when it is stopped and started once more: a job is never paid for twice.
"""

import argparse
import time
from typing import Final

from rich.console import Console

from case2code.ask_model import ask_model
from case2code.commands._options import add_limits, add_temperature, usd
from case2code.commands.evaluate import add_endpoint, tools_of
from case2code.evaluation import Evaluation
from case2code.llm.budget import Run
from case2code.models import Tools
from case2code.plan_evaluation import plan_evaluation
from case2code.prepare_training import prepare_training
from case2code.publish_evaluation import publish_evaluation
from case2code.report_training import report_training, table
from case2code.score_answers import score_answers
from case2code.snapshot import open_store
from case2code.store import Store
from case2code.training import Settings, Training, settings_of
from case2code.tune_model import JobPending, Tuned, tune_model

_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_PAUSE_SECONDS: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Snapshot, model, what is mixed in, how both models are asked, and what it may cost."""
    parser.add_argument("snapshot", help="for example default/latest")
    parser.add_argument("--model", required=True, help="name at the endpoint of a model that it can tune")
    parser.add_argument("--mix", metavar="CORPUS", help="JSON Lines of chat messages to mix in: a path, or s3://…")
    parser.add_argument("--ratio", type=float, metavar="SHARE", help="with --mix: share of samples in the mix")
    parser.add_argument("--epochs", type=int, help="default 3; a factor of the price")
    parser.add_argument("--learning-rate-multiplier", type=float, help="default: the endpoint chooses")
    parser.add_argument("--batch-size", type=int, help="default: the endpoint chooses")
    parser.add_argument("--seed", type=int, help="default 1")
    parser.add_argument("--samples", type=int, help="answers of each model to each question; default 1")
    add_temperature(parser)
    parser.add_argument("--names", choices=["shown", "hidden"], help="hidden: no names in the held-out questions")
    parser.add_argument("--limit", type=int, help="so many questions of each set, chosen by a hash")
    parser.add_argument("--max-tokens", type=int, help="of an answer; default 1024")
    for name, of in (("trained", "trained"), ("in", "in"), ("out", "out"), ("tuned-in", "in"), ("tuned-out", "out")):
        who = " by the tuned model" if name.startswith("tuned") else ""
        parser.add_argument(f"--usd-{name}", type=usd, metavar="USD", help=f"a million tokens {of}{who}")
    add_limits(parser, "training above it is not begun")
    add_endpoint(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Every stage; 0 where a report was written."""
    settings, store, tools = _settings(arguments), open_store(arguments.store), tools_of(arguments)
    # Whoever starts the command again means it: a job that has failed is followed by another one.
    allowed = Run(f"command {time.time()}", arguments.max_cost_usd, arguments.max_requests)
    training = prepare_training(arguments.snapshot, settings, store, tools, allowed)
    console.print(
        f"{training.file.examples:,} examples of {training.snapshot}, {training.file.mixed_in:,} of them mixed in; "
        f"training costs ${training.most_usd:.2f} at most",
        highlight=False,
    )
    tuned = _tuned(training, store, tools, allowed, console)
    with console.status("Asking both models …"):
        evaluated = _evaluated(training, tuned, store, tools, allowed)
    report = report_training(training, tuned, evaluated, store)
    console.print("\n".join(table(report)), markup=False, highlight=False, soft_wrap=True)
    console.print(f"→ {store.uri(training.prefix)}/report.json", soft_wrap=True, highlight=False)
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    given = {name: value for name, value in vars(arguments).items() if name in Settings.model_fields}
    given = {name: value for name, value in given.items() if value is not None or name == "temperature"}
    return settings_of(
        given
        | {
            "usd_per_million_trained": arguments.usd_trained,
            "usd_per_million": {"tokens_in": arguments.usd_in, "tokens_out": arguments.usd_out},
            "tuned_usd_per_million": {"tokens_in": arguments.usd_tuned_in, "tokens_out": arguments.usd_tuned_out},
        }
    )


def _tuned(training: Training, store: Store, tools: Tools, allowed: Run, console: Console) -> Tuned:
    """Wait for the job: often at first, ever less often later."""
    pause = _FIRST_PAUSE_SECONDS
    with console.status("Waiting for the fine-tuning job …") as status:
        while True:
            try:
                return tune_model(training, store, tools, allowed)
            except JobPending as pending:
                status.update(f"Waiting: {pending} …")
                time.sleep(pause)
                pause = min(_MAX_PAUSE_SECONDS, 1.2 * pause)


def _evaluated(training: Training, tuned: Tuned, store: Store, tools: Tools, allowed: Run) -> dict[str, dict[str, str]]:
    """Prefixes of the four evaluations; each may spend a part of what training left."""
    evaluated: dict[str, dict[str, str]] = {}
    for questions, model, share in training.shares(allowed, tuned.paid_usd(training, allowed)):
        snapshot, settings = training.evaluation_of(questions, model, tuned.model)
        (part,) = plan_evaluation(snapshot, settings, store, 1, tools)
        evaluation = Evaluation.read(store, part.prefix)
        ask_model(evaluation, part, store, tools, share)
        score_answers(evaluation, part, store)
        evaluated.setdefault(questions, {})[model] = publish_evaluation(evaluation, [part], store).prefix
    return evaluated
