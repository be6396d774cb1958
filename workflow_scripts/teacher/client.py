"""The HTTP client for chat completions of any OpenAI-compatible teacher: cached, rate-limited, within a budget."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config
from workflow_scripts.teacher.budget import Budget, BudgetSpent, Ledger
from workflow_scripts.teacher.cache import Request, RequestCache
from workflow_scripts.teacher.errors import MIN_KEY_PART, FailedReply, Refused, TeacherError, failure, redact
from workflow_scripts.teacher.keys import api_key
from workflow_scripts.teacher.rate_limit import RateLimit, RateLimitedHttp, http_address, transport_options
from workflow_scripts.teacher.replies import REFUSED, Answer, complete, read_reply
from workflow_scripts.teacher.sampling import parameters
from workflow_scripts.teacher.structured import in_form

JSON: openai.RequestOptions = {"headers": {"Content-Type": "application/json"}}
NO_KEY = "no-key"  # the openai package requires one
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.25, 8.0  # before the first retry of a failed reply; doubled for each further one


class _NotSent(openai.APIConnectionError):
    """A request that was not sent because the budget is spent or the client is closing. It is not retried."""


@dataclass
class Usage:
    """What this job requested from the teacher. Cached answers cost nothing.

    `requests` counts HTTP requests including retries; `cached` counts answers that needed no request.
    """

    requests: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Wall-clock seconds since the client was created."""
        return time.monotonic() - self.started

    def line(self, currency: str = "") -> str:
        """A progress line: requests, completion tokens per second, and the cost if there is a price."""
        speed = self.completion_tokens / max(self.seconds(), 1e-9)
        cost = f", {self.money:.4f} {currency}".rstrip() if self.money else ""
        return f"{self.requests} requests, {self.cached} cached, {speed:.0f} tokens/s{cost}"


def request_for(
    model: str,
    messages: list[dict[str, str]],
    sampling: Config,
    seed: int,
    response_format: dict[str, Any] | None = None,
    structured: str = "json_schema",
) -> Request:
    """The body of a request, with every parameter of `sampling`; `structured` is `teacher.structured`."""
    form = {"messages": messages} if response_format is None else in_form(messages, response_format, structured)
    return {"model": model, "seed": seed, **parameters(sampling), **form}


def stored_form(request: Request, identity: str) -> Request:
    """A request as the cache stores it: with the teacher's identity, if there is one."""
    return {**request, "teacher": identity} if identity else request


class TeacherClient:
    """Sends requests for `model` to `base_url` within the limits of `settings`, the section `teacher` of the config.

    `identity` distinguishes models that a server gives the same name; it is part of a stored request. `key` is that of a
    server that this job started; the key of any other is read when the first request is sent: a run that finds all answers
    in the cache needs none.
    """

    def __init__(
        self, base_url: str, model: str, settings: Config, cache: RequestCache, identity: str = "", key: str = ""
    ):
        self.model = model
        self.cache = cache
        self.identity = identity
        self.usage = Usage()
        self.budget = Budget(settings.get("budget"), settings.get("price"), Ledger(cache.folder / "ledger"))
        self._base_url = base_url
        self._settings = settings
        self._slots = asyncio.Semaphore(settings["concurrency"])
        self._pending: dict[str, asyncio.Task[Answer]] = {}  # by hash of the request
        self._in_flight = 0  # requests that were sent and whose answer is not stored yet
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._opened: openai.AsyncOpenAI | None = None
        self._key = key

    async def ask(
        self,
        messages: list[dict[str, str]],
        sampling: Config,
        seed: int,
        response_format: dict[str, Any] | None = None,
    ) -> Answer:
        """Return {text, finish_reason, prompt_tokens, completion_tokens}; finish_reason is STOP or LENGTH.

        The text is without reasoning.

        Args:
            messages: `role` and `content` of each message.
            sampling: parameters of the request, such as temperature and max_tokens.
            seed: sampling seed; another seed is another request.
            response_format: `structured.response_format` of a JSON schema.

        Raises:
            TeacherError: all retries failed.
            Refused: the server's content filter refused the request. A stored refusal is not requested again.
            BudgetSpent: the budget is used up. Raised after requests in flight have been answered and stored.
        """
        structured = self._settings.get("structured", "json_schema")
        request = request_for(self.model, messages, sampling, seed, response_format, structured)
        stored_as = stored_form(request, self.identity)
        key = content_id(stored_as)
        task = self._pending.get(key)
        if task is None:
            if (answer := self.cache.get(stored_as)) is not None:
                self.usage.cached += 1
                return complete(answer)
            task = self._pending[key] = asyncio.create_task(self._fetch(request, stored_as))
            task.add_done_callback(lambda done: self._finish(key, done))
        else:  # the same request is pending
            self.usage.cached += 1
        # The caller may be cancelled; the request is paid for and continues.
        return complete(await asyncio.shield(task))

    def _finish(self, key: str, task: asyncio.Task[Answer]) -> None:
        del self._pending[key]
        if not task.cancelled():
            task.exception()  # retrieved, because the caller may have been cancelled

    async def _fetch(self, request: Request, stored_as: Request) -> Answer:
        """Send and store. The openai package retries error statuses, this loop failed replies: `retries` times each."""
        body = {name: value for name, value in request.items() if name != "seed"}
        if seed_parameter := self._settings.get("seed_parameter", "seed"):
            body[seed_parameter] = request["seed"]
        if request["messages"][-1]["role"] == "assistant":
            # vLLM continues a final assistant message only on request; llama.cpp always does.
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        content = json.dumps(body).encode("ascii")
        retries = self._settings["retries"]
        async with self._slots:
            for attempt in range(retries + 1):
                await self._check_may_send()
                with self._sending():
                    try:
                        # `post` and not `chat.completions.create`, which spends milliseconds on converting each request.
                        response = await self._client().post(
                            "/chat/completions", cast_to=httpx2.Response, content=content, options=JSON
                        )
                        answer = self._take(request, response.content)
                    except _NotSent:
                        pass
                    except openai.APIError as error:
                        answer = self._refusal(failure(error, request, self._key))
                        await asyncio.to_thread(self.cache.put, stored_as, answer)
                        return answer
                    except (FailedReply, RecursionError) as error:
                        if attempt == retries:
                            self.usage.failed += 1
                            message = (
                                "the reply is nested too deeply" if isinstance(error, RecursionError) else str(error)
                            )
                            raise TeacherError(redact(message, self._key)) from None
                    else:
                        # In a thread, because a slow disk must not block other answers.
                        await asyncio.to_thread(self.cache.put, stored_as, answer)
                        return answer
                await self._check_may_send()  # raises the reason if the request was not sent
                await asyncio.sleep(min(RETRY_SECONDS * 2**attempt, MAX_RETRY_SECONDS) * random.uniform(0.75, 1))
        raise AssertionError("unreachable")

    def _refusal(self, error: TeacherError) -> Answer:
        """The answer to store for a request that was refused with an error status. Raises any other error."""
        if not isinstance(error, Refused):
            self.usage.failed += 1
            raise error from None
        return {"text": error.text, "finish_reason": REFUSED, "prompt_tokens": 0, "completion_tokens": 0}

    async def _check_may_send(self) -> None:
        if self._closing:
            raise TeacherError("the client is closed")
        if (spent := self.budget.spent()) is not None:
            await self._idle.wait()
            raise BudgetSpent(
                f"the teacher's budget is spent: {spent}, including earlier runs. This job sent {self.usage.requests} requests "
                f"and read {self.usage.cached} answers from disk; all answers are in {self.cache.folder}. Raise the budget and "
                "run again: no stored answer is requested again."
            )

    @contextlib.contextmanager
    def _sending(self) -> Iterator[None]:
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _client(self) -> openai.AsyncOpenAI:
        """The openai package's client, opened with the first request that is not in the cache."""
        if self._opened is None:
            settings = self._settings
            self._key = self._key or api_key(settings)
            http = RateLimitedHttp(
                RateLimit(**(settings.get("rate") or {})),
                settings["timeout"],
                self._before_request,
                **transport_options(self._base_url),
            )
            # It retries 408, 409, 429, 5xx, time-outs and lost connections with exponential back-off and jitter, and
            # respects Retry-After.
            self._opened = openai.AsyncOpenAI(
                base_url=http_address(self._base_url),
                api_key=self._key or NO_KEY,
                timeout=settings["timeout"],
                max_retries=settings["retries"],
                http_client=http,
            )
        return self._opened

    def _before_request(self, request: Any) -> None:
        if self._closing or self.budget.spent() is not None:
            raise _NotSent(request=request)  # this type ends the openai package's retries
        self.usage.requests += 1

    def _take(self, request: Request, content: bytes) -> Answer:
        """The answer in a response. Its cost is recorded even if it is none, which raises FailedReply."""
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise FailedReply("the reply is not JSON") from error
        usage = body.get("usage") if isinstance(body, dict) else None
        prompt_tokens, completion_tokens = (
            count if isinstance(usage, dict) and isinstance(count := usage.get(name), int) else 0
            for name in ("prompt_tokens", "completion_tokens")
        )
        try:
            answer = read_reply(body)
            if len(self._key) >= MIN_KEY_PART and self._key in answer["text"]:
                raise FailedReply("the reply contains the API key")
        except (FailedReply, RecursionError):
            self._charge(prompt_tokens, completion_tokens)
            raise
        self._charge(
            # If the server reports no usage, four characters count as one token.
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
        """Send no further request, wait for pending ones at most `teacher.timeout` seconds, close the connections."""
        self._closing = True
        if pending := list(self._pending.values()):
            _, late = await asyncio.wait(pending, timeout=self._settings["timeout"])
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._opened is not None:
            await self._opened.close()
        self.cache.close()
