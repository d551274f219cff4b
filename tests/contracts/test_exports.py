"""What every export keeps to, on a snapshot of real small functions: complete, the same again, and graded right."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from rich.console import Console

from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code import exports, parts
from case2code.commands import export as command
from case2code.errors import ConfigurationError
from case2code.exports import SPLITS, Options, export, names, write_exports
from case2code.exports._check import check
from case2code.exports._samples import Sample, _sample, of_split
from case2code.snapshot import Snapshot, open_snapshot
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client
from case2code_embedded.stack import BUCKET, Stack

NUMBERS = '''
import math

LIMIT = 100


def clamp(number: int, low: int, high: int) -> int:
    """Fenced:

    ```python
    clamp(1, 2, 3)
    ```
    """
    if number < low:
        return low
    return min(number, high, LIMIT)


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def ratio(a: int, b: int, /) -> int:
    return a // b


def norm(x: float, y: float) -> float:
    return math.sqrt(x * x + y * y)
'''
TEXTS = """
def count_words(text: str):
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def letters(text: str):
    return {letter for letter in text.lower() if letter.isalpha()}


def is_long(text: str, limit: int = 3):
    return len(text) > limit
"""


@pytest.fixture(scope="module")
def snapshot(s3: Stack, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    client = s3_client(s3)
    access = Access(client.meta.endpoint_url, "us-east-1", s3.keys["s3_id"], s3.keys["s3_secret"])
    store = Store(client, BUCKET, f"tests/{uuid4().hex}", access)
    folder, noon = tmp_path_factory.mktemp("repositories"), datetime(2026, 3, 1, 12, tzinfo=UTC)
    numbers, texts = GitRepository(folder / "numbers"), GitRepository(folder / "texts")
    numbers.commit(noon, {"pyproject.toml": LICENSED, "numbers.py": NUMBERS})
    texts.commit(noon, {"pyproject.toml": LICENSED, "texts.py": TEXTS})
    split = {"test_share": 0.0, "test_repositories": [texts.url]}
    run_day(day_of("2026-03-02", tiny_recipe([numbers.url, texts.url], split=split)), store)
    return open_snapshot(store, "tiny/latest")


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def samples(snapshot: Snapshot, split: str) -> list[Sample]:
    return list(of_split(snapshot, split))


# What all keep to


@pytest.mark.parametrize("name", names())
def test_it_says_what_it_is_and_writes_the_same_bytes_again(name: str, snapshot: Snapshot, tmp_path: Path):
    module = parts.module("exports", name)
    assert module.__doc__.splitlines()[0].endswith(".")
    rows = [export(snapshot, name, tmp_path / folder) for folder in ("first", "second")]
    assert rows[0] == rows[1] > 0
    assert contents(tmp_path / "first") == contents(tmp_path / "second") != {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


@pytest.mark.parametrize("name", names())
def test_references_score_one_and_mutants_empty_and_raising_answers_nothing(
    name: str, snapshot: Snapshot, tmp_path: Path
):
    export(snapshot, name, tmp_path / "out")
    checked = check(snapshot, name, tmp_path / "out", Options(), max_samples=100)
    assert checked.wrong == []
    expected = sum(len(samples(snapshot, split)) for split in SPLITS)
    assert checked.counts["reference"] >= expected
    assert checked.counts["empty"] == checked.counts["raising"] == checked.counts["reference"]
    assert checked.counts["mutant"] + checked.counts["wrong"] > expected


@pytest.mark.parametrize("name", [name for name in names() if "split" in parts.module("exports", name).OPTIONS])
def test_a_split_alone_is_the_same_file(name: str, snapshot: Snapshot, tmp_path: Path):
    export(snapshot, name, tmp_path / "both")
    export(snapshot, name, tmp_path / "test", Options(split="test"))
    both, alone = contents(tmp_path / "both"), contents(tmp_path / "test")
    assert both.pop("train.jsonl")
    assert alone == both


@pytest.mark.parametrize("name", names())
def test_a_folder_that_is_there_is_left_alone(name: str, snapshot: Snapshot, tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ConfigurationError, match="is there already"):
        export(snapshot, name, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_failure_leaves_no_folder(snapshot: Snapshot, tmp_path: Path, monkeypatch):
    gone = Snapshot(snapshot.store, snapshot.recipe, snapshot.version, {"files": [{"path": "data/not-there.parquet"}]})
    with pytest.raises(Exception, match="not-there"):
        export(gone, "chat", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_self_test_notices_a_wrong_row(snapshot: Snapshot, tmp_path: Path):
    export(snapshot, "rl", tmp_path / "out")
    path = tmp_path / "out/train.jsonl"
    first, *rest = lines(path)
    first["reference"] = f"def {first['function_name']}(*_, **__): return object()"
    path.write_text("".join(json.dumps(row) + "\n" for row in [first, *rest]))
    checked = check(snapshot, "rl", tmp_path / "out", Options(), max_samples=100)
    assert len(checked.wrong) == 1
    assert checked.wrong[0].startswith(f"reference of {first['id']} scores 0.0")


def test_names_that_the_prompt_hides_are_hidden_everywhere():
    case = {"arguments": "{'low': 1, 'high': [2]}", "outcome": "returned", "value": "1", "comparator": "exact"}
    row = dict.fromkeys(("repository", "revision", "path", "start_line", "end_line", "license", "url"))
    row |= {"sample_id": "s", "split": "train", "prompt": "?", "function_name": "pick", "cases": [case]}
    row["code"] = "X = 1\ndef pick(low, /, *, high): return low\n"
    hidden = _sample(row | {"completion": "```python\nX = 1\ndef function(a, /, *, b): return a\n```"})
    assert (hidden.name, hidden.cases[0]["arguments"]) == ("function", "{'a': 1, 'b': [2]}")
    shown = _sample(row | {"completion": f"```python\n{row['code']}```"})
    assert (shown.name, shown.cases, shown.code) == ("pick", (case,), row["code"])


# What each is


def test_chat_lines_have_messages_and_nothing_else(snapshot: Snapshot, tmp_path: Path):
    export(snapshot, "chat", tmp_path / "out")
    for split in SPLITS:
        rows, expected = lines(tmp_path / f"out/{split}.jsonl"), samples(snapshot, split)
        assert len(rows) == len(expected) > 0
        for row, sample in zip(rows, expected, strict=True):
            assert row == {
                "messages": [
                    {"role": "user", "content": sample.prompt},
                    {"role": "assistant", "content": sample.completion},
                ]
            }


def other_text(n: int) -> dict[str, Any]:
    return {"text": f"other {n}"}


def other_chat(n: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"other {n}"}, {"role": "assistant", "content": "so"}]}


@pytest.mark.parametrize(("name", "other"), [("text", other_text), ("chat", other_chat)])
def test_a_mix_has_the_share_that_was_asked_for(name: str, other: Any, snapshot: Snapshot, tmp_path: Path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(other(n) | {"meta": n}) + "\n" for n in range(1_000)))
    own = len(samples(snapshot, "train"))
    for ratio, others in ((0.5, own), (0.25, 3 * own), (0.8, own // 4)):
        folder = tmp_path / f"mix{ratio}"
        assert export(snapshot, name, folder, Options(mix=corpus, ratio=ratio)) == own + others
        rows = lines(folder / "train.jsonl")
        assert {tuple(row) for row in rows} == {tuple(other(0))}
        assert [row for row in rows if "other" in json.dumps(row)] == [other(n) for n in range(others)]
        assert not (folder / "test.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("text", '{"text": "a"}\n', {"ratio": 0.1}, "too few"),
        ("text", "no json\n", {"ratio": 0.1}, "corpus.jsonl:1 is not a line like"),
        ("text", '{"text": 1}\n', {"ratio": 0.1}, "corpus.jsonl:1 is not a line like"),
        ("text", '{"text": "\\ud800"}\n', {"ratio": 0.1}, "corpus.jsonl:1 is not a line like"),
        ("chat", '{"messages": [{"role": "user", "content": "a"}]}\n', {"ratio": 0.1}, "jsonl:1 is not a line like"),
        ("chat", '{"messages": [{"role": "cat", "content": "a"}]}\n', {"ratio": 0.1}, "jsonl:1 is not a line like"),
        ("chat", '{"messages": ["a"]}\n', {"ratio": 0.1}, "jsonl:1 is not a line like"),
        ("text", "", {"ratio": 1.5}, "between 0 and 1"),
        ("text", "", {}, "takes both"),
        ("text", "", {"ratio": 0.5, "split": "test"}, "held out"),
        ("text", None, {"ratio": 0.1}, "cannot read the corpus"),
    ],
)
def test_a_wrong_mix_says_what_to_change(name, content, options, message, snapshot: Snapshot, tmp_path: Path):
    corpus = tmp_path / "corpus.jsonl"
    if content is not None:
        corpus.write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        export(snapshot, name, tmp_path / "out", Options(mix=corpus, **options))
    assert not (tmp_path / "out").exists()


def test_an_option_of_another_export_is_refused(snapshot: Snapshot, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="'rl' does not take --ratio; it takes --split"):
        export(snapshot, "rl", tmp_path / "out", Options(ratio=0.5))


def test_rl_rows_have_the_hidden_cases_and_the_grader_runs_alone(snapshot: Snapshot, tmp_path: Path):
    export(snapshot, "rl", tmp_path / "out")
    rows = lines(tmp_path / "out/test.jsonl")
    assert all({case["shown"] for case in row["cases"]} == {True, False} for row in rows)
    wrong = rows[0]["id"]
    answers = tmp_path / "answers.jsonl"
    answers.write_text(
        "".join(
            json.dumps({"id": row["id"], "answer": "" if row["id"] == wrong else row["reference"]}) + "\n"
            for row in rows
        )
    )
    grade = [sys.executable, "-I", str(tmp_path / "out/grade.py"), str(tmp_path / "out/test.jsonl"), str(answers)]
    done = subprocess.run(grade, capture_output=True, text=True, timeout=300, check=True)
    scores = {line["id"]: line["score"] for line in map(json.loads, done.stdout.splitlines())}
    assert scores == {row["id"]: float(row["id"] != wrong) for row in rows}


def test_preference_pairs_say_whether_a_case_proves_them(snapshot: Snapshot, tmp_path: Path):
    export(snapshot, "preference", tmp_path / "out")
    rows = [row for split in SPLITS for row in lines(tmp_path / f"out/{split}.jsonl")]
    assert {row["killed_by"] > 0 for row in rows} >= {True}
    assert all(row["chosen"] != row["rejected"] for row in rows)
    proved = [row["id"] for row in rows if row["killed_by"]]
    assert len(proved) == len(set(proved))


def test_the_datasets_library_opens_the_folder_and_the_parquet(snapshot: Snapshot, tmp_path: Path):
    export(snapshot, "hugging_face", tmp_path / "out")
    there = set(contents(tmp_path / "out"))
    assert {"README.md", "ATTRIBUTION.md", "LICENSES.md", "manifest.json"} <= there
    assert "| MIT |" in (tmp_path / "out/LICENSES.md").read_text()
    # A process of its own: the library reads its folders and whether it is offline when it is imported.
    script = (
        "import sys, datasets\n"
        "found = datasets.load_dataset(sys.argv[1])\n"
        "parquet = datasets.load_dataset('parquet', data_files={'train': sys.argv[1] + '/data/train-*.parquet'})\n"
        "assert parquet['train'].num_rows == found['train'].num_rows\n"
        "print({name: split.num_rows for name, split in sorted(found.items())}, found['test'][0]['function_name'])\n"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out")],
        capture_output=True, text=True, timeout=600, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = {split: len(samples(snapshot, split)) for split in sorted(SPLITS)}
    assert done.stdout == f"{counts} {samples(snapshot, 'test')[0].name}\n"


# Publication and the command


def test_exports_of_a_recipe_are_beside_the_data(snapshot: Snapshot):
    rows = write_exports(snapshot, ["chat", "rl"])
    keys = [key for key in snapshot.store.keys(f"{snapshot.prefix}/exports/")]
    assert [key.removeprefix(f"{snapshot.prefix}/exports/") for key in keys] == [
        *("chat.json", "chat/test.jsonl", "chat/train.jsonl"),
        *("rl.json", "rl/grade.py", "rl/test.jsonl", "rl/train.jsonl"),
    ]
    total = sum(len(samples(snapshot, split)) for split in SPLITS)
    assert rows == {"chat": total, "rl": total}
    assert write_exports(snapshot, ["chat", "rl"]) == {}, "what is complete is not written again"
    snapshot.store.delete([f"{snapshot.prefix}/exports/rl.json"])
    assert write_exports(snapshot, ["chat", "rl"]) == {"rl": total}, "what was cut off is"


def test_a_recipe_names_exports_that_exist():
    recipe = tiny_recipe(["https://example.org/r.git"], exports=["chat", "rl"])
    assert recipe.exports == ("chat", "rl")
    with pytest.raises(ConfigurationError, match=r"no export 'chatt'; include/case2code/exports/ has: chat, "):
        tiny_recipe(["https://example.org/r.git"], exports=["chatt"])


def test_the_command_exports_and_checks(snapshot: Snapshot, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(command, "open_store", lambda address: snapshot.store)
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default=None)
    command.add_arguments(parser)
    assert all(name in parser.format_help() for name in names())
    console = Console(record=True, width=200)
    words = [snapshot.name, "output_prediction", "--to", str(tmp_path / "out"), "--split", "test", "--check", "2"]
    assert command.run(parser.parse_args(words), console) == 0
    said = console.export_text()
    assert f"rows of {snapshot.name} as output_prediction" in said
    assert "2 reference" in said
    assert "wrong scores: 0" in said


def test_duckdb_reads_an_export(snapshot: Snapshot, tmp_path: Path):
    export(snapshot, "rl", tmp_path / "out")
    with duckdb.connect() as connection:
        found = connection.execute("SELECT count(*) FROM read_json($p)", {"p": str(tmp_path / "out/train.jsonl")})
        assert found.fetchone() == (len(samples(snapshot, "train")),)


def test_every_export_is_in_the_readme():
    readme = (parts.INCLUDE.parent / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Exports")[2].partition("\n## ")[0]
    assert [name for name in exports.names() if f"| `{name}` |" not in section] == []
