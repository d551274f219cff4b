"""Ask now: many requests in flight, none of them lost, and an endpoint that is wrong is noticed at once.

One event loop in a thread of its own; answers come out of a plain iterator as they arrive. Retries are ours, bounded
in number and in time. A request that waits for its retry holds no place, so the endpoint stays busy.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

import openai

from case2code.errors import OutageError
from case2code.llm.budget import Budget
from case2code.llm.completions import Reader, refused
from case2code.llm.endpoint import asynchronous, explain, is_temporary, is_unpaid, pause_seconds
from case2code.llm.requests import WEAKER, Form, Request, build, max_cost_usd
from case2code.llm.settings import Settings
from case2code.writers import Function, Written

log = logging.getLogger(__name__)

_MAX_ATTEMPTS: Final = 8
_MAX_SECONDS: Final = 300.0
_SAYS_NO_SCHEMAS: Final = re.compile(r"response_format|json_schema|structured", re.IGNORECASE)


def ask(functions: Sequence[Function], settings: Settings, client: openai.OpenAI, budget: Budget) -> Iterator[Written]:
    """One answer for each function, in the order in which they arrive; fewer where the budget is reached.

    Raises ConfigurationError on a wrong key or an unknown model, OutageError when all retries are used up; what was
    answered before, and what was in flight then, is yielded first.
    """
    asking = _Asking(functions, settings, client, budget)
    thread = threading.Thread(target=asking.run, name="writer", daemon=True)
    thread.start()
    try:
        while (found := asking.found.get()) is not None:
            yield found
    finally:
        asking.stop()
        thread.join()
    if asking.failure is not None:
        raise asking.failure


class _Asking:
    """The work of one `ask`, inside its event loop."""

    def __init__(
        self, functions: Sequence[Function], settings: Settings, client: openai.OpenAI, budget: Budget
    ) -> None:
        self.found: SimpleQueue[Written | None] = SimpleQueue()
        self.failure: Exception | None = None
        self._waiting = iter(functions)
        self._settings, self._client, self._budget = settings, client, budget
        self._reader = Reader(client, settings)
        # Two workers a place: those that wait for a retry leave theirs to the others.
        self._workers = min(len(functions), 2 * settings.concurrency)
        self._form: Form = settings.form
        self._tokens_name = "max_tokens"
        self._in_flight = 0
        self._returning = 0  # who has waited for a retry, and now for a place
        self._loop = asyncio.new_event_loop()
        self._main: asyncio.Task[None] | None = None

    def run(self) -> None:
        try:
            self._main = self._loop.create_task(self._ask_all())
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._main)
        except Exception as error:  # of the loop itself; those of a request are kept where they happen
            self.failure = self.failure or error
        finally:
            self.found.put(None)
            self._loop.close()

    def stop(self) -> None:
        """Cancel what is in flight; nobody takes the answers any more."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(lambda: self._main is not None and self._main.cancel())

    async def _ask_all(self) -> None:
        self._places = asyncio.Semaphore(self._settings.concurrency)
        self._failed, self._settled = asyncio.Event(), asyncio.Event()
        async with asynchronous(self._client) as self._async_client:
            await asyncio.gather(*(self._work() for _ in range(self._workers)))

    async def _work(self) -> None:
        async with self._places:  # kept from one function to the next: to hand it on takes time
            for function in self._waiting:
                try:
                    written = await self._answer(function)
                except Exception as error:
                    self.failure = self.failure or explain(error, self._client, self._settings.model)
                    self._failed.set()
                    return
                if written is None:
                    return
                self.found.put(written)
                if self._returning:
                    self._places.release()
                    await self._places.acquire()

    async def _answer(self, function: Function) -> Written | None:
        """The answer about one function; None where the budget is reached or another request has failed for good."""
        began, attempt = time.monotonic(), 0
        while not self._failed.is_set():
            # Built for each attempt, so that what the endpoint has refused before is not sent again.
            request = build(function, self._settings, self._form, self._tokens_name)
            most_usd = max_cost_usd(request, self._settings, is_batch=False)
            if not await self._claim(most_usd):
                return None
            paid_usd: float | None = most_usd  # until it is known
            try:
                reply = await self._send(request)
                written = self._reader.read(reply, request)
                paid_usd = written.cost_usd if written.tokens_in else most_usd
                return written
            except openai.APIError as error:
                paid_usd = None if is_unpaid(error) else most_usd
                failure = error
            finally:
                self._settle(most_usd, paid_usd)
            if self._adapts(failure, request):
                continue
            if _is_about_the_prompt(failure):
                return refused(request, str(failure))
            if not is_temporary(failure):
                raise failure
            await self._pause(failure, attempt, began)
            attempt += 1
        return None

    async def _claim(self, usd: float) -> bool:
        """Claim a request; what others have claimed and will not spend is waited for. False: the budget is reached."""
        while not self._budget.claim(usd):
            if not self._in_flight:
                self._budget.is_reached = True
                return False
            self._settled.clear()
            await self._settled.wait()
        self._in_flight += 1
        return True

    def _settle(self, claimed_usd: float, paid_usd: float | None) -> None:
        self._in_flight -= 1
        self._budget.settle(claimed_usd, paid_usd)
        self._settled.set()

    async def _send(self, request: Request) -> Any:
        try:
            # Not chat.completions.create: its typed answer costs as much time as all the rest of a request.
            return await self._async_client.post("/chat/completions", body=request.body, cast_to=object)
        except ValueError as error:
            raise OutageError(f"{self._client.base_url} did not answer with a chat completion: {error}") from error

    async def _pause(self, error: openai.APIError, attempt: int, began: float) -> None:
        """Leave the place to others until the next attempt, or until another request has failed for good.

        Raises `error` after the last attempt.
        """
        seconds = pause_seconds(error, attempt)
        if attempt + 1 >= _MAX_ATTEMPTS or time.monotonic() + seconds - began > _MAX_SECONDS:
            raise error
        self._places.release()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._failed.wait(), seconds)
        self._returning += 1
        await self._places.acquire()
        self._returning -= 1

    def _adapts(self, error: openai.APIError, request: Request) -> bool:
        """Whether the request was refused for its form, and the next one will have another."""
        if not isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
            return False
        text = f"{getattr(error, 'param', '')} {error.message}"
        if request.form in WEAKER and _SAYS_NO_SCHEMAS.search(text):
            if request.form == self._form:  # others in flight were refused for the same form
                self._form = WEAKER[request.form]
                log.warning("%s: %s; asking in the form '%s'", self._client.base_url, error.message, self._form)
            return True
        if "max_completion_tokens" in text and "max_tokens" in request.body:
            self._tokens_name = "max_completion_tokens"
            return True
        return False


def _is_about_the_prompt(error: openai.APIError) -> bool:
    """A 400 that names one of our settings is about every function; another one is about this."""
    if not isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
        return False
    return getattr(error, "param", None) not in ("temperature", "seed", "max_tokens", "max_completion_tokens", "model")
