"""What the fault tests look at: the bytes of a snapshot, the keys of the ledgers, and a day in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from case2code.store import Store

DAY = "2026-03-02"

#: Runs the day of the recipe over the urls that come on stdin; prints the version. Before that, one process for each
#: of the patterns `die_at` runs the day, and is killed as soon as S3 has taken an object whose key matches.
RUNNER = """
import json, os, re, signal, sys, boto3
from botocore.config import Config
from builders.day_run import day_of, run_day, tiny_recipe
from case2code.store import Access, Store
told = json.loads(sys.stdin.read())

def run(die_at=None):
    client = boto3.client("s3", endpoint_url=told["endpoint"], aws_access_key_id=told["key_id"],
                          aws_secret_access_key=told["secret"], region_name="us-east-1",
                          config=Config(s3={"addressing_style": "path"}))
    if die_at:
        written = []
        def die(**_):
            if re.search(die_at, written[-1].removeprefix(told["prefix"] + "/")):
                os.kill(os.getpid(), signal.SIGKILL)
        events = client.meta.events
        events.register("before-parameter-build.s3.PutObject", lambda params, **_: written.append(params["Key"]))
        events.register("after-call.s3.PutObject", die)
    access = Access(told["endpoint"], "us-east-1", told["key_id"], told["secret"])
    store = Store(client, told["bucket"], told["prefix"], access)
    return run_day(day_of(told["day"], tiny_recipe(told["urls"])), store).version

for die_at in told["die_at"]:
    child = os.fork()
    if not child:
        run(die_at)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -signal.SIGKILL:
        sys.exit(f"{die_at}: the process ended with {status}, and was not killed")
print(run())
"""


def content(store: Store, version: str) -> dict[str, bytes]:
    """The data files of a snapshot by path."""
    prefix = f"snapshots/tiny/{version}/data/"
    return {key.removeprefix(prefix): store.read(key) for key in store.keys(prefix)}


def ledger_keys(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Keys of the rows of the ledgers of inputs and executions, in order."""
    columns = {"inputs/": ["function_id"], "executions/": ["function_id", "arguments"]}
    return {
        prefix: sorted(tuple(r.values()) for k in store.keys(prefix) for r in store.read_table(k, key).to_pylist())
        for prefix, key in columns.items()
    }


def start_day(
    store: Store, urls: Sequence[str], *wrapper: str, die_at: Sequence[str] = (), **environment: str
) -> "subprocess.Popen[str]":
    """The day in a process of its own, run by the command `wrapper` if any, after others that are killed `die_at`."""
    process = subprocess.Popen(
        [*wrapper, sys.executable, "-c", RUNNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
    )
    told = {"endpoint": store.access.endpoint_url, "key_id": store.access.key_id, "secret": store.access.secret}
    told |= {"bucket": store.bucket, "prefix": store.prefix, "urls": list(urls), "day": DAY, "die_at": list(die_at)}
    assert process.stdin is not None
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    process.stdin = None
    return process
