"""The one HTTP client: chat completions of any OpenAI-compatible teacher, cached, limited and counted."""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id
from workflow_scripts.teacher.budget import Budget, BudgetSpent, Ledger
from workflow_scripts.teacher.cache import Answer, Request, RequestCache
from workflow_scripts.teacher.rate_limit import Pace, PacedHttp

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class TeacherError(Exception):
    """A request that failed for good, after all retries. The message names the failure, never the key."""


class _Held(openai.APIConnectionError):
    """A request that was not sent, since the budget is spent or the client is closing; nothing retries it."""


@dataclass
class Usage:
    """What was asked of the teacher in this job; cached answers cost nothing.

    `requests` are HTTP requests as the server sees them, retries among them; `cached` are answers that needed none.
    """

    requests: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Wall-clock seconds since the client was made."""
        return time.monotonic() - self.started

    def line(self, currency: str = "") -> str:
        """For a live line: requests, tokens a second, and money where there is a price."""
        speed = self.completion_tokens / max(self.seconds(), 1e-9)
        cost = f", {self.money:.4f} {currency}".rstrip() if self.money else ""
        return f"{self.requests} requests, {self.cached} cached, {speed:.0f} tokens/s{cost}"


def api_key(variable: str | None) -> str:
    """The key from the environment variable that the config names; a teacher without one gets a placeholder."""
    if variable is None:
        return "no-key"
    key = os.environ.get(variable)
    if not key:
        raise UserError("the environment variable that `teacher.api_key_env` names is not set. Export it.")
    return key


def request_for(
    model: str,
    messages: list[dict[str, str]],
    sampling: dict[str, Any],
    seed: int,
    response_format: dict[str, Any] | None = None,
) -> Request:
    """The body of a request."""
    request: Request = {"model": model, "messages": messages, "seed": seed, **sampling}
    return request if response_format is None else {**request, "response_format": response_format}


def stored_form(request: Request, identity: str) -> Request:
    """A request as the cache knows it: with the teacher's identity, where it has one."""
    return {**request, "teacher": identity} if identity else request


class TeacherClient:
    """Asks `model` at `base_url`, as fast and as much as `settings`, which is `teacher:` of the config, allows.

    `identity` says which model answers, beyond the name that its server gives it; it is part of a cached request.
    The key is looked for when something has to be asked: a run from the cache alone needs none.
    """

    def __init__(self, base_url: str, model: str, settings: dict[str, Any], cache: RequestCache, identity: str = ""):
        self.model = model
        self.cache = cache
        self.identity = identity
        self.usage = Usage()
        self.budget = Budget(settings.get("budget"), settings.get("price"), Ledger(cache.folder / "ledger"))
        self._base_url = base_url
        self._settings = settings
        self._slots = asyncio.Semaphore(settings["concurrency"])
        self._under_way: dict[str, asyncio.Task[Answer]] = {}
        self._sent = 0  # requests that the server has, or whose answer is not stored yet
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closing = False
        self._opened: openai.AsyncOpenAI | None = None

    async def ask(
        self,
        messages: list[dict[str, str]],
        sampling: dict[str, Any],
        seed: int,
        response_format: dict[str, Any] | None = None,
    ) -> Answer:
        """{text, finish_reason, prompt_tokens, completion_tokens}; TeacherError when all retries are used up.

        `sampling` holds temperature, top_p and max_tokens; `seed` makes a second attempt another request;
        `response_format` holds the answer to a JSON schema, where the server can. BudgetSpent when the budget is
        used up, as soon as what is under way has come in and is stored.
        """
        request = request_for(self.model, messages, sampling, seed, response_format)
        stored_as = stored_form(request, self.identity)
        key = content_id(stored_as)
        task = self._under_way.get(key)
        if task is None:
            if (answer := self.cache.get(stored_as)) is not None:
                self.usage.cached += 1
                return answer
            task = self._under_way[key] = asyncio.create_task(self._fetch(request, stored_as))
            task.add_done_callback(lambda done: self._landed(key, done))
        else:  # the very same request is on its way
            self.usage.cached += 1
        # Whoever waits may be cancelled; the request is paid for and goes on.
        return await asyncio.shield(task)

    def _landed(self, key: str, task: asyncio.Task[Answer]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # seen, though nobody may be waiting any more

    async def _fetch(self, request: Request, stored_as: Request) -> Answer:
        """Statuses are retried by the openai package, answers that cannot be read here; both so often as configured."""
        # A message that ends with the assistant's words is to be continued, which vLLM must be told; llama.cpp does it.
        begun = (
            {"continue_final_message": True, "add_generation_prompt": False}
            if request["messages"][-1]["role"] == "assistant"
            else None
        )
        retries = self._settings["retries"]
        async with self._slots:
            for attempt in range(retries + 1):
                await self._may_send()
                with self._sending():
                    try:
                        completion = await self._client().chat.completions.create(**request, extra_body=begun)
                        answer = self._take(request, completion)
                    except _Held:
                        pass
                    except (openai.APIError, ValueError) as error:
                        malformed = isinstance(error, ValueError | openai.APIResponseValidationError)
                        if not malformed or attempt == retries:
                            self.usage.failed += 1
                            raise TeacherError(f"{type(error).__name__}: {_short(error)}") from error
                    else:
                        # Not in the loop's own thread: a slow disk must not keep other answers waiting.
                        await asyncio.to_thread(self.cache.put, stored_as, answer)
                        return answer
                await self._may_send()  # if it was held, this says why
                await asyncio.sleep(min(0.1 * 2**attempt, 8) * random.uniform(0.75, 1))
        raise AssertionError("unreachable")

    async def _may_send(self) -> None:
        if self._closing:
            raise TeacherError("the client is closed")
        if (spent := self.budget.spent()) is not None:
            await self._quiet.wait()
            raise BudgetSpent(
                f"the budget is spent: {spent}, with earlier runs. This job asked {self.usage.requests} requests and took "
                f"{self.usage.cached} from disk; every answer is kept in {self.cache.folder}. Raise the budget and run "
                "again: nothing is asked twice."
            )

    @contextlib.contextmanager
    def _sending(self) -> Iterator[None]:
        self._sent += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._sent -= 1
            if not self._sent:
                self._quiet.set()

    def _client(self) -> openai.AsyncOpenAI:
        """The openai package's client, opened with the first request that is not on disk."""
        if self._opened is None:
            settings = self._settings
            key = api_key(settings.get("api_key_env"))
            http = PacedHttp(
                Pace(**(settings.get("rate") or {})),
                settings["timeout"],
                self._count,
                # A proxy of the environment does not lead to this machine.
                trust_env=urlsplit(self._base_url).hostname not in LOOPBACK,
            )
            # It retries 408, 409, 429, 5xx, time-outs and lost connections with growing, jittered pauses, and
            # honours Retry-After.
            self._opened = openai.AsyncOpenAI(
                base_url=self._base_url,
                api_key=key,
                timeout=settings["timeout"],
                max_retries=settings["retries"],
                http_client=http,
            )
        return self._opened

    def _count(self, request: Any) -> None:
        if self._closing or self.budget.spent() is not None:
            raise _Held(request=request)  # an error of its own kind ends the openai package's retries
        self.usage.requests += 1

    def _take(self, request: Request, completion: Any) -> Answer:
        """The answer, with its cost written down; also that of one which cannot be used."""
        prompt_tokens, completion_tokens = (
            count if isinstance(count := getattr(getattr(completion, "usage", None), name, 0), int) else 0
            for name in ("prompt_tokens", "completion_tokens")
        )
        try:
            answer = _read(completion)
        except ValueError:
            self._charge(prompt_tokens, completion_tokens)
            raise
        self._charge(
            # A server that does not count is paid by the quarter of a character.
            prompt_tokens or sum(len(message["content"]) for message in request["messages"]) // 4,
            completion_tokens or len(answer["text"]) // 4,
        )
        self.usage.prompt_tokens += prompt_tokens
        self.usage.completion_tokens += completion_tokens
        return answer | {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}

    def _charge(self, prompt_tokens: int, completion_tokens: int) -> None:
        if prompt_tokens or completion_tokens:
            self.usage.money += self.budget.charge(prompt_tokens, completion_tokens)

    async def close(self) -> None:
        """Send nothing more, wait for what is under way, at most a time-out long, and close the connections."""
        self._closing = True
        if under_way := list(self._under_way.values()):
            _, late = await asyncio.wait(under_way, timeout=self._settings["timeout"])
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._opened is not None:
            await self._opened.close()


def _read(completion: Any) -> Answer:
    """Text and finish reason of a completion; ValueError if the server's answer lacks them."""
    try:
        choice = completion.choices[0]
        text, finish_reason = choice.message.content, choice.finish_reason
    except (AttributeError, TypeError, IndexError) as error:
        raise ValueError("the answer holds no text") from error
    if not isinstance(text, str):
        raise ValueError("the answer holds no text")
    # A reply may end within an emoji: half a surrogate pair is no text that can be stored.
    return {"text": text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "finish_reason": finish_reason}


def _short(error: Exception) -> str:
    """An error's kind without the server's own words: those may repeat the request's headers."""
    if isinstance(error, openai.APIStatusError):
        return f"HTTP status {error.status_code}"
    if isinstance(error, openai.APITimeoutError):
        return "no answer within the time-out"
    if isinstance(error, openai.APIConnectionError):
        return "no connection"
    return str(error)[:200] if isinstance(error, ValueError) else "malformed answer"
