"""Fine-tuning: one {"messages": [user, assistant]} a line and no other key; --mix CORPUS --ratio SHARE as for text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from case2code.exports import Options
from case2code.exports._mix import write_mixed
from case2code.exports._samples import Sample
from case2code.exports._tasks import Task, program_task
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split", "mix", "ratio"}

_ROLES: Final = {"system", "developer", "user", "assistant"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`; only `train` is mixed. Raises ConfigurationError where the corpus does not suffice."""
    return write_mixed(snapshot, folder, options, _rows, conversation, '{"messages": [{"role": …, "content": "…"}, …]}')


def _rows(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        user = {"role": "user", "content": sample.prompt}
        yield {"messages": [user, {"role": "assistant", "content": sample.completion}]}


def conversation(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row to fine-tune on, of nothing but messages; None where it is none, or does not end with the assistant.

    >>> conversation({"id": 1, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    {'messages': [{'role': 'user', 'content': 'a'}, {'role': 'assistant', 'content': 'b'}]}
    >>> conversation({"messages": [{"role": "user", "content": "a"}]})
    """
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    found = [_message(message) for message in messages]
    if any(message is None for message in found) or messages[-1]["role"] != "assistant":
        return None
    return {"messages": found}


def _message(message: Any) -> dict[str, str] | None:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        return None
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        return None
    return {"role": message["role"], "content": content}


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """The assistant's turn is a program."""
    return [program_task(sample, row["messages"][1]["content"])]
