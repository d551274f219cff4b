"""Create the bucket of `CASE2CODE_STORE` with the connection `aws_default`, where it is not there yet."""

import contextlib

from case2code_airflow.connections import open_store


def main() -> None:
    store = open_store()
    there = (store.client.exceptions.BucketAlreadyExists, store.client.exceptions.BucketAlreadyOwnedByYou)
    with contextlib.suppress(*there):
        store.client.create_bucket(Bucket=store.bucket)
    store.write(".ready", b"stored")  # a server that has just started lists buckets before it stores anything


if __name__ == "__main__":
    main()
