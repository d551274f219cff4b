"""The one place where tables live: a prefix of an S3 bucket.

Every object is written once and never changed, except `latest.json`, which moves by a conditional write.
Names that come from outside reach a key only through `slug`.
"""

import hashlib
import io
import json
import logging
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import botocore.exceptions
import pyarrow as pa
import pyarrow.parquet as pq
from boto3.s3.transfer import TransferConfig

from case2code.errors import ConfigurationError, CorruptError, OutageError
from case2code.seals import is_sealed, seal

log = logging.getLogger(__name__)

#: Rows of a row group, as DuckDB writes and likes them.
ROW_GROUP: Final = 122_880
#: The client tries again until an answer begins; one that breaks off is asked for again here, so many times in all.
_READS: Final = 5
#: S3 takes 5 GB in one request; a larger file goes in parts.
_PARTS: Final = TransferConfig(multipart_threshold=1 << 32, multipart_chunksize=1 << 28, use_threads=False)
_CUT: Final = (botocore.exceptions.ResponseStreamingError, botocore.exceptions.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Access:
    """How DuckDB reaches the same bucket as boto3; empty keys mean the AWS credential chain."""

    endpoint_url: str | None = None
    region: str | None = None
    key_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def slug(name: str) -> str:
    """A name from outside as one harmless path segment; the hash keeps two names apart.

    >>> slug("https://example.org/a b.git")
    'https-example.org-a-b.git-bef8ad58'
    """
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


class Store:
    """Objects and tables under `s3://bucket/prefix`; `client` is a boto3 S3 client.

    Every method raises OutageError where S3 does not answer and ConfigurationError where it refuses.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", access: Access | None = None) -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.access = access or Access()

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self._full(key)}"

    def uris(self, keys: list[str]) -> list[str]:
        return [self.uri(key) for key in keys]

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        endpoint = self.client.meta.endpoint_url
        try:
            yield
        except botocore.exceptions.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = error.response.get("Error", {}).get("Code", "")
            if code == "NoSuchBucket":
                raise ConfigurationError(
                    f"no bucket '{self.bucket}' at {endpoint}; create it, or name another in CASE2CODE_STORE"
                ) from error
            if status in (400, 401, 403):
                raise ConfigurationError(
                    f"S3 at {endpoint} refused {self.uri(key)} ({code}): check the connection aws_default"
                ) from error
            if status >= 500 or status == 429:
                raise OutageError(f"S3 at {endpoint} answered {status} for {self.uri(key)}") from error
            raise
        except botocore.exceptions.NoCredentialsError as error:
            raise ConfigurationError(f"no credentials for S3 at {endpoint}: set the connection aws_default") from error
        except botocore.exceptions.BotoCoreError as error:
            raise OutageError(f"S3 at {endpoint} did not answer for {self.uri(key)}: {error}") from error

    def exists(self, key: str) -> bool:
        with self._explained(key):
            try:
                self.client.head_object(Bucket=self.bucket, Key=self._full(key))
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                    return False
                raise
        return True

    def keys(self, prefix: str) -> list[str]:
        """Keys under `prefix`, sorted, without the store's own prefix."""
        cut = len(self._full(""))
        with self._explained(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._full(prefix))
            return sorted(item["Key"][cut:] for page in pages for item in page.get("Contents", []))

    def modified(self, prefix: str) -> dict[str, datetime]:
        """When each object under `prefix` was written, by key, as S3's own clock says."""
        cut = len(self._full(""))
        with self._explained(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._full(prefix))
            return {i["Key"][cut:]: i["LastModified"] for page in pages for i in page.get("Contents", [])}

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is gone already is no mistake."""
        for key in keys:
            with self._explained(key):
                self.client.delete_object(Bucket=self.bucket, Key=self._full(key))

    def tags(self, prefix: str) -> dict[str, str]:
        """ETag of every object under `prefix` by key: what changed is known without reading it."""
        cut = len(self._full(""))
        with self._explained(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._full(prefix))
            return {item["Key"][cut:]: item["ETag"] for page in pages for item in page.get("Contents", [])}

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders right under `prefix`, sorted; what they hold is not listed."""
        full = self._full(prefix)
        with self._explained(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=full, Delimiter="/"
            )
            found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return sorted(name.removeprefix(full).strip("/") for name in found)

    def read(self, key: str) -> bytes:
        return self.read_with_tag(key)[0]

    def read_with_tag(self, key: str) -> tuple[bytes, str]:
        """Content and ETag. Raises KeyError where there is no such object."""
        with self._explained(key):
            for tries_left in reversed(range(_READS)):
                try:
                    answer = self.client.get_object(Bucket=self.bucket, Key=self._full(key))
                    content: bytes = answer["Body"].read()
                    break
                except _CUT:
                    if not tries_left:
                        raise
                except botocore.exceptions.ClientError as error:
                    if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                        raise KeyError(self.uri(key)) from None
                    raise
        return content, answer["ETag"]

    def write(self, key: str, content: bytes) -> None:
        with self._explained(key):
            self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=content)

    def write_file(self, key: str, path: Path) -> None:
        """Write a file of any length, without holding it in memory."""
        with path.open("rb") as file, self._explained(key):
            self.client.upload_fileobj(file, self.bucket, self._full(key), Config=_PARTS)

    def write_if_absent(self, key: str, content: bytes) -> bool:
        """Create the object; False where another content is there already.

        A retry after a lost answer meets its own object, so equal content counts as written.
        """
        return self._conditional(key, content, IfNoneMatch="*") or self.read(key) == content

    def replace(self, key: str, content: bytes, tag: str) -> bool:
        """Replace the version that has ETag `tag`; False where another has taken its place."""
        return self._conditional(key, content, IfMatch=tag)

    def _conditional(self, key: str, content: bytes | IO[bytes], **condition: str) -> bool:
        with self._explained(key):
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=content, **condition)
            except botocore.exceptions.ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    return False
                if status == 409:  # AWS: another write of this key is under way, and may still fail
                    raise OutageError(f"{self.uri(key)} is being written by another run") from error
                raise
        return True

    def read_json(self, key: str) -> Any:
        return json.loads(self.read(key))

    def write_json(self, key: str, value: Any) -> None:
        self.write(key, to_json(value))

    def read_parquet(self, key: str) -> bytes:
        """Content of a table's object. Raises CorruptError where it is not what was written."""
        content = self.read(key)
        if not is_sealed(content):
            raise CorruptError(f"{self.uri(key)} is corrupt, its checksum says; run the day again to make it anew")
        return content

    def read_table(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """Raises KeyError where there is no such table, and CorruptError."""
        # Not pq.read_table, whose threads may hold the stream for longer than the interpreter lives: it then aborts.
        return pq.ParquetFile(io.BytesIO(self.read_parquet(key))).read(columns)

    def find_table(self, key: str, columns: list[str]) -> pa.Table | None:
        """The table, or None where it has to be made: there is none, or it is corrupt."""
        try:
            return self.read_table(key, columns)
        except KeyError:
            return None
        except CorruptError:
            log.warning("%s is corrupt, its checksum says; it is made again", self.uri(key))
            return None

    def write_table(self, key: str, table: pa.Table) -> None:
        self.write(key, to_parquet(table))

    def write_batches(self, key: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Write a table of any length in the memory of one batch; each becomes a row group."""
        with _spooled(schema, batches) as file, self._explained(key):
            self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=file)

    def write_batches_if_absent(self, key: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> bool:
        """The same, where there is no such object yet; False where there is one."""
        with _spooled(schema, batches) as file:
            return self._conditional(key, file, IfNoneMatch="*")


@contextmanager
def _spooled(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[IO[bytes]]:
    """The table as a Parquet file on disk, at its beginning."""
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch, ROW_GROUP)
        seal(file)
        file.seek(0)
        yield file


def to_json(value: Any) -> bytes:
    """JSON as it is stored: keys sorted, so that equal values are equal bytes."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def to_parquet(table: pa.Table) -> bytes:
    """Parquet as it is stored: the same rows give the same bytes, sealed; row groups suit DuckDB."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP)
    seal(sink)
    return sink.getvalue()
