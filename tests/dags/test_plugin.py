"""The plugin: every process of Airflow reads it, so it loads nothing, and its page lets nobody in without a login."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from case2code.parts import INCLUDE

PLUGINS = INCLUDE.parent / "plugins"
READ = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
loaded = {name.partition(".")[0] for name in sys.modules}
views, _ = plugins_manager._get_ui_plugins()
(app,) = [one for one in plugins_manager.get_fastapi_plugins()[0] if one["url_prefix"] == "/case2code"]
from fastapi import FastAPI
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_auth_manager
create_auth_manager().init()
outer = FastAPI()
outer.mount(app["url_prefix"], app["app"])
answers = [TestClient(outer).get(f"/case2code/{path}").status_code for path in ("", "_/style.css", "tiny/latest")]
print(json.dumps({"errors": errors, "loaded": sorted(loaded), "views": views, "answers": answers}))
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow makes of the plugins folder, in a process and a home of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, long enough for a signature",
        "PYTHONPATH": str(INCLUDE),
    }
    done = subprocess.run([sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_there_is_one_plugin_file_and_it_loads_without_the_domain(plugin: dict[str, Any]):
    assert [path.name for path in Path(PLUGINS).rglob("*.py")] == ["case2code_plugin.py"]
    assert plugin["errors"] == {}
    assert {"case2code", "case2code_page", "duckdb", "pyarrow"} & set(plugin["loaded"]) == set()


def test_the_page_is_in_the_navigation(plugin: dict[str, Any]):
    (view,) = [view for view in plugin["views"] if view["name"] == "Case2Code"]
    assert view["destination"] == "nav"
    assert view["href"] == "/case2code/"


def test_nobody_gets_in_without_the_login_of_airflow(plugin: dict[str, Any]):
    assert plugin["answers"] == [401, 401, 401]
