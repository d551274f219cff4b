"""What the triggerer runs: watches batches for the deferred tasks that wait for them.

The OpenAI provider's own trigger watches one batch, blocks the triggerer's event loop with every request, and gives up
at the first failed one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

_MAX_PAUSE_SECONDS: Final = 60.0


class BatchesEnded(BaseTrigger):
    """Fires when all batches of the connection `openai_default` have ended, or when the endpoint refuses to say.

    It asks often at first and ever less often later. What became of the batches, the task finds out itself.
    """

    def __init__(self, batch_ids: list[str]) -> None:
        super().__init__()
        self.batch_ids = batch_ids

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "case2code_airflow.triggers.BatchesEnded", {"batch_ids": self.batch_ids}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import openai
        from airflow.providers.openai.hooks.openai import OpenAIHook

        from case2code.llm.batch import has_ended

        waiting, pause = set(self.batch_ids), 1.0
        async with await OpenAIHook(conn_id="openai_default").aget_conn() as client:
            while waiting:
                await asyncio.sleep(pause)
                pause = min(_MAX_PAUSE_SECONDS, 1.2 * pause)
                try:
                    for batch_id in sorted(waiting):
                        batch = await client.batches.retrieve(batch_id)
                        if has_ended(batch.status):
                            waiting.discard(batch_id)
                except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError) as error:
                    self.log.warning("The endpoint does not say how the batches are: %s", error)
                except openai.APIError:
                    break
        yield TriggerEvent({"batch_ids": self.batch_ids})
