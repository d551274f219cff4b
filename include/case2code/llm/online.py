"""Ask now: many requests in flight, none of them lost, and an endpoint that is wrong is noticed at once.

One event loop in a thread of its own; answers come out of a plain iterator as they arrive. Retries are ours, bounded
in number and in time. A request that waits for its retry holds no place, so the endpoint stays busy.
"""

import asyncio
import logging
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, Generic, Protocol, TypeVar

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


class Sendable(Protocol):
    """One request as it is sent."""

    @property
    def form(self) -> Form: ...

    @property
    def body(self) -> dict[str, Any]: ...


class Replied(Protocol):
    """What is made of a reply."""

    @property
    def tokens_in(self) -> int: ...

    @property
    def cost_usd(self) -> float: ...


Item = TypeVar("Item")
Sent = TypeVar("Sent", bound=Sendable)
Answer = TypeVar("Answer", bound=Replied)


class Exchange(ABC, Generic[Item, Sent, Answer]):
    """What is asked about an item, what it may cost, and what becomes of the reply."""

    path = "/chat/completions"
    form: Form = "text"

    def __init__(self, model: str, concurrency: int) -> None:
        self.model, self.concurrency = model, concurrency

    @abstractmethod
    def request(self, item: Item, form: Form, tokens_name: str) -> Sent:
        """The request about `item`; `tokens_name` is what the endpoint calls the limit of a reply."""

    @abstractmethod
    def most_usd(self, request: Sent) -> float:
        """What the request can cost at most."""

    @abstractmethod
    def read(self, reply: Any, request: Sent) -> Answer:
        """Raises OutageError where the reply is none, ConfigurationError where another model wrote it."""

    @abstractmethod
    def refused(self, request: Sent, message: str) -> Answer:
        """The endpoint will say the same tomorrow: an answer about this item, not an outage."""


class _Writing(Exchange[Function, Request, Written]):
    """Inputs of functions."""

    def __init__(self, settings: Settings, client: openai.OpenAI) -> None:
        super().__init__(settings.model, settings.concurrency)
        self.form = settings.form
        self._settings, self._reader = settings, Reader(client, settings)

    def request(self, item: Function, form: Form, tokens_name: str) -> Request:
        return build(item, self._settings, form, tokens_name)

    def most_usd(self, request: Request) -> float:
        return max_cost_usd(request, self._settings, is_batch=False)

    def read(self, reply: Any, request: Request) -> Written:
        return self._reader.read(reply, request)

    def refused(self, request: Request, message: str) -> Written:
        return refused(request, message)


def ask(functions: Sequence[Function], settings: Settings, client: openai.OpenAI, budget: Budget) -> Iterator[Written]:
    """Inputs for each function, as `ask_all` says."""
    return ask_all(functions, _Writing(settings, client), client, budget)


def ask_all(
    items: Sequence[Item], exchange: Exchange[Item, Sent, Answer], client: openai.OpenAI, budget: Budget
) -> Iterator[Answer]:
    """One answer about each item, in the order in which they arrive; fewer where the budget is reached.

    Raises ConfigurationError on a wrong key or an unknown model, OutageError when all retries are used up; what was
    answered before, and what was in flight then, is yielded first.
    """
    asking = _Asking(items, exchange, client, budget)
    thread = threading.Thread(target=asking.run, name="asker", daemon=True)
    thread.start()
    try:
        while (found := asking.found.get()) is not None:
            yield found
    finally:
        asking.stop()
        thread.join()
    if asking.failure is not None:
        raise asking.failure


class _Asking(Generic[Item, Sent, Answer]):
    """The work of one `ask_all`, inside its event loop."""

    def __init__(
        self, items: Sequence[Item], exchange: Exchange[Item, Sent, Answer], client: openai.OpenAI, budget: Budget
    ) -> None:
        self.found: SimpleQueue[Answer | None] = SimpleQueue()
        self.failure: Exception | None = None
        self._waiting = iter(items)
        self._exchange, self._client, self._budget = exchange, client, budget
        # Two workers a place: those that wait for a retry leave theirs to the others.
        self._workers = min(len(items), 2 * exchange.concurrency)
        self._form: Form = exchange.form
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
        self._places = asyncio.Semaphore(self._exchange.concurrency)
        self._failed, self._settled = asyncio.Event(), asyncio.Event()
        async with asynchronous(self._client) as self._async_client:
            await asyncio.gather(*(self._work() for _ in range(self._workers)))

    async def _work(self) -> None:
        async with self._places:  # kept from one item to the next: to hand it on takes time
            for item in self._waiting:
                try:
                    answer = await self._answer(item)
                except Exception as error:
                    self.failure = self.failure or explain(error, self._client, self._exchange.model)
                    self._failed.set()
                    return
                if answer is None:
                    return
                self.found.put(answer)
                if self._returning:
                    self._places.release()
                    await self._places.acquire()

    async def _answer(self, item: Item) -> Answer | None:
        """The answer about one item; None where the budget is reached or another request has failed for good."""
        began, attempt = time.monotonic(), 0
        while not self._failed.is_set():
            # Built for each attempt, so that what the endpoint has refused before is not sent again.
            request = self._exchange.request(item, self._form, self._tokens_name)
            most_usd = self._exchange.most_usd(request)
            if not await self._claim(most_usd):
                return None
            paid_usd: float | None = most_usd  # until it is known
            try:
                reply = await self._send(request)
                answer = self._exchange.read(reply, request)
                paid_usd = answer.cost_usd if answer.tokens_in else most_usd
                return answer
            except openai.APIError as error:
                paid_usd = None if is_unpaid(error) else most_usd
                failure = error
            finally:
                self._settle(most_usd, paid_usd)
            if self._adapts(failure, request):
                continue
            if _is_about_the_prompt(failure):
                return self._exchange.refused(request, str(failure))
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

    async def _send(self, request: Sent) -> Any:
        try:
            # Not chat.completions.create: its typed answer costs as much time as all the rest of a request.
            return await self._async_client.post(self._exchange.path, body=request.body, cast_to=object)
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

    def _adapts(self, error: openai.APIError, request: Sent) -> bool:
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


#: How endpoints say that they do not take this prompt: a filter of contents, or its length.
_ABOUT_THE_PROMPT: Final = re.compile(
    r"content.?(filter|policy|management)|invalid_prompt|safety|moderation|flagged"
    r"|(text|prompt|input|message)\w* (is |are )?too long|context.?(length|window|size)|string_above_max_length",
    re.IGNORECASE,
)


def _is_about_the_prompt(error: openai.APIError) -> bool:
    """Whether a 400 is about this prompt. Another one (a setting, an empty account) is about all, and no answer."""
    if not isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
        return False
    if getattr(error, "param", None) in ("temperature", "seed", "max_tokens", "max_completion_tokens", "model"):
        return False
    return bool(_ABOUT_THE_PROMPT.search(f"{getattr(error, 'code', '')} {error.message}"))
