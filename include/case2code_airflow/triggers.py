"""What the triggerer runs: watches what is under way at the endpoint for the deferred tasks that wait for it.

The OpenAI provider's own trigger watches one batch, blocks the triggerer's event loop with every request, and gives up
at the first failed one.
"""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

_MAX_PAUSE_SECONDS: Final = 60.0


class _AllEnded(BaseTrigger):
    """Fires when all of `ids` have ended at the endpoint of a connection, or when it refuses to say.

    It asks often at first and ever less often later. What became of them, the task finds out itself.
    """

    def __init__(self, connection: str, ids: list[str]) -> None:
        super().__init__()
        self.connection, self.ids = connection, ids

    @abstractmethod
    async def has_ended(self, client: Any, identity: str) -> bool:
        """Whether this one will not change any more."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import openai
        from airflow.providers.openai.hooks.openai import OpenAIHook

        waiting, pause = set(self.ids), 1.0
        async with await OpenAIHook(conn_id=self.connection).aget_conn() as client:
            while waiting:
                await asyncio.sleep(pause)
                pause = min(_MAX_PAUSE_SECONDS, 1.2 * pause)
                try:
                    for identity in sorted(waiting):
                        if await self.has_ended(client, identity):
                            waiting.discard(identity)
                except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError) as error:
                    self.log.warning("The endpoint does not say how %s are: %s", ", ".join(sorted(waiting)), error)
                except openai.APIError:
                    break
        yield TriggerEvent({"ids": self.ids})


class BatchesEnded(_AllEnded):
    """Fires when all batches of the connection `openai_default` have ended."""

    def __init__(self, batch_ids: list[str]) -> None:
        super().__init__("openai_default", batch_ids)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "case2code_airflow.triggers.BatchesEnded", {"batch_ids": self.ids}

    async def has_ended(self, client: Any, identity: str) -> bool:
        from case2code.llm.batch import has_ended

        return has_ended((await client.batches.retrieve(identity)).status)


class JobEnded(_AllEnded):
    """Fires when a fine-tuning job has ended."""

    def __init__(self, connection: str, job_id: str) -> None:
        super().__init__(connection, [job_id])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "case2code_airflow.triggers.JobEnded", {"connection": self.connection, "job_id": self.ids[0]}

    async def has_ended(self, client: Any, identity: str) -> bool:
        from case2code.tune_model import has_ended

        return has_ended((await client.fine_tuning.jobs.retrieve(identity)).status)
