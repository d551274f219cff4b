"""S3 behind a bad network: what fails is tried again, as the scheduler does it, and the snapshot is the same."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from builders.day_run import day_of, run_day, tiny_recipe
from case2code.errors import OutageError
from case2code.publish_snapshot import Publication
from case2code.store import Access, Store
from stand_ins import bad_network
from tests.faults.days import DAY, content, ledger_keys

#: Fault → to every how many-th request, and what the table says.
BAD = {
    "unavailable": (9, "S3 answers 503"),
    "slow": (40, "S3 answers slowly"),
    "cut_upload": (4, "uploads are cut"),
    "lost_answer": (5, "answers to uploads get lost"),
    "cut_download": (4, "downloads are cut"),
}


def reach(store: Store, address: str) -> Store:
    """The same store at another address, with the client's retries of a task."""
    client = boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id=store.access.key_id,
        aws_secret_access_key=store.access.secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 5}),
    )
    return Store(
        client, store.bucket, store.prefix, Access(address, "us-east-1", store.access.key_id, store.access.secret)
    )


def with_retries(run: Callable[[], Publication], tries: int = 30) -> tuple[Publication, int]:
    """Run the day again where S3 failed it, as Airflow does; returns what came of it, and in how many tries."""
    for number in range(1, tries):
        try:
            return run(), number
        except OutageError:
            continue
    return run(), tries


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", bad_network.FAULTS)
def test_a_day_over_a_bad_network_gives_the_same_snapshot(
    fault: str, repositories: Any, store: Store, undisturbed: dict[str, Any], record_fault: Callable[..., None]
) -> None:
    every, said = BAD[fault]
    day = day_of(DAY, tiny_recipe(repositories.urls))
    assert store.access.endpoint_url
    with bad_network.between(store.access.endpoint_url, fault, every) as address:
        there = reach(store, address)
        done, tries = with_retries(lambda: run_day(day, there))
    assert content(store, done.version) == undisturbed["data"]
    assert ledger_keys(store) == undisturbed["ledgers"], "a key was lost or doubled"
    record_fault(said, f"every {every}th request", f"the day completes in {tries} tries")
