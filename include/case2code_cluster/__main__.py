"""`python -m case2code_cluster`: the services of `docker-compose.yaml` from local packages, and one refresh on them.

It needs no container engine: PostgreSQL and Redis of the machine, everything else of the virtual environment. Commands,
queues, rights and settings are the file's; addresses and folders are replaced. As root, each service runs as a user of
its own, where that one can reach the interpreter, and one from which the file keeps some of the others away has a
network of its own.
"""

import argparse
import functools
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import requests
from rich.console import Console

from case2code import parts
from case2code.errors import ConfigurationError, OutageError
from case2code.recipe import load_recipe
from case2code_cluster import compose, keys
from case2code_embedded.airflow_server import DAG, AirflowClient
from case2code_embedded.children import Children, free_port
from case2code_embedded.command import complete_day, end_well, latest_complete_day, recipe_for_tasks
from case2code_embedded.refresh import run_refresh, show_result
from case2code_embedded.stack import PROJECT, Stack, locked

FOLDER: Final = Path(os.environ.get("CASE2CODE_HOME", PROJECT / "var")) / "cluster"
_PORTS: Final = {"postgres": 5432, "redis": 6379, "s3": 8333, "api-server": 8080, "llm": 9300}
_AIRFLOW: Final = ("scheduler", "dag-processor", "triggerer", "worker-default", "worker-sandbox")
#: As root, every service is a user of its own, without a name and without rights.
_USERS: Final = {name: 50_000 + n for n, name in enumerate((*_PORTS, "setup", *_AIRFLOW))}
#: What they share is the folder of the tasks' logs, as containers share the volume.
_GROUP: Final = 50_000
#: How this machine reaches the internet: its proxies, and the certificates that it trusts.
_ROUTE: Final = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"),
)


class Cluster:
    """The services of the file as children of this process, with all that they keep in `folder`."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.folder = folder
        self.children = children
        self.ports = {name: free_port() for name in _PORTS}
        self.keys = _keep_keys(folder)
        topology = compose.read(PROJECT / "docker-compose.yaml", self.keys)
        self.configs = topology.configs
        places = {f"{name}:{port}": f"127.0.0.1:{self.ports[name]}" for name, port in _PORTS.items()}
        places |= {quote(old, safe=""): quote(new, safe="") for old, new in places.items()}
        places |= {"0.0.0.0": "127.0.0.1", "/opt/case2code/logs": str(folder / "logs-of-tasks")}  # noqa: S104
        places |= {f"/opt/case2code/{name}": str(folder / name) for name in ("cache", "s3")}
        places |= {"/opt/case2code": str(PROJECT), "/etc/seaweedfs": str(folder / "s3")}
        self.services = {name: compose.relocated(service, places) for name, service in topology.services.items()}

    def start(self, name: str, command: list[str] | None = None) -> None:
        """Start a service by the file's command, or by another where the local package is called differently."""
        words = as_user(name, command or list(self.services[name].command))
        self.children.start(name, self._within_its_network(name, words), self.environment(name))

    def _within_its_network(self, name: str, command: list[str]) -> list[str]:
        """The command with a way to those services alone that the file has a network for, where that can be made."""
        networks = set(self.services[name].networks)
        near = [other for other in self.ports if networks & set(self.services[other].networks)]
        if len(near) == len(self.ports) or not _can_be_apart():
            return command
        ports = [str(self.ports[other]) for other in near]
        return [sys.executable, "-m", "case2code_cluster.network", *ports, "--", *command]

    def run(self, name: str, command: list[str]) -> None:
        """Run a command of a service to its end. Raises OutageError with its last words."""
        done = subprocess.run(
            as_user(name, command), env=self.environment(name), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OutageError(f"{name}: {' '.join((done.stderr or done.stdout).strip().splitlines()[-1:])}")

    def environment(self, name: str) -> dict[str, str]:
        """What the file tells the service, and nothing of this process but where programs and the internet are."""
        home = _own_folder(self.folder / "homes" / name, name)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        local = {"HOME": str(home), "AIRFLOW_HOME": str(home), "PATH": path, "PYTHONPATH": str(parts.INCLUDE)}
        local |= {
            "HOSTNAME": name,
            "USER": name,
            "AIRFLOW__API__PORT": str(self.ports["api-server"]),
            "LC_ALL": "C.UTF-8",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # one run was asked for, and no night beside it
        }
        local |= {f"AIRFLOW__LOGGING__{kind}_LOG_SERVER_PORT": str(free_port()) for kind in ("WORKER", "TRIGGER")}
        told = {key: text.replace("/opt/airflow", str(home)) for key, text in self.services[name].environment.items()}
        return {name: os.environ[name] for name in _ROUTE if name in os.environ} | told | local


def _user(name: str) -> int:
    """PostgreSQL insists on a user with a name, and its package makes one."""
    return pwd.getpwnam("postgres").pw_uid if name == "postgres" else _USERS[name]


@functools.cache
def _can_be_apart() -> bool:
    """Whether a process can have a network of its own: that takes root, and some containers refuse it."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0


@functools.cache
def _can_be_another(name: str) -> bool:
    """Whether the service can be a user of its own: that takes root, and an interpreter outside of root's home."""
    if os.geteuid():
        return False
    program = "true" if name in ("postgres", "redis") else sys.executable
    tried = _changed(name, ["sh", "-c", 'exec "$0" --version', program])
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def as_user(name: str, command: list[str]) -> list[str]:
    """The command as the service's own user runs it, where it can be one."""
    return _changed(name, command) if _can_be_another(name) else command


def _changed(name: str, command: list[str]) -> list[str]:
    user = str(_user(name))
    # Another user's process forgets whom it dies with, so it is told again.
    return [
        *("setpriv", "--reuid", user, "--regid", str(_GROUP), "--clear-groups", "--no-new-privs"),
        *("--pdeathsig", "TERM", "--", *command),
    ]


def _own_folder(path: Path, name: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    _give(path, name)
    return path


def _give(path: Path, name: str) -> None:
    if _can_be_another(name):
        os.chown(path, _user(name), _GROUP)


def _keep_keys(folder: Path) -> dict[str, str]:
    """The keys that the file requires, made once for this folder."""
    environment = folder / "keys.env"
    keys.fill(PROJECT / "docker-compose.yaml", environment)
    return dict(line.split("=", 1) for line in environment.read_text(encoding="utf-8").splitlines())


def _start_postgres(cluster: Cluster) -> None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        raise ConfigurationError("PostgreSQL is not installed (Debian, Ubuntu: apt install postgresql redis-server)")
    told, folder = cluster.services["postgres"].environment, _own_folder(cluster.folder / "postgres", "postgres")
    access = {"PGPASSWORD": told["POSTGRES_PASSWORD"], "PGUSER": told["POSTGRES_USER"]}
    address = ["--host=127.0.0.1", f"--port={cluster.ports['postgres']}"]
    if not (folder / "data" / "PG_VERSION").exists():
        password = cluster.folder / "homes" / "postgres" / "password"
        _own_folder(password.parent, "postgres")
        password.write_text(told["POSTGRES_PASSWORD"])
        password.chmod(0o600)
        _give(password, "postgres")
        make = [str(programs[-1] / "initdb"), "-D", str(folder / "data"), "-U", told["POSTGRES_USER"]]
        cluster.run("postgres", [*make, "-A", "scram-sha-256", "-E", "UTF8", f"--pwfile={password}"])
        password.unlink()
    server = [str(programs[-1] / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    cluster.start("postgres", [*server, "-c", "listen_addresses=127.0.0.1", "-p", str(cluster.ports["postgres"])])

    def answers() -> bool:
        command = [str(programs[-1] / "createdb"), *address, told["POSTGRES_DB"]]
        done = subprocess.run(command, env=os.environ | access, capture_output=True, text=True, check=False)
        return done.returncode == 0 or "already exists" in done.stderr

    cluster.children.wait_until("postgres", answers, seconds=120)


def _start_redis(cluster: Cluster) -> None:
    if shutil.which("redis-server") is None:
        raise ConfigurationError("Redis is not installed (Debian, Ubuntu: apt install postgresql redis-server)")
    folder = _own_folder(cluster.folder / "redis", "redis")
    port, (shell, flag, script) = cluster.ports["redis"], cluster.services["redis"].command
    script = script.replace("dir /data", f"dir {folder}").replace(
        "redis-server -", f"redis-server - --port {port} --bind 127.0.0.1"
    )
    cluster.start("redis", [shell, flag, script])
    told = {"REDISCLI_AUTH": cluster.keys["CASE2CODE_REDIS_PASSWORD"]}
    ping = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), "ping"]

    def answers() -> bool:
        done = subprocess.run(ping, env=os.environ | told, capture_output=True, text=True, check=False)
        return "PONG" in done.stdout

    cluster.children.wait_until("redis", answers, seconds=60)


def _start_s3(cluster: Cluster) -> None:
    folder = _own_folder(cluster.folder / "s3", "s3")
    identities = folder / "s3.json"
    identities.write_text(cluster.configs["s3"])
    identities.chmod(0o600)
    _give(identities, "s3")
    command = [word for word in cluster.services["s3"].command if not word.startswith(("-ip", "-s3.port"))]
    # In a container every service has all ports; here they are shared, and the master keeps its state by its own.
    own = [f"-{part}.port={free_port()}" for part in ("volume", "filer")]
    own += [f"-{part}.port.grpc={free_port()}" for part in ("s3", "master", "volume", "filer")]
    own += [f"-s3.port={cluster.ports['s3']}", f"-master.port={free_port(9211)}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    cluster.start("s3", [*command, *own, "-s3.port.iceberg=0", "-s3.port.lance=0"])
    address = f"http://127.0.0.1:{cluster.ports['s3']}/healthz"
    cluster.children.wait_until("s3", lambda: _answers(address), seconds=60)


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).status_code == 200
    except requests.RequestException:
        return False


def _parts_are_healthy(address: str) -> bool:
    try:
        found = requests.get(f"{address}/api/v2/monitor/health", timeout=10).json()
    except requests.RequestException:
        return False
    return all(found[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor"))


def start(cluster: Cluster, console: Console, llm: bool) -> Stack:
    """Start the services in the order of the file's `depends_on`; returns what the embedded stack's client needs."""
    os.umask(0o002)  # the services' group may write what they share; what holds a key has a mode of its own
    _own_folder(cluster.folder / "cache", "worker-default")
    _own_folder(cluster.folder / "logs-of-tasks", "worker-default").chmod(0o2770)
    with console.status("Starting PostgreSQL, Redis and S3 …"):
        _start_postgres(cluster)
        _start_redis(cluster)
        _start_s3(cluster)
    with console.status("Making the database's schema, the pools and the bucket …"):
        _set_up(cluster)
    ui = f"http://127.0.0.1:{cluster.ports['api-server']}"
    with console.status("Starting Airflow with two Celery workers …"):
        if llm:
            cluster.start("llm", [sys.executable, *cluster.services["llm"].command[1:-1], str(cluster.ports["llm"])])
            cluster.children.wait_until("llm", lambda: _answers(f"http://127.0.0.1:{cluster.ports['llm']}/health"), 120)
        cluster.start("api-server")
        cluster.children.wait_until("api-server", lambda: _answers(f"{ui}/api/v2/monitor/health"), seconds=240)
        for name in _AIRFLOW:
            # In containers the host's name tells the workers apart.
            own = ["--celery-hostname", name] if name.startswith("worker-") else []
            cluster.start(name, [*cluster.services[name].command, *own])
        cluster.children.wait_until("scheduler", lambda: _parts_are_healthy(ui), seconds=240)
    ports = {"CASE2CODE_PORT_UI": cluster.ports["api-server"], "CASE2CODE_PORT_S3": cluster.ports["s3"]}
    told = os.environ | cluster.environment("worker-default")
    return Stack(cluster.folder, cluster.children, ports, {"password": cluster.keys["CASE2CODE_UI_PASSWORD"]}, told)


def _set_up(cluster: Cluster, seconds: float = 60) -> None:
    """The one-shot service, again for as long as S3 answers and does not store yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            cluster.run("setup", list(cluster.services["setup"].command))
        except OutageError as error:
            if "OutageError" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m case2code_cluster", description=__doc__)
    parser.add_argument("--recipe", default="default", help="a name, or the path of a YAML file")
    parser.add_argument("--day", type=complete_day, help="default: the latest complete day (UTC)")
    arguments = parser.parse_args()
    return end_well(lambda console: _refresh(arguments, console))


def _refresh(arguments: argparse.Namespace, console: Console) -> int:
    recipe = load_recipe(arguments.recipe)
    day = arguments.day or latest_complete_day()
    llm = any(parts.module("writers", writer.name).USES_LLM for writer in recipe.writers)
    with locked(FOLDER), Children(FOLDER / "logs") as children:
        stack = start(Cluster(FOLDER, children), console, llm)
        client = AirflowClient(stack)
        children.wait_until("dag-processor", lambda: client.call("GET", f"dags/{DAG}").ok, seconds=240)
        tasks = run_refresh(client, stack, day, {"recipe": recipe_for_tasks(arguments.recipe)}, console)
        os.environ.update(stack.environment | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"})
        from case2code_airflow.connections import open_store

        show_result(open_store(), recipe.name, day, tasks, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
