"""Decodes what a child wrote: strictly, because mined code may have written anything.

Nothing is evaluated, unpickled or trusted in length. The first frame that is not exactly well-formed ends the results.
"""

from typing import NamedTuple

from case2code.sandbox import wire


class Frame(NamedTuple):
    """One case as a child reported it. A tuple, because a function has dozens and dataclasses are slow to make."""

    outcome: int
    mutates: bool
    value: str | None
    value_type: str | None
    message: str | None
    cpu_seconds: float = 0.0
    coverage: str | None = None

    @property
    def verdict(self) -> tuple[object, ...]:
        """Everything that two runs must agree on."""
        return self[:5]


def decode(data: bytes, most: int) -> list[Frame]:
    """The well-formed frames at the beginning of `data`, `most` at most."""
    frames: list[Frame] = []
    at, size, unpack = 0, wire.FRAME.size, wire.FRAME.unpack_from
    while len(frames) < most and at + size <= len(data):
        outcome, mutates, microseconds, *lengths = unpack(data, at)
        if outcome >= wire.SANDBOX_DIED or mutates > 1:
            break
        at += size
        texts: list[str | None] = []
        for length in lengths:
            if length == wire.NONE:
                texts.append(None)
                continue
            end = at + length
            if end > len(data):
                return frames
            try:
                texts.append(str(data[at:end], "utf-8"))
            except UnicodeDecodeError:
                return frames
            at = end
        value, value_type, message, coverage = texts
        if value is not None and not value.isprintable():
            break
        if value_type is not None and (len(value_type) > wire.MAX_TYPE_CHARS or not value_type.isprintable()):
            break
        frames.append(Frame(outcome, mutates == 1, value, value_type, message, microseconds / 1e6, coverage))
    return frames
