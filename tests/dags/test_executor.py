"""The embedded executor: what it imports before it forks is what its tasks would import otherwise."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from case2code import parts

#: Stands for a worker and its task: a fork has what its worker has, so what is new here costs every task something.
TASK = """
import json, sys, threading
from importlib import import_module
from case2code_embedded.executor import LIBRARIES
from case2code_embedded.refresh import STAGES
for name in LIBRARIES:
    import_module(name)
there = set(sys.modules)
assert threading.active_count() == 1
from case2code_airflow import stages
from case2code.recipe import load_recipe
load_recipe("default")
for stage in STAGES:
    import_module(f"case2code.{stage}")
print(json.dumps(sorted(set(sys.modules) - there)))
"""


def test_a_task_imports_little_but_the_projects_own_modules(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(parts.INCLUDE)}
    done = subprocess.run([sys.executable, "-c", TASK], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = Counter(name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1]))
    foreign = {name: count for name, count in imported.items() if not name.startswith("case2code")}
    # Without LIBRARIES there are about 1,500.
    assert sum(foreign.values()) < 100, Counter(foreign).most_common(10)
    assert imported["case2code"] > 50
