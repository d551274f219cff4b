"""The embedded S3 server: SeaweedFS, the real `weed` program from its PyPI package."""

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.exceptions
from botocore.config import Config

from case2code.errors import ConfigurationError
from case2code_embedded.children import free_port
from case2code_embedded.stack import BUCKET, Stack

#: An object that stays, and tells a server that was started again from one that has found its data.
_READY: Final = ".ready"


def start_object_store(stack: Stack) -> None:
    """Start the server, wait until it stores an object, and create the bucket."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if weed is None:
        raise ConfigurationError("the program 'weed' is not in the virtual environment: run 'make clean' and try again")
    data = stack.folder / "s3"
    data.mkdir(exist_ok=True)
    port = stack.ports["CASE2CODE_PORT_S3"]
    command = [
        *(weed, "-logtostderr=true", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-s3", f"-s3.port={port}", f"-s3.port.grpc={free_port()}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        # The master keeps its state by its port; a fixed preference keeps one state for one folder.
        *(f"-master.port={free_port(9201)}", f"-master.port.grpc={free_port()}", "-master.electionTimeout=1s"),
        *("-master.volumeSizeLimitMB=1024", "-volume.max=0", "-volume.preStopSeconds=0"),
        *(f"-volume.port={free_port()}", f"-volume.port.grpc={free_port()}"),
        *(f"-filer.port={free_port()}", f"-filer.port.grpc={free_port()}"),
    ]
    keys = {"AWS_ACCESS_KEY_ID": stack.keys["s3_id"], "AWS_SECRET_ACCESS_KEY": stack.keys["s3_secret"]}
    stack.children.start("s3", command, {**os.environ, **keys})
    client = s3_client(stack)
    known = stack.folder / "s3-stored"
    stack.children.wait_until("s3", lambda: (not known.exists() or _gives(client)) and _stores(client), seconds=60)
    known.touch()


def s3_client(stack: Stack) -> Any:
    """A boto3 client of the embedded server."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_S3']}",
        aws_access_key_id=stack.keys["s3_id"],
        aws_secret_access_key=stack.keys["s3_secret"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2),
    )


def _gives(client: Any) -> bool:
    """Whether the server, started again, gives what it had: it takes new objects before it finds the old ones."""
    try:
        return bool(client.get_object(Bucket=BUCKET, Key=_READY)["Body"].read())
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return False


def _stores(client: Any) -> bool:
    """Whether the server takes an object; it lists buckets seconds before it does."""
    try:
        with contextlib.suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=_READY, Body=b"stored")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return False
    return True
