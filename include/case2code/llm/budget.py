"""What a run may still spend: claimed before a request is sent, and on record before that, so a kill forgets nothing.

A shard has its share of the run's limits. Its record on S3 says how much was taken out of the share, in blocks, always
at least what was spent; a retry of the same run goes on from there. A block that a kill leaves unused stays unspent.
"""

import logging
from dataclasses import asdict, dataclass
from typing import Any, Final

from case2code.store import Store, to_json

log = logging.getLogger(__name__)

#: A share is taken out in so many blocks: each is one write to S3, and what a kill can leave unused.
_BLOCKS: Final = 20


@dataclass(frozen=True, slots=True)
class Run:
    """What holds for one run of a day: who it is, across retries, and what it may spend; None is no limit."""

    identity: str = "by-hand"
    max_cost_usd: float | None = None
    max_requests: int | None = None
    is_dry: bool = False

    def share(self, number: int, count: int) -> "Run":
        """The part of shard `number` of `count`; the parts add up to the whole."""
        usd, requests = self.max_cost_usd, self.max_requests
        return Run(
            self.identity,
            None if usd is None else usd / count,
            None if requests is None else requests // count + (number < requests % count),
            self.is_dry,
        )


UNLIMITED: Final = Run()


@dataclass(frozen=True, slots=True)
class Spent:
    """An amount, in both units that have a limit."""

    usd: float = 0.0
    requests: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.usd + other.usd, self.requests + other.requests)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.usd - other.usd, self.requests - other.requests)


class Budget:
    """The limits of one shard of one run; without a limit it only says yes. Used by one thread at a time."""

    def __init__(self, run: Run = UNLIMITED, store: Store | None = None, key: str = "") -> None:
        self.run = run
        self.is_reached = False  # said by whoever stops for it
        self._store, self._key = store, key
        self._is_limited = run.max_cost_usd is not None or run.max_requests is not None
        record = self._read() if self._is_limited else {}
        self._batches = {name: Spent(**spent) for name, spent in record.get("batches", {}).items()}
        self._taken = Spent(**record.get("online", {}))
        self._spent = self._taken

    def _read(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = self._store.read_json(self._key) if self._store else {}
        except KeyError:
            return {}
        return record

    def claim(self, usd: float) -> bool:
        """Reserve one request that costs at most `usd`; False where that could pass a limit."""
        wanted = self._spent + Spent(usd, 1)
        if not self._fits(wanted):
            return False
        if wanted.usd > self._taken.usd or wanted.requests > self._taken.requests:
            self._take(wanted)
        self._spent = wanted
        return True

    def settle(self, claimed_usd: float, paid_usd: float | None) -> None:
        """What became of a claim; None where the endpoint refused, so that nothing was paid."""
        self._spent -= Spent(claimed_usd, 1)
        if paid_usd is not None:
            self._spent += Spent(paid_usd, 1)

    def room(self, costs: list[float]) -> int:
        """How many of these requests, from the first on, can be sent in one batch."""
        total = self._spent
        for number, usd in enumerate(costs):
            total += Spent(usd, 1)
            if not self._fits(total):
                self.is_reached = True
                return number
        return len(costs)

    def hold(self, batch: str, usd: float, requests: int) -> None:
        """Put a batch on record with what it costs: first at most, later in fact."""
        self._batches[batch] = Spent(usd, requests)
        self._write()

    def knows(self, batch: str) -> bool:
        """Whether this run paid for the batch."""
        return batch in self._batches

    def close(self) -> None:
        """Give back what was taken out and not spent."""
        if self._taken != self._spent:
            self._taken = self._spent
            self._write()

    def _fits(self, online: Spent) -> bool:
        total = sum(self._batches.values(), online)
        usd, requests = self.run.max_cost_usd, self.run.max_requests
        return (usd is None or total.usd <= usd) and (requests is None or total.requests <= requests)

    def _take(self, wanted: Spent) -> None:
        block = Spent((self.run.max_cost_usd or 0.0) / _BLOCKS, (self.run.max_requests or 0) // _BLOCKS)
        self._taken = wanted + block if self._fits(wanted + block) else wanted
        self._write()

    def _write(self) -> None:
        if self._is_limited and self._store is not None:
            batches = {name: asdict(spent) for name, spent in self._batches.items()}
            self._store.write(self._key, to_json({"online": asdict(self._taken), "batches": batches}))

    def __str__(self) -> str:
        limits = []
        if self.run.max_cost_usd is not None:
            limits.append(f"max_cost_usd, ${self.run.max_cost_usd:.4g} of it here")
        if self.run.max_requests is not None:
            limits.append(f"max_requests, {self.run.max_requests} of them here")
        return " and ".join(limits) or "no limit"
