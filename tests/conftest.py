"""What most tests share: a real S3 server, and an empty place on it for each test."""

import os
from collections.abc import Iterator
from uuid import uuid4

import hypothesis
import pytest

from case2code import parts
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, Stack, open_stack

# A busy machine is slow, which is no fault of an example.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

#: For the processes that tests start; pytest's own `pythonpath` reaches only this one.
os.environ["PYTHONPATH"] = str(parts.INCLUDE)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded SeaweedFS of `make run`, once for the session."""
    with open_stack(tmp_path_factory.mktemp("stack")) as stack:
        start_object_store(stack)
        yield stack
        stack.children.stop(seconds=1)  # it would take eight to end by itself, and its data is thrown away


@pytest.fixture
def store(s3: Stack) -> Store:
    """An empty store: a fresh prefix of the server's bucket, which DuckDB can read too."""
    client = s3_client(s3)
    access = Access(client.meta.endpoint_url, "us-east-1", s3.keys["s3_id"], s3.keys["s3_secret"])
    return Store(client, BUCKET, f"tests/{uuid4().hex}", access)
