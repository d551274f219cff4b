"""Every DAG parses in a bare Airflow, is documented, and keeps the conventions that users expect."""

import ast
import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from case2code.llm.settings import Prices
from case2code.parts import INCLUDE
from case2code.recipe import load_recipe
from case2code_embedded.command import FIRST_DAY

PROJECT = INCLUDE.parent
DAG_FILES = sorted((PROJECT / "dags").glob("*.py"))
TAGS = {"case2code", "refresh", "evaluate", "maintain", "train"}
STAGES = [
    *("plan_day", "scrape_files", "extract_functions", "filter_functions"),
    *("write_inputs", "execute_inputs", "probe_behaviour", "run_mutants", "select_cases", "publish_snapshot"),
    "judge_night",
]
EVALUATION = ["plan_evaluation", "ask_model", "score_answers", "publish_evaluation"]
TRAINING = ["prepare_training", "tune_model", *EVALUATION, "report_training"]
HEAVY = {"boto3", "botocore", "duckdb", "pyarrow", "openai", "case2code", "pandas", "numpy"}


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow makes of the DAG folder, in a process and a home of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "PYTHONPATH": str(INCLUDE),
    }
    command = [sys.executable, str(Path(__file__).with_name("read_dags.py")), str(PROJECT / "dags")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(params=DAG_FILES, ids=lambda path: path.stem)
def dag(request: pytest.FixtureRequest, parsed: dict[str, Any]) -> dict[str, Any]:
    """The DAG of a file: its id is the file's name."""
    found: dict[str, Any] = parsed["dags"][request.param.stem]
    return found


def test_every_file_parses(parsed: dict[str, Any]):
    assert parsed["errors"] == {}
    assert sorted(parsed["dags"]) == [path.stem for path in DAG_FILES]


def test_parsing_loads_neither_the_domain_nor_a_client(parsed: dict[str, Any]):
    assert "case2code_airflow.stages" in parsed["modules"]
    assert HEAVY & {module.partition(".")[0] for module in parsed["modules"]} == set()


def test_parsing_loads_few_modules_beyond_airflow_itself(parsed: dict[str, Any]):
    own = {module for module in parsed["loaded"] if module.startswith("case2code")}
    glue = (".alerts", ".connections", ".defaults", ".evaluation", ".evaluation_params", ".maintenance")
    names = ("", *glue, ".operators", ".params", ".stages", ".training", ".training_params")
    assert own == {f"case2code_airflow{name}" for name in names}


def test_a_dag_has_known_tags_and_says_what_to_do_when_it_fails(dag: dict[str, Any]):
    assert "case2code" in dag["tags"]
    assert set(dag["tags"]) <= TAGS
    assert dag["doc"].lstrip().startswith("### ")
    assert "When something fails" in dag["doc"]


#: By scheduled DAG, the interval of a run that is started on 2026-03-02 at five.
INTERVALS = {
    "case2code_refresh": ["2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"],
    "case2code_maintain": ["2026-02-22T04:00:00+00:00", "2026-03-01T04:00:00+00:00"],
}


@pytest.mark.parametrize("name", INTERVALS)
def test_a_scheduled_dag_has_an_explicit_data_interval(parsed: dict[str, Any], name: str):
    dag = parsed["dags"][name]
    assert dag["timetable"] == "CronDataIntervalTimetable"
    assert dag["interval"] == INTERVALS[name]


def test_a_dag_has_a_static_start_and_one_run_at_a_time(dag: dict[str, Any]):
    assert datetime.fromisoformat(dag["start_date"]) == FIRST_DAY
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1


def test_a_param_has_title_description_type_and_bounds(dag: dict[str, Any]):
    for name, param in dag["params"].items():
        assert param["title"], name
        assert param["description"].endswith("."), name
        assert param["type"], name
        assert {"maxLength", "maximum", "maxItems", "enum", "pattern"} & set(param) or param["type"] == "boolean", name


def test_a_task_has_an_owner_and_retries_with_back_off(dag: dict[str, Any]):
    for task in dag["tasks"]:
        assert task["owner"] == "case2code"
        assert task["retries"] >= 2
        assert task["backoff"] > 1
        assert task["max_delay_seconds"] <= 1_800


@pytest.mark.parametrize("name", ["case2code_refresh", "case2code_evaluate", "case2code_train"])
def test_the_example_in_the_documentation_fits_the_form_and_can_keep_its_limit(parsed: dict[str, Any], name: str):
    dag = parsed["dags"][name]
    example = json.loads(re.sub(r"\s+", " ", re.findall(r"Example configuration: `(.*?)`", dag["doc"], re.DOTALL)[-1]))
    assert set(example) <= set(dag["params"])
    assert "max_cost_usd" in example
    if name == "case2code_refresh":
        (prices,) = (
            part.settings["usd_per_million"] for part in load_recipe(example["recipe"]).writers if part.name == "llm"
        )
        assert Prices.model_validate(prices) != Prices()
    else:
        assert {param for param in dag["params"] if "usd_per_million" in param} <= set(example)


def test_the_documentation_names_every_stage_in_order(dag: dict[str, Any]):
    places = [dag["doc"].index(f"| `{task['id']}` |") for task in dag["tasks"]]
    assert places == sorted(places)


def test_the_refresh_is_the_stages_in_order_fanned_out_where_they_can_be(parsed: dict[str, Any]):
    tasks = parsed["dags"]["case2code_refresh"]["tasks"]
    assert [task["id"] for task in tasks] == STAGES
    assert [task["upstream"] for task in tasks[:-1]] == [[], *([stage] for stage in STAGES[:-2])]
    assert tasks[-1]["upstream"] == ["publish_snapshot", "write_inputs"]
    assert [task["id"] for task in tasks if task["is_mapped"]] == [
        *("scrape_files", "extract_functions", "write_inputs", "execute_inputs", "probe_behaviour", "run_mutants")
    ]
    assert {task["id"]: task["outlets"] for task in tasks if task["outlets"]} == {
        "publish_snapshot": ["case2code_snapshot"]
    }


def test_maintenance_is_its_tasks_in_order(parsed: dict[str, Any]):
    tasks = parsed["dags"]["case2code_maintain"]["tasks"]
    assert [task["id"] for task in tasks] == [
        *("revoke", "compact_ledgers", "refresh_again", "report_changes", "apply_retention")
    ]
    assert [task["upstream"] for task in tasks] == [
        *([], ["revoke"], ["compact_ledgers"], ["refresh_again", "revoke"], ["report_changes"])
    ]


def test_whoever_runs_mined_code_or_asks_an_llm_takes_a_slot_of_a_pool_that_the_project_creates(
    parsed: dict[str, Any],
):
    pools = json.loads((INCLUDE / "case2code_airflow" / "pools.json").read_text())
    assert all(1 <= pool["slots"] <= 1024 and pool["description"].endswith(".") for pool in pools.values())
    taken = {task["id"]: task["pool"] for dag in parsed["dags"].values() for task in dag["tasks"]}
    assert set(taken.values()) == {"default_pool", *pools}
    assert (taken["write_inputs"], taken["execute_inputs"]) == ("case2code_llm", "case2code_sandbox")


def test_only_two_queues_are_used_and_mined_code_has_its_own(parsed: dict[str, Any]):
    tasks = [task for dag in parsed["dags"].values() for task in dag["tasks"]]
    assert {task["queue"] for task in tasks} == {"default", "sandbox"}
    assert all((task["queue"] == "sandbox") is (task["pool"] == "case2code_sandbox") for task in tasks)


def test_every_task_that_fails_for_good_tells_somebody(dag: dict[str, Any]):
    assert {tuple(task["on_failure"]) for task in dag["tasks"]} == {("alert_failure",)}


def test_the_form_offers_the_sources_that_there_are(parsed: dict[str, Any]):
    param = parsed["dags"]["case2code_refresh"]["params"]["sources"]
    there = sorted(path.stem for path in (INCLUDE / "case2code" / "sources").glob("[a-z]*.py"))
    assert param["items"]["enum"] == param["examples"] == there


def test_an_evaluation_is_its_stages_in_order_fanned_out_between_the_first_and_the_last(parsed: dict[str, Any]):
    tasks = parsed["dags"]["case2code_evaluate"]["tasks"]
    assert [task["id"] for task in tasks] == EVALUATION
    assert [task["upstream"] for task in tasks] == [[], *([stage] for stage in EVALUATION[:-1])]
    assert [task["id"] for task in tasks if task["is_mapped"]] == EVALUATION[1:3]


def test_a_training_is_its_stages_in_order_and_evaluates_in_shards(parsed: dict[str, Any]):
    tasks = parsed["dags"]["case2code_train"]["tasks"]
    assert [task["id"] for task in tasks] == TRAINING
    assert [task["upstream"] for task in tasks] == [[], *([stage] for stage in TRAINING[:-1])]
    assert [task["id"] for task in tasks if task["is_mapped"]] == ["ask_model", "score_answers"]


@pytest.mark.parametrize("name", ["case2code_evaluate", "case2code_train"])
def test_models_answers_run_where_mined_code_runs(parsed: dict[str, Any], name: str):
    taken = {task["id"]: (task["pool"], task["queue"]) for task in parsed["dags"][name]["tasks"]}
    assert taken["score_answers"] == ("case2code_sandbox", "sandbox")
    assert taken["ask_model"] == ("case2code_llm", "default")


def test_the_default_recipe_of_the_dag_exists(parsed: dict[str, Any]):
    name = parsed["dags"]["case2code_refresh"]["params"]["recipe"]["value"]
    assert (INCLUDE / "recipes" / f"{name}.yaml").exists()


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_a_table_of_contents(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 100
    imported = {
        name
        for node in ast.walk(ast.parse(text))
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)])
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {str(name).partition(".")[0] for name in imported} <= {"airflow", "case2code_airflow", "datetime"}
    assert {name for name in imported if str(name).startswith("airflow")} == {"airflow.sdk"}


def test_a_stage_has_one_name_for_module_function_and_task():
    for stage in {*STAGES, *TRAINING}:
        tree = ast.parse((INCLUDE / "case2code" / f"{stage}.py").read_text())
        assert stage in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_plugins_folder_has_one_file_that_hides_no_module():
    """Airflow runs every file there under its bare name: `statistics.py` would replace the standard library's."""
    files = sorted((PROJECT / "plugins").rglob("*.py"))
    assert len(files) <= 1
    assert {path.stem for path in files} & {*sys.stdlib_module_names, "case2code", "airflow"} == set()
