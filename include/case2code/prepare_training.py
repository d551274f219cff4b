"""Stage `prepare_training`: the file to train on, under the hash of its content, and what training may cost.

Nothing leaves the store here.
"""

import hashlib
import json
import logging
import math
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import botocore.exceptions

from case2code import database
from case2code.errors import ConfigurationError, OutageError
from case2code.exports import Options, export
from case2code.llm.budget import UNLIMITED, Run
from case2code.models import Tools
from case2code.snapshot import Snapshot, open_snapshot
from case2code.store import Store
from case2code.training import Settings, Training, TrainingFile, folder_of

log = logging.getLogger(__name__)

# What OpenAI takes.
_MIN_EXAMPLES: Final = 10
_MAX_BYTES: Final = 512_000_000
#: Of the roles and the template of a chat, for each message and each example.
_TOKENS_OF_A_MESSAGE: Final = 8
_TOKENS_OF_AN_EXAMPLE: Final = 8


def prepare_training(snapshot: str, settings: Settings, store: Store, tools: Tools, run: Run = UNLIMITED) -> Training:
    """Freeze the training, and write its file.

    Raises ConfigurationError where there is nothing to train on, or the run has a limit of cost and nobody said prices.
    """
    if run.max_cost_usd is not None:
        settings.require_prices()
    published = open_snapshot(store, snapshot)
    with tempfile.TemporaryDirectory() as spool:
        path, corpus_sha256 = _exported(published, settings, store, Path(spool))
        file = _described(path, published, settings, corpus_sha256)
        training = Training(published.name, str(tools.client().base_url), settings, file)
        if not store.exists(file.key):
            store.write_file(file.key, path)
    training.write(store)
    if file.benchmark_twins:
        log.info("Left out %d samples that compute what a benchmark asks for", file.benchmark_twins)
    log.info(
        "%d examples, %d of them mixed in; at most %d tokens in each of %d epochs, $%.2f → %s",
        *(file.examples, file.mixed_in, file.most_tokens, settings.epochs, training.most_usd, store.uri(file.key)),
    )
    return training


def _exported(snapshot: Snapshot, settings: Settings, store: Store, spool: Path) -> tuple[Path, str | None]:
    """The train split as conversations, mixed as the settings say, and the hash of the corpus."""
    if settings.mix is None:
        export(snapshot, "chat", spool / "chat", Options("train"))
        return spool / "chat/train.jsonl", None
    corpus = _corpus(settings.mix, store, spool)
    export(snapshot, "chat", spool / "chat", Options("train", corpus, settings.ratio))
    return spool / "chat/train.jsonl", _sha256(corpus)


def _corpus(address: str, store: Store, spool: Path) -> Path:
    """The corpus as a file of this machine; from S3 it comes with the keys of the store."""
    parsed = urlsplit(address)
    if not parsed.scheme:
        return Path(address)
    if parsed.scheme != "s3":
        raise ConfigurationError(f"the corpus is '{address}'; say a path, or s3://bucket/key")
    try:
        store.client.download_file(parsed.netloc, parsed.path.lstrip("/"), str(spool / "corpus.jsonl"))
    except botocore.exceptions.ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            raise OutageError(f"S3 did not answer for {address}: {error}") from error
        raise ConfigurationError(f"cannot read the corpus {address}: {error}") from error
    except botocore.exceptions.BotoCoreError as error:
        raise OutageError(f"S3 did not answer for {address}: {error}") from error
    return spool / "corpus.jsonl"


def _described(path: Path, snapshot: Snapshot, settings: Settings, corpus_sha256: str | None) -> TrainingFile:
    """Facts about the file. Raises ConfigurationError where no endpoint would take it."""
    examples = tokens = 0
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            messages = json.loads(line)["messages"]
            examples += 1
            tokens += _TOKENS_OF_AN_EXAMPLE
            tokens += sum(len(one["content"].encode()) + _TOKENS_OF_A_MESSAGE for one in messages)
    if examples < _MIN_EXAMPLES:
        raise ConfigurationError(
            f"the train split of {snapshot.name} makes {examples} examples; fine-tuning takes at least {_MIN_EXAMPLES}"
        )
    size, sha256 = path.stat().st_size, _sha256(path)
    if size > _MAX_BYTES:
        raise ConfigurationError(f"the file has {size:,} bytes, more than the {_MAX_BYTES:,} that fine-tuning takes")
    # The only whole number whose mix has so many rows.
    own = examples if settings.ratio is None else math.ceil(examples * Fraction(str(settings.ratio)))
    key = f"{folder_of(snapshot.name)}/files/{sha256}.jsonl"
    return TrainingFile(key, sha256, size, examples, examples - own, tokens, corpus_sha256, _twins(snapshot))


def _twins(snapshot: Snapshot) -> int:
    """Samples of the train split that the export leaves out."""
    with database.connect(snapshot.store) as connection:
        snapshot.open(connection)
        (row,) = database.query(connection, "exports/benchmark_twins").to_pylist()
    return int(row["samples"])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
