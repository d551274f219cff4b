"""docker-compose.yaml: valid by the Compose specification, without secrets, and each service has what it needs only."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml

from case2code.parts import INCLUDE
from case2code_cluster.keys import fill, required

PROJECT = INCLUDE.parent
FILE = PROJECT / "docker-compose.yaml"
TEXT = FILE.read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = [name for name, service in SERVICES.items() if str(service["image"]).startswith("case2code:")]

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


def keys_of(service: dict[str, Any]) -> set[str]:
    """The keys from .env that a service gets to know."""
    told = json.dumps([service.get("environment", {}), service.get("command", "")])
    configs = [COMPOSE["configs"][config["source"]]["content"] for config in service.get("configs", [])]
    return set(required(told + "".join(configs)))


def test_it_is_valid_by_the_compose_specification():
    schemas = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_every_variable_is_explained_in_the_example_and_every_key_is_made():
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert {name for name in named if f"#{name}=" not in example} == set()
    assert all(re.fullmatch(r"CASE2CODE_\w+_(SECRET|PASSWORD|KEY)", name) for name in required(TEXT))


def test_there_is_no_secret_in_the_file():
    """What follows a word for a secret is a variable."""
    text = re.sub(r"\$\{[^}]*\}", "$VARIABLE", TEXT)
    given = re.findall(r'(?i)(\w*(?:password|secret|key|token))"?: *"?([^\s,"}]+)', text)
    assert len(given) >= 12
    names = {"accessKey": {"admin", "writer", "reader", "sandbox"}}
    for word, value in given:
        assert value in names.get(word, {"$VARIABLE", "$VARIABLE="}), f"{word}: {value}"


@each_service
def test_a_service_is_pinned_unprivileged_limited_and_watched(service: dict[str, Any]):
    assert re.search(r":\d+\.\d+", service["image"]), "a pinned version"
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), "not root"
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "cpus", "pids_limit", "networks"} <= set(service)
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert "healthcheck" in service or service["restart"] == "no"
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    for volume in service.get("volumes", []):
        assert volume.partition(":")[0] in COMPOSE["volumes"], "no folder of the host"
    for name, need in service.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if SERVICES[name]["restart"] == "no" else "service_healthy"
        assert need["condition"] == wanted


def test_whoever_runs_mined_code_knows_two_keys_and_reaches_three_services():
    sandbox = SERVICES["worker-sandbox"]
    assert keys_of(sandbox) == {"CASE2CODE_REDIS_PASSWORD", "CASE2CODE_S3_SANDBOX_SECRET"}
    assert sandbox["networks"] == ["sandbox"]
    assert COMPOSE["networks"]["sandbox"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "sandbox" in service["networks"]} == {
        *("worker-sandbox", "redis", "s3", "api-server")
    }
    (rights,) = [i for i in identities() if i["name"] == "sandbox"]
    written = [action for action in rights["actions"] if action.startswith("Write")]
    assert all(re.fullmatch(r"Write:case2code/[a-z]+/\*", action) for action in written)
    assert not any("snapshots" in action for action in written)


def identities() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(COMPOSE["configs"]["s3"]["content"])["identities"]
    return found


def test_only_those_who_use_the_database_or_the_llm_have_their_keys():
    with_key: dict[str, set[str]] = {}
    for name in SERVICES:
        for key in keys_of(SERVICES[name]):
            with_key.setdefault(key.removeprefix("CASE2CODE_"), set()).add(name)
    servers = {"setup", "api-server", "scheduler", "dag-processor", "triggerer"}
    assert with_key["POSTGRES_PASSWORD"] == servers | {"postgres"}
    assert with_key["LLM_KEY"] == {"llm", "triggerer", "worker-default"}
    assert with_key["S3_ADMIN_SECRET"] == {"s3", "setup"}
    assert with_key["S3_WRITER_SECRET"] == {"s3", "worker-default"}
    assert with_key["JWT_SECRET"] == {"api-server", "scheduler", "triggerer"}


def test_the_queues_of_the_tasks_have_a_worker_each():
    served = [SERVICES[name]["command"] for name in AIRFLOW if "worker" in name]
    assert [command[command.index("--queues") + 1] for command in served] == ["default", "sandbox"]


def test_the_image_holds_what_is_named_and_nothing_else_reaches_its_build():
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in ignored
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        word
        for line in re.findall(r"^COPY (.+) \S+$", COMPOSE["x-build"]["dockerfile_inline"], re.MULTILINE)
        for word in line.split()
    }
    assert {word.replace("[s]", "s") for word in copied} == allowed


def test_keys_are_added_once_are_long_and_are_their_owners_alone(tmp_path: Path):
    environment = tmp_path / ".env"
    environment.write_text("CASE2CODE_FERNET_KEY=mine\nCASE2CODE_LLM_KEY=\n#CASE2CODE_JWT_SECRET=x")
    added = fill(FILE, environment)
    assert "CASE2CODE_FERNET_KEY" not in added
    assert {"CASE2CODE_LLM_KEY", "CASE2CODE_JWT_SECRET"} <= set(added)
    assert fill(FILE, environment) == []
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    text = environment.read_text()
    assert text.startswith("CASE2CODE_FERNET_KEY=mine\n")
    values = re.findall(r"^\w+=(\S{43})$", text, re.MULTILINE)
    assert len(set(values)) == len(added)


def test_keys_need_no_virtual_environment():
    program = "import sys, case2code_cluster.keys; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    environment = {"PYTHONPATH": str(INCLUDE)}
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = set(yaml.safe_load(done.stdout)) - {"__main__", "sitecustomize", "usercustomize"}
    assert loaded - sys.stdlib_module_names == {"case2code_cluster"}
