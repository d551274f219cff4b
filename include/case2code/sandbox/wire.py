"""The bytes between broker, zygote and child: fixed layouts, so that nothing from a child is ever interpreted.

Runs inside the sandbox: nothing but the standard library.
"""

from struct import Struct

#: Broker to zygote: length of the body, which is for the child alone; number of cases; whether it names a canary.
JOB = Struct("<IIB")
#: Zygote to broker: bytes of frames that follow, number of frames.
RESULT = Struct("<II")
#: Begin of the memory that a child writes: whether the code is defined, frames, end of the last frame.
PROGRESS = Struct("<III")
FRAMES_AT = 16
#: One case: outcome, whether arguments changed, CPU microseconds, lengths of value, type, message and coverage.
FRAME = Struct("<BBxxIIIII")
#: Length that stands for None.
NONE = 0xFFFFFFFF

OUTCOMES = (
    "returned", "raised", "timed_out", "crashed", "out_of_memory", "exited", "opaque", "too_large", "impure",
    "sandbox_died",
)  # fmt: skip
RETURNED, RAISED, TIMED_OUT, CRASHED, OUT_OF_MEMORY, EXITED, OPAQUE, TOO_LARGE, IMPURE, SANDBOX_DIED = range(
    len(OUTCOMES)
)

#: Largest job, and largest memory for the results of one job.
MAX_JOB_BYTES = 8 << 20
RESULT_BYTES = 4 << 20
MAX_TYPE_CHARS = 100
#: Exit status of a child that could not put its own layers on: an outage, never a result.
UNPROTECTED = 97
