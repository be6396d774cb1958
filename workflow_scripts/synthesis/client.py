"""The one HTTP client: chat completions of any OpenAI-compatible teacher, cached, limited and counted."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import Any

import openai

from workflow_scripts.common.errors import UserError
from workflow_scripts.synthesis.cache import Answer, Request, RequestCache


class TeacherError(Exception):
    """A request that failed for good, after all retries. The message names the failure, never the key."""


@dataclass
class Usage:
    """What was asked of the teacher in this job; cached answers cost nothing."""

    requests: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Wall-clock seconds since the client was made."""
        return time.monotonic() - self.started


def api_key(variable: str | None) -> str:
    """The key from the environment variable that the config names; a teacher without one gets a placeholder."""
    if variable is None:
        return "no-key"
    key = os.environ.get(variable)
    if not key:
        raise UserError("the environment variable that `teacher.api_key_env` names is not set. Export it.")
    return key


class TeacherClient:
    """Asks `model` at `base_url`, at most `settings["concurrency"]` requests at once."""

    def __init__(self, base_url: str, model: str, settings: dict[str, Any], cache: RequestCache):
        self.model = model
        self.cache = cache
        self.usage = Usage()
        self._retries = settings["retries"]
        self._slots = asyncio.Semaphore(settings["concurrency"])
        # The openai package retries 408, 409, 429 and 5xx with growing, jittered pauses and honours Retry-After.
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key(settings.get("api_key_env")),
            timeout=settings["timeout"],
            max_retries=settings["retries"],
        )

    async def ask(
        self,
        messages: list[dict[str, str]],
        sampling: dict[str, Any],
        seed: int,
        response_format: dict[str, Any] | None = None,
    ) -> Answer:
        """{text, finish_reason, prompt_tokens, completion_tokens}; TeacherError when all retries are used up.

        `sampling` holds temperature, top_p and max_tokens; `seed` makes a second attempt another request;
        `response_format` holds the answer to a JSON schema, where the server can.
        """
        request: Request = {"model": self.model, "messages": messages, "seed": seed, **sampling}
        if response_format is not None:
            request["response_format"] = response_format
        if (answer := self.cache.get(request)) is not None:
            self.usage.cached += 1
            return answer
        # A message that ends with the assistant's words is to be continued, which vLLM must be told; llama.cpp does it.
        begun = (
            {"continue_final_message": True, "add_generation_prompt": False}
            if messages[-1]["role"] == "assistant"
            else None
        )
        async with self._slots:
            answer = await self._answer(request, begun)
        self.cache.put(request, answer)
        self.usage.prompt_tokens += answer["prompt_tokens"]
        self.usage.completion_tokens += answer["completion_tokens"]
        return answer

    async def _answer(self, request: Request, begun: dict[str, bool] | None) -> Answer:
        """Statuses are retried by the openai package, answers that cannot be read here; both so often as configured."""
        for attempt in range(self._retries + 1):
            self.usage.requests += 1
            try:
                return _read(await self._client.chat.completions.create(**request, extra_body=begun))
            except (openai.APIError, ValueError) as error:
                malformed = isinstance(error, ValueError | openai.APIResponseValidationError)
                if not malformed or attempt == self._retries:
                    self.usage.failed += 1
                    raise TeacherError(f"{type(error).__name__}: {_short(error)}") from error
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _read(completion: Any) -> Answer:
    """The parts of a completion that we use; ValueError if the server's answer lacks them."""
    try:
        choice, usage = completion.choices[0], completion.usage
        text, finish_reason = choice.message.content, choice.finish_reason
    except (AttributeError, TypeError, IndexError) as error:
        raise ValueError("the answer holds no text") from error
    if not isinstance(text, str):
        raise ValueError("the answer holds no text")
    return {
        # A reply may end within an emoji: half a surrogate pair is no text that can be stored.
        "text": text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
        "finish_reason": finish_reason,
        "prompt_tokens": getattr(usage, "prompt_tokens", None) or 0,
        "completion_tokens": getattr(usage, "completion_tokens", None) or 0,
    }


def _short(error: Exception) -> str:
    """An error's kind without the server's own words: those may repeat the request's headers."""
    if isinstance(error, openai.APIStatusError):
        return f"HTTP status {error.status_code}"
    if isinstance(error, openai.APITimeoutError):
        return "no answer within the time-out"
    if isinstance(error, openai.APIConnectionError):
        return "no connection"
    return str(error)[:200] if isinstance(error, ValueError) else "malformed answer"
