"""A training from a snapshot to the report: one job is paid for, whatever breaks, and both models are compared.

S3, DuckDB, the sandbox and the OpenAI SDK are real; the endpoint is a stand-in that speaks OpenAI's protocol, and
trains nothing: its "tuned" model answers what the test says.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from builders.made_snapshot import ADD, HALVE, NAME, SHOUT, publish, sample
from case2code import human_eval, parts
from case2code import tune_model as stage
from case2code.__main__ import main
from case2code.ask_model import ask_model
from case2code.commands import train as command
from case2code.errors import ConfigurationError, OutageError
from case2code.evaluation import Evaluation, Part
from case2code.evaluation import settings_of as evaluation_settings
from case2code.llm import endpoint as endpoints
from case2code.llm.budget import UNLIMITED, Run
from case2code.models import Tools
from case2code.plan_evaluation import plan_evaluation
from case2code.prepare_training import prepare_training
from case2code.publish_evaluation import publish_evaluation, read_leaderboard
from case2code.report_training import report_training, table
from case2code.score_answers import score_answers
from case2code.store import Store
from case2code.training import MODELS, SETS, Training, settings_of
from case2code.tune_model import JobPending, Tuned, read_tuned, tune_model
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, Answer, ChatEndpoint, completion

TRAIN = [
    sample(
        f"plus_{n}",
        f"def plus_{n}(x):\n    return x + {n}\n",
        [(f"{{'x': {x}}}", str(x + n)) for x in range(4)],
        split="train",
        prompt=f"What adds {n}?\n",
    )
    for n in range(12)
]
HELD_OUT = [ADD, SHOUT, HALVE]
PRICES = {
    "usd_per_million_trained": 10.0,
    "usd_per_million": {"tokens_in": 1.0, "tokens_out": 2.0},
    "tuned_usd_per_million": {"tokens_in": 2.0, "tokens_out": 4.0},
}


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        yield served


@pytest.fixture
def published(store: Store) -> Store:
    publish(store, TRAIN + HELD_OUT)
    return store


def tools(endpoint: ChatEndpoint) -> Tools:
    return Tools(lambda: openai.OpenAI(base_url=endpoint.url, api_key=KEY, max_retries=2, timeout=10))


def prepare(store: Store, endpoint: ChatEndpoint, run: Run = UNLIMITED, **settings: Any) -> Training:
    return prepare_training(NAME, settings_of({"model": MODEL} | settings), store, tools(endpoint), run)


def tune(training: Training, store: Store, endpoint: ChatEndpoint, run: Run = UNLIMITED) -> Tuned:
    """Call the stage until the job has ended, as the DAG does when its trigger fires."""
    for _ in range(10):
        try:
            return tune_model(training, store, tools(endpoint), run)
        except JobPending:
            continue
    raise AssertionError("the job does not end")


# The file


def rows(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.decode().splitlines()]


def test_the_file_is_the_chat_export_of_the_train_split_and_is_written_once(published: Store, endpoint: ChatEndpoint):
    training = prepare(published, endpoint)
    found = rows(published.read(training.file.key))
    user, assistant = TRAIN[3]["prompt"], TRAIN[3]["completion"]
    assert {"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]} in found
    assert (len(found), training.file.examples, training.file.mixed_in) == (12, 12, 0)
    assert training.file.key == f"trainings/made/files/{training.file.sha256}.jsonl"
    assert not any(one["completion"] in json.dumps(found) for one in HELD_OUT)
    assert Training.read(published, training.prefix) == training
    again = prepare(published, endpoint, samples=2)
    assert (again.file, again.job) == (training.file, training.job)
    assert again.prefix != training.prefix
    assert len(published.keys("trainings/made/files/")) == 1


def test_what_a_benchmark_asks_for_is_not_trained_on(store: Store, endpoint: ChatEndpoint):
    """The recipe may keep such samples in the table; a model that was trained on them would be asked what it knows."""
    publish(store, [*TRAIN[:10], TRAIN[10] | {"benchmark_twin": "human_eval/7"}, *HELD_OUT])
    training = prepare(store, endpoint)
    assert (training.file.examples, training.file.benchmark_twins) == (10, 1)
    assert TRAIN[10]["completion"] not in [one["messages"][1]["content"] for one in rows(store.read(training.file.key))]


@pytest.mark.parametrize("is_on_s3", [False, True])
def test_a_second_corpus_is_mixed_in_at_the_ratio(
    is_on_s3: bool, published: Store, endpoint: ChatEndpoint, tmp_path: Path
):
    others = [
        {"messages": [{"role": "user", "content": f"other {n}"}, {"role": "assistant", "content": "so"}], "id": n}
        for n in range(100)
    ]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in others))
    address = str(corpus)
    if is_on_s3:
        published.write_file("corpora/chat.jsonl", corpus)
        address = published.uri("corpora/chat.jsonl")
    training = prepare(published, endpoint, mix=address, ratio=0.3)
    found = rows(published.read(training.file.key))
    assert (training.file.examples, training.file.mixed_in) == (40, 28)
    assert [row for row in found if row["messages"][0]["content"].startswith("other")] == [
        {"messages": row["messages"]} for row in others[:28]
    ]
    assert training.file.corpus_sha256 is not None
    assert training.job != prepare(published, endpoint).job


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mix": "corpus.jsonl"}, "takes both"),
        ({"ratio": 0.5}, "takes both"),
        ({"mix": "/nowhere/corpus.jsonl", "ratio": 0.5}, "cannot read the corpus"),
        ({"mix": "s3://case2code/nowhere.jsonl", "ratio": 0.5}, "cannot read the corpus"),
        ({"mix": "ftp://x/y", "ratio": 0.5}, "say a path, or s3:"),
        ({"epochs": 0}, "epochs: Input should be greater"),
    ],
)
def test_what_cannot_be_trained_is_said(
    settings: dict[str, Any], message: str, published: Store, endpoint: ChatEndpoint
):
    with pytest.raises(ConfigurationError, match=message):
        prepare(published, endpoint, **settings)


def test_too_few_samples_to_train_on_are_noticed_here(store: Store, endpoint: ChatEndpoint):
    publish(store, TRAIN[:9] + HELD_OUT)
    with pytest.raises(ConfigurationError, match="makes 9 examples; fine-tuning takes at least 10"):
        prepare(store, endpoint)


def test_a_training_above_the_limit_ends_before_anything_is_uploaded(published: Store, endpoint: ChatEndpoint):
    with pytest.raises(ConfigurationError, match="nobody said what it costs: set usd_per_million_trained"):
        prepare(published, endpoint, Run("r", max_cost_usd=1.0))
    bound = prepare(published, endpoint, **PRICES)
    assert bound.most_usd == pytest.approx(bound.file.most_tokens * 3 * 10e-6)
    little, enough = (Run("r", max_cost_usd=bound.most_usd * part) for part in (0.99, 1.01))
    with pytest.raises(ConfigurationError, match=r"may cost \$.*, more than max_cost_usd.* nothing was uploaded"):
        tune(prepare(published, endpoint, little, **PRICES), published, endpoint, little)
    assert endpoint.files == {}
    tuned = tune(bound, published, endpoint, enough)
    # What training left is for the answers, in equal parts; a run that finds the model has paid nothing for it.
    shares = bound.shares(enough, tuned.paid_usd(bound, enough))
    assert sum(share.max_cost_usd or 0.0 for _, _, share in shares) == pytest.approx(
        bound.most_usd * 1.01 - tuned.usd(bound)
    )
    assert tune(bound, published, endpoint, Run("another", max_cost_usd=0.01)) == tuned
    assert tuned.paid_usd(bound, Run("another")) == 0.0


# The job


def test_a_job_is_submitted_once_and_waited_for(published: Store, endpoint: ChatEndpoint):
    training = prepare(published, endpoint, epochs=2, batch_size=4, **PRICES)
    for _ in ("submitted", "queued", "running"):
        with pytest.raises(JobPending, match="fine-tuning job ftjob-1 is"):
            tune_model(training, published, tools(endpoint))
    tuned = tune_model(training, published, tools(endpoint))
    (request,) = endpoint.tuning.requests
    assert request["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}},
    }
    assert request["metadata"] == {"case2code": training.job}
    assert endpoint.files[request["training_file"]] == published.read(training.file.key)
    assert tuned.model.startswith(f"ft:{MODEL}:made:case2code-")
    assert tuned.trained_tokens == training.file.bytes // 4 * 2
    assert tuned.usd(training) == pytest.approx(tuned.trained_tokens * 10e-6)
    assert tuned.usd(training) < training.most_usd
    assert read_tuned(training, published) == tuned
    assert tune(prepare(published, endpoint, epochs=2, batch_size=4, limit=1), published, endpoint) == tuned
    assert len(endpoint.tuning.requests) == len(endpoint.files) == 1


@pytest.mark.parametrize("has_metadata", [True, False])
def test_a_job_that_a_killed_task_has_submitted_is_found_again(
    has_metadata: bool, published: Store, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
):
    endpoint.tuning.has_metadata = has_metadata
    training = prepare(published, endpoint)

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    for part in ("_submit", "_own"):  # before, and after the endpoint has the job
        with monkeypatch.context() as patched:
            patched.setattr(stage, part, killed)
            with pytest.raises(KeyboardInterrupt):
                tune_model(training, published, tools(endpoint))
    assert len(endpoint.tuning.jobs) == 1
    assert tune(training, published, endpoint, Run("the next night")).job_id == "ftjob-1"
    assert len(endpoint.tuning.requests) == len(endpoint.files) == 1


def test_an_endpoint_that_fails_now_and_then_makes_no_second_job(published: Store, endpoint: ChatEndpoint):
    endpoint.tuning.failures = [429, 500, -500]  # the last one answers so after it has made the job
    endpoint.tuning.reads = [503, 429]
    assert tune(prepare(published, endpoint), published, endpoint).job_id == "ftjob-1"
    assert len(endpoint.tuning.requests) == 3
    assert len(endpoint.tuning.jobs) == 1


def test_an_endpoint_that_does_not_answer_is_an_outage(
    published: Store, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "_MAX_ATTEMPTS", 2)
    endpoint.tuning.failures = [500, 500]
    training = prepare(published, endpoint)
    with pytest.raises(OutageError, match="answered 500 after all retries"):
        tune_model(training, published, tools(endpoint))
    assert tune(training, published, endpoint).job_id == "ftjob-1"
    assert len(endpoint.files) == 1


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_job_that_comes_to_nothing_fails_the_run_and_only_a_new_run_submits_another(
    end: str, published: Store, endpoint: ChatEndpoint
):
    endpoint.tuning.end = end
    if end == "failed":
        endpoint.tuning.error = {"code": "exceeded_quota", "message": "Your quota is used up", "param": None}
    training, first, second = prepare(published, endpoint), Run("first"), Run("second")
    said = r"has failed at .*: Your quota is used up \(exceeded_quota\)" if end == "failed" else "has cancelled"
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=said):
            tune(training, published, endpoint, first)
    assert len(endpoint.tuning.jobs) == 1
    endpoint.tuning.end, endpoint.tuning.error = "succeeded", None
    assert tune(training, published, endpoint, second).job_id == "ftjob-2"


def test_a_job_that_the_endpoint_has_lost_is_followed_by_another_only_in_a_new_run(
    published: Store, endpoint: ChatEndpoint
):
    training = prepare(published, endpoint)
    with pytest.raises(JobPending):
        tune_model(training, published, tools(endpoint), Run("first"))
    endpoint.tuning.jobs.clear()
    with pytest.raises(ConfigurationError, match="does not know job ftjob-1 any more"):
        tune_model(training, published, tools(endpoint), Run("first"))
    tune(training, published, endpoint, Run("second"))
    assert len(endpoint.tuning.requests) == 2


def test_a_job_of_another_run_is_joined(published: Store, endpoint: ChatEndpoint):
    training = prepare(published, endpoint)
    with pytest.raises(JobPending):
        tune_model(training, published, tools(endpoint), Run("first"))
    assert tune(training, published, endpoint, Run("second")).job_id == "ftjob-1"


@pytest.mark.parametrize("sees_the_other", [True, False])
def test_of_two_runs_at_once_one_has_the_job(
    sees_the_other: bool, published: Store, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
):
    training, submit = prepare(published, endpoint), stage._submit

    def overtaken(client: Any, planned: Training, record: Any) -> Any:
        monkeypatch.setattr(stage, "_submit", submit)
        with pytest.raises(JobPending):
            tune_model(training, published, tools(endpoint), Run("fast"))
        if sees_the_other:
            return submit(client, planned, record)
        return client.fine_tuning.jobs.create(
            model=MODEL, training_file=record.file_id, hyperparameters={"n_epochs": training.settings.epochs}
        )

    monkeypatch.setattr(stage, "_submit", overtaken)
    with pytest.raises(OutageError, match="another run is tuning the same model"):
        tune_model(training, published, tools(endpoint), Run("slow"))
    assert tune(training, published, endpoint, Run("slow")).job_id == "ftjob-1"
    assert [job.status for job in endpoint.tuning.jobs.values() if job.identity != "ftjob-1"] == (
        [] if sees_the_other else ["cancelled"]
    )


def test_a_job_with_more_epochs_than_were_asked_for_is_cancelled(published: Store, endpoint: ChatEndpoint):
    endpoint.tuning.epochs = 25
    with pytest.raises(ConfigurationError, match="trains 25 epochs where 3 were asked for; job ftjob-1 was cancelled"):
        tune(prepare(published, endpoint), published, endpoint)
    assert endpoint.tuning.jobs["ftjob-1"].status == "cancelled"


def test_what_a_person_has_to_change_is_said_at_once(published: Store, endpoint: ChatEndpoint):
    with pytest.raises(ConfigurationError, match="gpt-none is not available for fine-tuning"):
        tune(prepare(published, endpoint, model="gpt-none"), published, endpoint)
    endpoint.tuning.is_there = False
    with pytest.raises(ConfigurationError, match="has no fine-tuning, or not of 'made-model'"):
        tune(prepare(published, endpoint), published, endpoint)


def test_a_job_is_not_submitted_where_it_was_not_planned(published: Store, endpoint: ChatEndpoint):
    training = prepare(published, endpoint)
    with chat_endpoint.serve() as other, pytest.raises(ConfigurationError, match="start a new run"):
        tune_model(training, published, tools(other))


# Both models


def references() -> dict[str, str]:
    """Right answers by the name of the function, of all tasks."""
    template = parts.prompt(human_eval.NAME, human_eval.PLACEHOLDERS, parts.PROMPTS)
    tasks = human_eval.questions(human_eval.settings_of(evaluation_settings({"model": MODEL})), template)
    return {row["function_name"]: row["completion"] for row in [*HELD_OUT, *tasks]}


def knows(names: Callable[[str], bool]) -> Callable[[str], Answer]:
    """A model that has right answers about these functions."""
    right = references()

    def answer(prompt: str) -> Answer:
        found = re.search(r"function named `(\w+)`|whole function `(\w+)`", prompt)
        assert found
        name = found[1] or found[2]
        return completion(right[name] if names(name) else f"```python\ndef {name}(*a, **k):\n    return 'no'\n```")

    return answer


def asked(training: Training, tuned: Tuned, store: Store, endpoint: ChatEndpoint) -> list[tuple[str, str, Part]]:
    """The four evaluations, planned and asked as the tasks of the DAG do it: questions, model and the one shard."""
    found = []
    for questions in SETS:
        for model in MODELS:
            snapshot, settings = training.evaluation_of(questions, model, tuned.model)
            (part,) = plan_evaluation(snapshot, settings, store, 1, tools(endpoint))
            ask_model(Evaluation.read(store, part.prefix), part, store, tools(endpoint))
            found.append((questions, model, part))
    return found


def evaluated(training: Training, tuned: Tuned, store: Store, endpoint: ChatEndpoint) -> dict[str, dict[str, str]]:
    """Their prefixes, after all is scored and published."""
    prefixes: dict[str, dict[str, str]] = {}
    for questions, model, part in asked(training, tuned, store, endpoint):
        evaluation = Evaluation.read(store, part.prefix)
        score_answers(evaluation, part, store)
        prefixes.setdefault(questions, {})[model] = publish_evaluation(evaluation, [part], store).prefix
    return prefixes


def test_the_report_compares_both_models_task_by_task(published: Store, endpoint: ChatEndpoint):
    training = prepare(published, endpoint, limit=8, **PRICES)
    tuned = tune(training, published, endpoint)
    endpoint.answer = knows(lambda name: name == "add" or name < "f")
    endpoint.answers[tuned.model] = knows(lambda name: name in ("add", "shout") or (name != "halve" and name < "n"))
    report = report_training(training, tuned, evaluated(training, tuned, published, endpoint), published)
    held_out, code = report["sets"]
    assert (held_out["set"], code["set"]) == SETS
    assert held_out["base"]["pass"][0]["value"] == pytest.approx(1 / 3)
    assert held_out["tuned"]["pass"][0]["value"] == pytest.approx(2 / 3)
    assert held_out["difference"][0]["value"] == pytest.approx(1 / 3)
    assert held_out["tasks_by_change"] == {"better": 1, "same": 2, "worse": 0}
    change = code["difference"][0]
    assert (code["base"]["tasks"], code["compared_tasks"], change["tasks"]) == (8, 8, 8)
    gained = code["tuned"]["pass"][0]["value"] - code["base"]["pass"][0]["value"]
    assert change["value"] == pytest.approx(gained)
    assert change["low"] < change["value"] < change["high"]
    assert code["tasks_by_change"]["better"] == round(8 * gained) > 0
    assert report["cost_usd"]["trained"] == pytest.approx(tuned.usd(training))
    assert report["cost_usd"]["tuned_answers"] == pytest.approx(2 * report["cost_usd"]["base_answers"])
    assert report["file"]["sha256"] == training.file.sha256
    assert published.read_json(f"{training.prefix}/report.json") == json.loads(json.dumps(report))
    lines = table(report)
    assert re.match(r"held_out +3 +33.3 \(.*\) +66.7 \(.*\) +\+33.3 \(.*\) +1 / 0", lines[1])
    assert [row["model"] for row in read_leaderboard(published, NAME)] == [tuned.model, MODEL]

    # Nothing is paid for when it runs again.
    assert len(endpoint.prompts) == 2 * (3 + 8)
    again = prepare(published, endpoint, limit=8, **PRICES)
    assert (again, tune(again, published, endpoint)) == (training, tuned)
    asked(again, tuned, published, endpoint)
    assert (len(endpoint.prompts), len(endpoint.tuning.jobs)) == (2 * (3 + 8), 1)


def test_the_command_trains_waits_and_compares(
    published: Store, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "open_store", lambda address: published)
    monkeypatch.setattr(command, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint.answer = lambda prompt: completion("I do not know.")
    words = ["train", NAME, "--model", MODEL, "--base-url", endpoint.url, "--epochs", "1", "--limit", "1"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "12 examples of made/2026-03-01-0123456789ab, 0 of them mixed in; training costs $0.00 at most" in said
    assert re.search(r"human_eval +1 +0.0 .* \+0.0 \(-79.3 to \+79.3\) +0 / 0", said)
    assert f"The recipe of {NAME} does not check human_eval: its tasks may be among the samples." in said
    assert f"{MODEL} → ft:{MODEL}:made:case2code-" in said
    assert main([*words, "--max-cost-usd", "1"]) == 1
    assert "nobody said what it costs" in capsys.readouterr().out
