"""Start whatever the stack embeds, in order, saying what takes time."""

from rich.console import Console

from case2code_embedded.airflow_server import start_airflow
from case2code_embedded.object_store import start_object_store
from case2code_embedded.stack import Stack
from case2code_embedded.writer_model import start_writer_model


def start_servers(stack: Stack, console: Console, llm: bool = True) -> None:
    """Start S3, the LLM (where `llm` asks for it) and Airflow; what the environment connects to is not embedded.

    Raises OutageError with the end of the log of the one that does not come up.
    """
    if stack.embeds_s3:
        with console.status("Starting the S3 server (SeaweedFS) …"):
            start_object_store(stack)
    if stack.embeds_llm and llm:
        with console.status("Starting the writer LLM (SmolLM2 on llama.cpp) …"):
            start_writer_model(stack)
    with console.status("Starting Airflow (database, API server, scheduler, DAG processor, triggerer) …"):
        start_airflow(stack)
    stack.write_environment()
