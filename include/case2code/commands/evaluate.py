"""Evaluate a model: on the held-out split of a snapshot, or on tasks in the format that the paper's authors released.

The model is one of an OpenAI-compatible endpoint (OPENAI_BASE_URL, OPENAI_API_KEY, or the options), or
baseline:search, which needs none. Answers are kept in the store: none is asked or paid for twice. Programs run in the
sandbox. With --tasks and neither --model nor --answers, the reference programs of the tasks are scored.
"""

import argparse
import json
import os
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from case2code import released_tasks, sandbox
from case2code.ask_model import answers_ledger, ask_model, ask_questions, read_answers
from case2code.commands._options import add_limits, add_temperature, usd
from case2code.commands._progress import progress
from case2code.errors import ConfigurationError
from case2code.evaluation import Evaluation, Settings, answers_prefix, settings_of
from case2code.llm.budget import Budget, Run
from case2code.models import Tools
from case2code.pass_at_k import estimate
from case2code.plan_evaluation import plan_evaluation
from case2code.publish_evaluation import publish_evaluation, read_leaderboard
from case2code.score_answers import score_answers
from case2code.snapshot import open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", nargs="?", help="for example default/latest; or human_eval")
    parser.add_argument("--model", help="name at the endpoint, or baseline:search")
    parser.add_argument("--samples", type=int, help="answers to each question; default 1")
    add_temperature(parser)
    parser.add_argument("--mode", choices=["chat", "completion"], help="completion: for base models")
    parser.add_argument("--names", choices=["shown", "hidden"], help="hidden: the model sees no names of the function")
    parser.add_argument("--split", choices=["test", "train"], help="default test")
    parser.add_argument("--view", choices=["relaxed", "strict", "easy", "medium", "hard"], help="of the catalog")
    parser.add_argument("--limit", type=int, help="so many samples, chosen by a hash")
    parser.add_argument("--max-tokens", type=int, help="of an answer; default 1024")
    parser.add_argument("--concurrency", type=int, help="requests in flight; default 8")
    parser.add_argument("--usd-in", type=usd, metavar="USD", help="price of a million tokens in")
    parser.add_argument("--usd-out", type=usd, metavar="USD", help="price of a million tokens out")
    add_limits(parser, "end the asking before it")
    parser.add_argument("--tasks", type=Path, help="a JSON Lines file of released tasks, instead of a snapshot")
    parser.add_argument("--answers", type=Path, help="with --tasks: gen_answer_id and completions, a line for each")
    parser.add_argument("--output", type=Path, help="with --tasks: write a score for each answer to this file")
    add_endpoint(parser)


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Where the model is; `tools_of` reads it."""
    parser.add_argument("--base-url", help="of the endpoint; default: OPENAI_BASE_URL")


def run(arguments: argparse.Namespace, console: Console) -> int:
    if (arguments.snapshot is None) == (arguments.tasks is None):
        raise ConfigurationError("say either a snapshot, for example default/latest, or --tasks FILE")
    if arguments.tasks is not None:
        return _evaluate_tasks(arguments, console)
    if arguments.model is None:
        raise ConfigurationError("say which model: --model NAME, or --model baseline:search")
    return _evaluate_snapshot(arguments, console)


def _settings(arguments: argparse.Namespace) -> Settings:
    names = ("model", "samples", "temperature", "mode", "names", "split", "view", "limit", "max_tokens", "concurrency")
    given = {name: value for name, value in vars(arguments).items() if name in names}
    given = {name: value for name, value in given.items() if value is not None or name == "temperature"}
    return settings_of(given | {"usd_per_million": {"tokens_in": arguments.usd_in, "tokens_out": arguments.usd_out}})


def tools_of(arguments: argparse.Namespace) -> Tools:
    """The endpoint that was said, with the key in OPENAI_API_KEY."""

    def client() -> Any:
        import openai

        try:
            return openai.OpenAI(base_url=arguments.base_url, api_key=os.environ.get("OPENAI_API_KEY") or "none")
        except openai.OpenAIError as error:
            raise ConfigurationError(str(error)) from error

    return Tools(client)


def _run_of(arguments: argparse.Namespace) -> Run:
    # Each command is a run of its own: what an earlier one spent is not what this one may spend.
    return Run(f"command {time.time()}", arguments.max_cost_usd, arguments.max_requests)


def _evaluate_snapshot(arguments: argparse.Namespace, console: Console) -> int:
    settings, tools, store = _settings(arguments), tools_of(arguments), open_store(arguments.store)
    (part,) = plan_evaluation(arguments.snapshot, settings, store, 1, tools)
    evaluation = Evaluation.read(store, part.prefix)
    with progress(console) as tell:
        counts = ask_model(evaluation, part, store, tools, _run_of(arguments), lambda n, of: tell("answers", n, of))
    with console.status("Running what was answered …"):
        score_answers(evaluation, part, store)
        report = publish_evaluation(evaluation, [part], store).report
    _show(report, counts, console)
    columns = ("model", "endpoint", "names", "tasks", "pass@1", "95 %", "shown", "hidden", "cost")
    board = Table(*columns, title=evaluation.snapshot)
    for row in read_leaderboard(store, evaluation.snapshot):
        board.add_row(
            escape(row["model"]),
            escape(row.get("endpoint") or ""),
            row["names"],
            str(row["tasks"]),
            f"{row['pass_at_1']:.1%}",
            f"{row['low']:.1%} to {row['high']:.1%}",
            f"{row['pass_shown_at_1']:.1%}",
            f"{row['pass_hidden_at_1']:.1%}",
            f"${row['cost_usd']:.4f}",
        )
    console.print(board)
    console.print(f"→ {store.uri(part.prefix)}", soft_wrap=True, highlight=False)
    return 0


def _show(report: dict[str, Any], counts: dict[str, Any], console: Console) -> None:
    console.print(
        f"{report['answers']:,} answers to {report['tasks']:,} of {report['questions']:,} questions; "
        f"asked now: {counts['asked']:,} ({counts['tokens']:,} tokens, ${counts['cost_usd']:.4f})",
        highlight=False,
    )
    if counts.get("left"):
        console.print(f"[yellow]The budget was reached: {counts['left']:,} answers are missing.[/]", highlight=False)
    table = Table("", "tasks", "value", "95 %")
    for name, column in (("pass", "pass"), ("pass on shown cases", "pass_shown"), ("on hidden cases", "pass_hidden")):
        for one in report[column]:
            table.add_row(f"{name}, k = {one['k']}", *_cells(one))
    for one in report["groups"]:
        table.add_row(escape(f"  {one['group']}: {one['name']}"), *_cells(one))
    console.print(table)
    reasons = ", ".join(f"{row['answers']:,} {row['reason']}" for row in report["reasons"])
    console.print(escape(f"Answers by what became of them: {reasons}"), highlight=False)


def _cells(one: dict[str, Any]) -> tuple[str, str, str]:
    return f"{one['tasks']:,}", f"{one['value']:.1%}", f"{one['low']:.1%} to {one['high']:.1%}"


def _evaluate_tasks(arguments: argparse.Namespace, console: Console) -> int:
    tasks = released_tasks.read_tasks(arguments.tasks)[: arguments.limit]
    if arguments.model is not None and arguments.answers is not None:
        raise ConfigurationError("say either --model or --answers")
    with sandbox.Sandbox(released_tasks.LIMITS, passes=1) as interpreters:
        references = list(released_tasks.score(tasks, released_tasks.reference_answers(tasks), interpreters))
        reproducible = {score.task for score in references if score.is_right}
        _show_references(tasks, references, console)
        scores = references
        if arguments.answers is not None or arguments.model is not None:
            answers = _answers(arguments, tasks)
            scores = list(released_tasks.score(tasks, answers, interpreters))
            _show_scores(tasks, answers, scores, reproducible, console)
    if arguments.output is not None:
        lines = "".join(json.dumps(asdict(score), ensure_ascii=False) + "\n" for score in scores)
        arguments.output.write_text(lines, encoding="utf-8")
        console.print(f"→ {arguments.output}", soft_wrap=True, highlight=False)
    return 0


def _answers(arguments: argparse.Namespace, tasks: list[released_tasks.ReleasedTask]) -> dict[str, list[str]]:
    if arguments.answers is not None:
        return released_tasks.read_answers(arguments.answers, tasks)
    settings, tools, store = _settings(arguments), tools_of(arguments), open_store(arguments.store)
    if settings.family != "openai":
        raise ConfigurationError(f"{settings.model} cannot read released prompts; say a model of an endpoint")
    questions = released_tasks.questions(tasks, settings.samples)
    ledger = answers_ledger(store, answers_prefix(settings, tools))
    found = read_answers(ledger)
    missing = [question for question in questions if (question.prompt_hash, question.number) not in found]
    for answer in ask_questions(missing, settings, ledger, tools, Budget(_run_of(arguments))):
        found[answer.prompt_hash, answer.number] = answer.text
    return released_tasks.answers_of(tasks, settings.samples, found)


def _show_references(
    tasks: list[released_tasks.ReleasedTask], scores: list[released_tasks.ReleasedScore], console: Console
) -> None:
    right = sum(score.is_right for score in scores)
    console.print(f"Reference programs: {right:,} of {len(tasks):,} tasks give every stored output", highlight=False)
    by_task = {task.task: task for task in tasks}
    wrong = [(released_tasks.why_not(by_task[s.task], s), s) for s in scores if not s.is_right]
    for reason, count in Counter(reason for reason, _ in wrong).most_common():
        named = ", ".join(score.task for why, score in wrong if why == reason)
        console.print(escape(f"  {count:,} {reason}: {named}"), soft_wrap=True, highlight=False)


def _show_scores(
    tasks: list[released_tasks.ReleasedTask],
    answers: dict[str, list[str]],
    scores: list[released_tasks.ReleasedScore],
    reproducible: set[str],
    console: Console,
) -> None:
    table = Table("", "tasks", "pass@1", "95 %", "released harness")
    for name, chosen in (("all tasks", {task.task for task in tasks}), ("reproducible tasks", reproducible)):
        mine = [score for score in scores if score.task in chosen]
        counts = Counter(score.task for score in mine)
        right = Counter(score.task for score in mine if score.is_right)
        found = estimate([(count, right[task]) for task, count in counts.items()], 1)
        # Theirs: a task without an answer is wrong, and the first answer counts.
        first = sum(score.is_right for score in mine if score.number == 0)
        theirs = f"{first:,}/{len(chosen):,}"
        if found is not None:
            table.add_row(
                name, f"{found.tasks:,}", f"{found.value:.1%}", f"{found.low:.1%} to {found.high:.1%}", theirs
            )
    console.print(table)
    reasons = Counter(score.reason or "right" for score in scores).most_common()
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
    missing = sum(not texts for texts in answers.values())
    console.print(escape(f"Answers: {told}; {missing:,} tasks without one"), highlight=False)
