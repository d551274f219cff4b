"""Decodes what a child wrote: strictly, because mined code may have written anything.

Nothing is evaluated, unpickled or trusted in length. The first frame that is not exactly well-formed ends the results.
"""

from dataclasses import dataclass

from case2code.sandbox import wire


@dataclass(frozen=True, slots=True)
class Frame:
    """One case as a child reported it."""

    outcome: int
    mutates: bool
    cpu_seconds: float
    value: str | None
    value_type: str | None
    message: str | None
    coverage: str | None
    payload: bytes = b""  # everything that two runs must agree on, as it came


def decode(data: bytes, most: int) -> list[Frame]:
    """The well-formed frames at the beginning of `data`, `most` at most."""
    frames: list[Frame] = []
    at, size, unpack = 0, wire.FRAME.size, wire.FRAME.unpack_from
    while len(frames) < most and at + size <= len(data):
        outcome, mutates, microseconds, *lengths = unpack(data, at)
        if outcome >= wire.SANDBOX_DIED or mutates > 1:
            break
        begin = at = at + size
        texts: list[str | None] = []
        try:
            for length in lengths:
                end = at + (0 if length == wire.NONE else length)
                if end > len(data):
                    return frames
                texts.append(None if length == wire.NONE else str(data[at:end], "utf-8"))
                at = end
        except UnicodeDecodeError:
            break
        value, value_type, message, covered = texts
        if value is not None and not value.isprintable():
            break
        if value_type is not None and (len(value_type) > wire.MAX_TYPE_CHARS or not value_type.isprintable()):
            break
        covered_bytes = 0 if lengths[3] == wire.NONE else lengths[3]
        payload = b"%d %d %d %d %d " % (outcome, mutates, *lengths[:3]) + data[begin : at - covered_bytes]
        frames.append(Frame(outcome, bool(mutates), microseconds / 1e6, value, value_type, message, covered, payload))
    return frames
