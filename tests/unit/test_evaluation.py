"""An evaluation from a published snapshot to the leaderboard: nothing paid for twice, and an outage is no wrong answer.

S3, DuckDB, the sandbox and the OpenAI SDK are real; the endpoint is a stand-in that speaks OpenAI's protocol.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from builders.made_snapshot import ADD, HALVE, NAME, SHOUT, publish
from case2code import database
from case2code.__main__ import main
from case2code.ask_model import ask_model
from case2code.catalog import attachment
from case2code.commands import evaluate as command
from case2code.errors import ConfigurationError, OutageError
from case2code.evaluation import Evaluation, Part, answers_prefix, settings_of
from case2code.llm import endpoint as endpoints
from case2code.llm import online
from case2code.llm.budget import UNLIMITED, Run
from case2code.models import Case, Question, Tools
from case2code.models.baseline import search
from case2code.plan_evaluation import plan_evaluation
from case2code.publish_evaluation import publish_evaluation, read_leaderboard
from case2code.score_answers import score_answers
from case2code.store import Store
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, Answer, ChatEndpoint, completion, failure

SAMPLES = [ADD, SHOUT, HALVE]


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        served.answer = lambda prompt: completion(references()[asked_name(prompt)])
        yield served


def asked_name(prompt: str) -> str:
    found = re.search(r"function named `(\w+)`", prompt)
    assert found
    return found[1]


def references() -> dict[str, str]:
    return {sample["function_name"]: sample["completion"] for sample in SAMPLES}


def tools(endpoint: ChatEndpoint, key: str = KEY) -> Tools:
    return Tools(lambda: openai.OpenAI(base_url=endpoint.url, api_key=key, max_retries=0, timeout=10))


def no_client() -> Any:
    raise AssertionError("a baseline needs no endpoint")


def evaluate(store: Store, using: Tools, run: Run = UNLIMITED, shards: int = 2, **settings: Any) -> dict[str, Any]:
    """All stages, as the tasks of the DAG run them; the report."""
    planned = plan_evaluation(NAME, settings_of({"model": MODEL} | settings), store, shards, using)
    evaluation = Evaluation.read(store, planned[0].prefix)
    for part in planned:
        ask_model(evaluation, part, store, using, run)
    for part in planned:
        score_answers(evaluation, part, store)
    return publish_evaluation(evaluation, [Part.from_dict(p.to_dict()) for p in planned], store).report


def test_references_solve_everything_and_the_result_is_on_the_leaderboard(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    report = evaluate(store, tools(endpoint), usd_per_million={"tokens_in": 1.0, "tokens_out": 2.0})
    assert [(one["k"], one["tasks"], one["value"]) for one in report["pass"]] == [(1, 3, 1.0)]
    assert report["reasons"] == [{"reason": "solved", "answers": 3, "right_on_shown_only": 0}]
    assert report["spent"]["tokens_in"] == 30
    assert report["spent"]["cost_usd"] == pytest.approx(3 * 20e-6)
    assert {(g["group"], g["name"]) for g in report["groups"]} >= {("license", "MIT"), ("license", "BSD-3-Clause")}
    (row,) = read_leaderboard(store, NAME)
    assert (row["model"], row["pass_at_1"], row["tasks"]) == (MODEL, 1.0, 3)
    difficulty = store.read_table(f"evaluations/{NAME}/difficulty.parquet").to_pylist()
    assert [(one["sample_id"], one["solve_rate"], one["band"]) for one in difficulty] == [
        ("s-add", 1.0, "easy"),
        ("s-halve", 1.0, "easy"),
        ("s-shout", 1.0, "easy"),
    ]
    with database.connect(store) as connection:
        connection.execute(attachment(store, "made"))
        easy = connection.execute("SELECT function_name FROM catalog.easy ORDER BY ALL").fetchall()
    assert easy == [("add",), ("halve",), ("shout",)]


def test_nothing_is_asked_twice_and_more_samples_ask_only_the_rest(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    first = evaluate(store, tools(endpoint), samples=2, temperature=0.8)
    assert evaluate(store, tools(endpoint), samples=2, temperature=0.8, shards=1) == first
    assert len(endpoint.prompts) == 6
    assert sorted(body["seed"] for body in endpoint.requests) == [1, 1, 1, 2, 2, 2]
    report = evaluate(store, tools(endpoint), samples=5, temperature=0.8)
    assert len(endpoint.prompts) == 15
    assert [one["k"] for one in report["pass"]] == [1, 5]
    evaluate(store, tools(endpoint), samples=1, temperature=0.0)
    assert len(endpoint.prompts) == 18


def test_one_model_at_two_endpoints_is_two_rows_of_the_leaderboard(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    evaluate(store, tools(endpoint))
    with chat_endpoint.serve() as other:
        other.answer = lambda prompt: completion("I do not know.")
        report = evaluate(store, tools(other))
        rows = read_leaderboard(store, NAME)
    assert [(row["model"], row["pass_at_1"]) for row in rows] == [(MODEL, 1.0), (MODEL, 0.0)]
    assert [row["endpoint"] for row in rows] == [urlsplit(one.url).netloc for one in (endpoint, other)]
    assert report["endpoint"] == rows[1]["endpoint"]


def test_a_leaderboard_keeps_the_rows_of_evaluations_from_before_its_newest_column(store: Store):
    publish(store, SAMPLES)
    evaluate(store, Tools(no_client), model="baseline:search")
    (key,) = (key for key in store.keys(f"evaluations/{NAME}/") if key.endswith("/result.parquet"))
    old = store.read_table(key).drop_columns(["endpoint"])
    store.write_table(key.replace("baseline", "a-baseline"), old)
    evaluate(store, Tools(no_client), model="baseline:search", names="hidden")
    assert sorted(str(row["endpoint"]) for row in read_leaderboard(store, NAME)) == ["", "", "None"]


def test_two_runs_of_one_evaluation_that_cut_it_otherwise_do_not_disturb_each_other(
    store: Store, endpoint: ChatEndpoint
):
    publish(store, SAMPLES)
    settings = settings_of({"model": MODEL})
    planned = [plan_evaluation(NAME, settings, store, shards, tools(endpoint)) for shards in (2, 1)]
    evaluation = Evaluation.read(store, planned[0][0].prefix)
    for part in [*planned[0], *planned[1]]:
        ask_model(evaluation, part, store, tools(endpoint), UNLIMITED)
        score_answers(evaluation, part, store)
    reports = [publish_evaluation(evaluation, parts, store).report for parts in planned]
    assert reports[0] == reports[1]
    assert (reports[0]["questions"], reports[0]["tasks"], len(endpoint.prompts)) == (3, 3, 3)


def test_the_prompt_has_the_shown_cases_alone(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    evaluate(store, tools(endpoint))
    (prompt,) = (p for p in endpoint.prompts if "`add`" in p)
    assert ">>> add(x=0, y=3)\n3\n>>> add(x=1, y=3)\n4\n" in prompt
    assert "x=2" not in prompt


def test_hidden_names_are_in_neither_the_prompt_nor_the_calls(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    programs = {"a=0, b=3": "a + b", "a='a'": "a.upper() + '!'", "a=8": "a // 2"}

    def answer(prompt: str) -> Answer:
        assert not re.search(r"add|shout|halve|x=|text=", prompt)
        body = next(code for call, code in programs.items() if call in prompt)
        return completion(f"```python\ndef function(a, b=None):\n    return {body}\n```")

    endpoint.answer = answer
    assert evaluate(store, tools(endpoint), names="hidden")["pass"][0]["value"] == 1.0
    assert [row["names"] for row in read_leaderboard(store, NAME)] == ["hidden"]


def test_a_base_model_goes_on_with_an_opened_block(store: Store, endpoint: ChatEndpoint):
    publish(store, [ADD])

    def answer(prompt: str) -> Answer:
        assert prompt.endswith("\n```python\n")
        return completion(None, choices=[{"index": 0, "finish_reason": "stop", "text": ADD["code"]}])

    endpoint.answer = answer
    assert evaluate(store, tools(endpoint), mode="completion")["pass"][0]["value"] == 1.0
    assert endpoint.requests[0]["stop"] == ["```"]


def test_an_outage_is_raised_and_is_no_wrong_answer(
    store: Store, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
):
    publish(store, SAMPLES)
    monkeypatch.setattr(online, "_MAX_ATTEMPTS", 2)

    def answer(prompt: str) -> Answer:
        return completion(references()["add"]) if asked_name(prompt) == "add" else failure(503)

    endpoint.answer = answer
    with pytest.raises(OutageError):
        evaluate(store, tools(endpoint), shards=1, concurrency=1)
    endpoint.answer = lambda prompt: completion(references()[asked_name(prompt)])
    report = evaluate(store, tools(endpoint), shards=1)
    assert (report["pass"][0]["tasks"], report["pass"][0]["value"]) == (3, 1.0)
    assert endpoint.answered[next(p for p in endpoint.prompts if "`add`" in p)] == 1


def test_an_endpoint_that_fails_now_and_then_costs_no_answer(store: Store):
    publish(store, SAMPLES)
    with chat_endpoint.serve(share_429=0.2, share_500=0.2, share_cut=0.1, retry_after="0.01") as served:
        served.answer = lambda prompt: completion(references()[asked_name(prompt)])
        report = evaluate(store, tools(served), samples=8)
    assert (report["answers"], report["pass"][0]["value"]) == (24, 1.0)


def test_a_wrong_key_is_the_users_to_mend(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    with pytest.raises(ConfigurationError, match="refused the key"):
        evaluate(store, tools(endpoint, key="wrong"))


def test_a_budget_ends_the_asking_and_what_was_answered_is_scored(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    report = evaluate(store, tools(endpoint), Run("r1", max_requests=2), shards=1)
    assert (report["questions"], report["tasks"], report["unanswered_tasks"]) == (3, 2, 1)
    report = evaluate(store, tools(endpoint), Run("r2", max_requests=2), shards=1)
    assert (report["tasks"], report["unanswered_tasks"], len(endpoint.prompts)) == (3, 0, 3)


def test_a_limit_of_cost_needs_prices(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    with pytest.raises(ConfigurationError, match="nobody said what 'made-model' costs"):
        evaluate(store, tools(endpoint), Run("r", max_cost_usd=1.0))


def test_refusals_and_nonsense_are_answers_with_a_reason(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    said = {"add": completion("I will not."), "halve": failure(400, "this text is too long"), "shout": completion(None)}
    said["shout"].body["choices"][0]["message"]["refusal"] = "no\ud800"  # type: ignore[index]
    endpoint.answer = lambda prompt: said[asked_name(prompt)]
    report = evaluate(store, tools(endpoint))
    assert {row["reason"]: row["answers"] for row in report["reasons"]} == {"refused": 2, "no_code": 1}
    assert report["pass"][0]["value"] == 0.0


def test_each_command_may_spend_what_it_says(store: Store, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch):
    publish(store, SAMPLES)
    monkeypatch.setattr(command, "open_store", lambda address: store)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint.answer = lambda prompt: completion("I do not know.")
    words = ["evaluate", NAME, "--model", MODEL, "--base-url", endpoint.url, "--max-requests", "1"]
    assert [main(words) or len(endpoint.prompts) for _ in range(3)] == [1, 2, 3]


def test_what_the_endpoint_breaks_off_is_no_answer(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    broken = completion("")
    broken.body["choices"][0]["finish_reason"] = "error"  # type: ignore[index]
    endpoint.answer = lambda prompt: broken
    with pytest.raises(OutageError, match="broke off an answer"):
        evaluate(store, tools(endpoint))
    endpoint.answer = lambda prompt: completion("I do not know.")
    assert {row["reason"]: row["answers"] for row in evaluate(store, tools(endpoint))["reasons"]} == {"no_code": 3}


def test_the_baseline_needs_no_endpoint_and_is_no_measure_of_difficulty(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    report = evaluate(store, Tools(no_client), model="baseline:search")
    assert {row["reason"]: row["answers"] for row in report["reasons"]} == {"solved": 2, "no_code": 1}
    path = f"evaluations/{NAME}/difficulty.parquet"
    assert [(r["solve_rate"], r["solved_by_baseline"], r["band"]) for r in store.read_table(path).to_pylist()] == [
        (None, True, None),
        (None, True, None),
        (None, False, None),
    ]
    endpoint.answer = lambda prompt: completion("no")
    evaluate(store, tools(endpoint))
    assert [r["model"] for r in read_leaderboard(store, NAME)] == ["baseline:search", MODEL]
    assert [(r["solve_rate"], r["band"]) for r in store.read_table(path).to_pylist()] == [(0.0, "hard")] * 3


def test_a_baseline_that_does_not_exist_is_an_error(store: Store):
    publish(store, SAMPLES)
    with pytest.raises(ConfigurationError, match="there is: baseline:search"):
        evaluate(store, Tools(no_client), model="baseline:luck")


def test_a_limit_chooses_the_same_samples_for_every_model(store: Store, endpoint: ChatEndpoint):
    publish(store, SAMPLES)
    assert evaluate(store, Tools(no_client), model="baseline:search", limit=2)["tasks"] == 2
    assert evaluate(store, tools(endpoint), limit=2)["tasks"] == 2
    found = store.read_table(f"evaluations/{NAME}/difficulty.parquet").to_pylist()
    assert [[one["model"] for one in row["by_model"]] for row in found] == [["baseline:search", MODEL]] * 2


def test_a_view_of_the_catalog_chooses_the_samples_that_it_has_there(store: Store, endpoint: ChatEndpoint):
    proved = {"line_coverage": 1.0, "mutants_killed_shown": 2, "mutants_killed": 2}
    publish(store, [ADD | proved, SHOUT | proved | {"mutants_killed": 3}, HALVE])
    with pytest.raises(ConfigurationError, match="the view 'easy'"):  # of which nothing is known
        evaluate(store, tools(endpoint), view="easy")
    endpoint.answer = lambda prompt: completion("no" if asked_name(prompt) == "halve" else references()["add"])
    evaluate(store, tools(endpoint))
    for view, ids in (("strict", ["s-add"]), ("easy", ["s-add"]), ("hard", ["s-halve", "s-shout"])):
        (part,) = plan_evaluation(NAME, settings_of({"model": MODEL, "view": view}), store, 1, tools(endpoint))
        asked = store.read_table(f"{part.prefix}/questions/{part.name}.parquet")["sample_id"].to_pylist()
        with database.connect(store) as connection:
            connection.execute(attachment(store, "made"))
            there = connection.execute(f"SELECT sample_id FROM catalog.{view} ORDER BY ALL").fetchall()
        assert sorted(asked) == [sample_id for (sample_id,) in there] == ids
    evaluate(store, tools(endpoint), view="strict")
    assert sorted((row["view"], row["tasks"]) for row in read_leaderboard(store, NAME)) == [
        ("relaxed", 3),
        ("strict", 1),
    ]


def test_settings_that_change_answers_have_a_ledger_of_their_own(store: Store, endpoint: ChatEndpoint):
    def prefix(**settings: Any) -> str:
        return answers_prefix(settings_of({"model": MODEL} | settings), tools(endpoint))

    assert prefix(samples=7, limit=3, concurrency=2, names="hidden") == prefix()
    assert (
        len({prefix(), prefix(temperature=1.0), prefix(max_tokens=99), prefix(mode="completion"), prefix(seed=2)}) == 5
    )


def test_what_cannot_be_evaluated_is_said(store: Store):
    publish(store, SAMPLES)
    with pytest.raises(ConfigurationError, match="samples: Input should be greater"):
        settings_of({"model": "m", "samples": 0})
    with pytest.raises(ConfigurationError, match="no samples in the split 'train' and the view 'relaxed'"):
        plan_evaluation(NAME, settings_of({"model": "baseline:search", "split": "train"}), store, 2, Tools(no_client))


# The baseline


def question(cases: list[tuple[str, str]], parameters: tuple[str, ...]) -> Question:
    shown = tuple(Case(arguments, "returned", value) for arguments, value in cases)
    return Question("", "", 0, "f", parameters, shown)


@pytest.mark.parametrize(
    ("cases", "inputs", "outputs"),
    [
        ([("{'x': [3, 1]}", "[1, 3]"), ("{'x': [2]}", "[2]")], [[5, 4, 6]], [[4, 5, 6]]),
        ([("{'x': 'ab'}", "2"), ("{'x': ''}", "0")], ["abc"], [3]),
        ([("{'x': 3}", "9"), ("{'x': -2}", "4")], [5], [25]),
        ([("{'x': 'abc'}", "'CBA'"), ("{'x': 'xy'}", "'YX'")], ["de"], ["ED"]),
    ],
)
def test_the_search_finds_small_expressions(cases: list[tuple[str, str]], inputs: list[Any], outputs: list[Any]):
    code = search(question(cases, ("x",)))
    assert code is not None
    space: dict[str, Any] = {}
    exec(code, space)
    assert [space["f"](value) for value in inputs] == outputs


@pytest.mark.parametrize(
    "arguments",
    [
        "{'x': range(0, 1000000000000000000000000000000)}",
        "{'x': [range(0, 1000000000000)]}",
        "{'x': Decimal('1E+999999999')}",
        "{'x': defaultdict(list, {'a': [1]})}",
        "{'x': '" + "a" * 300 + "'}",
        "{'x': 0x" + "f" * 300 + "}",
        "{}",
    ],
)
def test_the_search_ends_on_values_that_could_grow_without_bound(arguments: str):
    assert search(question([(arguments, "'never'"), (arguments, "'ever'")], ("x",))) is None
