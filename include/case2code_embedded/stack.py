"""Ports, keys, folders and environment of one embedded stack, kept in `var/` so that a restart finds its data again."""

import base64
import fcntl
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from case2code.errors import ConfigurationError
from case2code_embedded.children import Children, free_port

PROJECT: Final = Path(__file__).resolve().parents[2]
BUCKET: Final = "case2code"
USER: Final = "admin"
ENVIRONMENT_FILE: Final = "environment.json"
_PORTS: Final = {
    "CASE2CODE_PORT_UI": 8080,
    "CASE2CODE_PORT_S3": 9200,
    "CASE2CODE_PORT_LLM": 9300,
}


@dataclass(slots=True)
class Stack:
    """One embedded stack under `folder`; `environment` is what its Airflow processes see."""

    folder: Path
    children: Children
    ports: dict[str, int]
    keys: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.ports['CASE2CODE_PORT_UI']}"

    @property
    def embeds_s3(self) -> bool:
        return "AIRFLOW_CONN_AWS_DEFAULT" not in os.environ

    @property
    def embeds_llm(self) -> bool:
        return "AIRFLOW_CONN_OPENAI_DEFAULT" not in os.environ

    def write_environment(self) -> None:
        """Let other shells (`make airflow`, `make duckdb`) talk to this stack while it is up."""
        own = {name: value for name, value in self.environment.items() if os.environ.get(name) != value}
        _write_private(self.folder / ENVIRONMENT_FILE, json.dumps(own))


@contextmanager
def open_stack(folder: Path, nightly: bool = False) -> Iterator[Stack]:
    """A stack of which nothing is started yet; on exit everything is stopped.

    `nightly`: its scheduler starts the runs of the schedule too, not only those that it is asked for: a `make run` at
    midnight, or of another day, would pay for a night that nobody asked for. Raises ConfigurationError where another
    stack has the folder.
    """
    with locked(folder), Children(folder / "logs") as children:
        stack = Stack(folder, children, _choose_ports(), _keep_keys(folder / "keys.json"))
        stack.environment = _environment(stack, nightly)
        try:
            yield stack
        finally:
            (folder / ENVIRONMENT_FILE).unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have `folder`, which is made, for this process alone. Raises ConfigurationError where another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ConfigurationError(
                f"{folder} is in use by {lock.read() or 'another process'}: wait until that ends, or stop it; beside "
                "'make up', commands run as many at once as you like"
            ) from None
        lock.truncate(0)
        lock.write(f"'{' '.join([Path(sys.argv[0]).parent.name, *sys.argv[1:3]])}' (process {os.getpid()})")
        lock.flush()
        yield


def is_up(folder: Path) -> bool:
    """Whether a stack on `folder` is ready. A stack that was killed leaves its files, but never its lock."""
    if not (folder / ENVIRONMENT_FILE).exists():
        return False
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _choose_ports() -> dict[str, int]:
    """Ports named in the environment, else the usual ones where they are free, else any free ones."""
    chosen = {}
    for name, usual in _PORTS.items():
        wanted = os.environ.get(name)
        if wanted is not None and not wanted.isdigit():
            raise ConfigurationError(f"{name} is '{wanted}', not a port number")
        chosen[name] = free_port(int(wanted or usual))
        if wanted and chosen[name] != int(wanted):
            raise ConfigurationError(f"{name}: port {wanted} on 127.0.0.1 is in use; choose another, or none")
    return chosen


def _keep_keys(path: Path) -> dict[str, str]:
    """Random keys of this stack, made once."""
    if not path.exists():
        keys = {name: secrets.token_urlsafe(24) for name in ("s3_id", "s3_secret", "llm", "jwt", "session", "password")}
        keys["fernet"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        _write_private(path, json.dumps(keys))
    loaded: dict[str, str] = json.loads(path.read_text())
    return loaded


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _environment(stack: Stack, nightly: bool) -> dict[str, str]:
    home = stack.folder / "airflow"
    passwords = home / "passwords.json"
    home.mkdir(parents=True, exist_ok=True)
    _write_private(passwords, json.dumps({USER: stack.keys["password"]}))
    tasks = len(os.sched_getaffinity(0))
    settings: dict[str, Any] = {
        "core__dags_folder": PROJECT / "dags",
        "core__plugins_folder": PROJECT / "plugins",
        "core__load_examples": False,
        "core__executor": "case2code_embedded.executor.WarmExecutor",
        "core__parallelism": max(2, tasks),  # SQLite has one writer
        "core__execution_api_server_url": f"{stack.ui}/execution/",
        "core__fernet_key": stack.keys["fernet"],
        "core__simple_auth_manager_users": f"{USER}:admin",
        "core__simple_auth_manager_passwords_file": passwords,
        # It has one writer at a time; a backfill's command waits for it longer than the five seconds of the default.
        "database__sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        "database__sql_alchemy_connect_args": "case2code_embedded.metadata_database.CONNECT_ARGS",
        "api__host": "127.0.0.1",
        "api__port": stack.ports["CASE2CODE_PORT_UI"],
        "api__workers": 1,
        "api__secret_key": stack.keys["session"],
        "api_auth__jwt_secret": stack.keys["jwt"],
        "logging__base_log_folder": home / "logs",
        "logging__worker_log_server_port": free_port(8793),
        "logging__trigger_log_server_port": free_port(8794),
        "logging__logging_level": "INFO",
        "scheduler__scheduler_idle_sleep_time": 0.5,
        "scheduler__enable_health_check": False,
        "scheduler__use_job_schedule": nightly,
        "dag_processor__refresh_interval": 30,
        "usage_data_collection__enabled": False,
    }
    environment = {f"AIRFLOW__{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(PROJECT / "include"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CASE2CODE_SHARDS": os.environ.get("CASE2CODE_SHARDS", str(max(2, tasks))),
        "CASE2CODE_STORE": os.environ.get("CASE2CODE_STORE", f"s3://{BUCKET}"),
    }
    if stack.embeds_s3:
        environment["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(
            {
                "conn_type": "aws",
                "login": stack.keys["s3_id"],
                "password": stack.keys["s3_secret"],
                "extra": {
                    "region_name": "us-east-1",
                    "endpoint_url": f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_S3']}",
                    "config_kwargs": {"s3": {"addressing_style": "path"}},
                },
            }
        )
    if stack.embeds_llm:
        environment["AIRFLOW_CONN_OPENAI_DEFAULT"] = json.dumps(
            {
                "conn_type": "openai",
                "host": f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_LLM']}/v1",
                "password": stack.keys["llm"],
                "extra": {"openai_client_kwargs": {"max_retries": 4, "timeout": 300}},
            }
        )
    return {**os.environ, **environment}
