"""The embedded S3 server: what it stored it gives again as soon as it counts as started."""

from pathlib import Path

from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, open_stack


def test_a_server_that_was_started_again_gives_what_it_had(tmp_path: Path) -> None:
    with open_stack(tmp_path) as stack:
        start_object_store(stack)
        s3_client(stack).put_object(Bucket=BUCKET, Key="mine", Body=b"kept")
        stack.children.stop()
        start_object_store(stack)
        assert s3_client(stack).get_object(Bucket=BUCKET, Key="mine")["Body"].read() == b"kept"
        stack.children.stop(seconds=1)
