"""How fast a teacher may be asked, and how long a reply may take: for every HTTP request, retries among them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
from aiolimiter import AsyncLimiter


class Rate:
    """At most `per_minute` of something a minute, evenly spread: never more than a second's share at once."""

    def __init__(self, per_minute: float):
        burst = max(1.0, per_minute / 60)
        self._limiter = AsyncLimiter(burst, burst * 60 / per_minute)

    async def take(self, amount: float) -> None:
        """Wait until so much may be used. What is more than a second's share is taken piece by piece."""
        while amount > 0:
            piece = min(amount, self._limiter.max_rate)
            await self._limiter.acquire(piece)
            amount -= piece


class Pace:
    """Requests and tokens a minute; None is no limit."""

    def __init__(self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None):
        self._requests = Rate(requests_per_minute) if requests_per_minute else None
        self._tokens = Rate(tokens_per_minute) if tokens_per_minute else None
        self._tokens_per_minute = tokens_per_minute or 0
        self._credit = 0.0  # reserved by earlier requests and not used; below zero, the other way about

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited."""
        return self._tokens is not None

    async def take(self, tokens: float) -> None:
        """Wait until a request that may use so many tokens can be sent."""
        if self._requests:
            await self._requests.take(1)
        if self._tokens:
            tokens, self._credit = max(tokens - self._credit, 0), max(self._credit - tokens, 0)
            await self._tokens.take(tokens)

    def settle(self, reserved: float, used: float) -> None:
        """What a request left of its tokens is for the next one, up to a minute's; what it used beyond them, too."""
        self._credit = min(self._credit + reserved - used, self._tokens_per_minute)


class PacedHttp(openai.DefaultAsyncHttpxClient):
    """The openai package's own HTTP client, at a pace, each reply bounded as a whole by `seconds`.

    `before` is called before each request leaves, and may raise.
    """

    def __init__(self, pace: Pace, seconds: float, before: Callable[[httpx2.Request], None], **options: Any):
        super().__init__(timeout=seconds, **options)
        self._pace, self._seconds, self._before = pace, seconds, before

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The whole response. A slow one is a ReadTimeout, which the openai package retries."""
        reserved = _may_use(request) if self._pace.counts_tokens else 0
        await self._pace.take(reserved)
        self._before(request)
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().send(request, **options)
                await response.aread()
        except TimeoutError as error:
            raise httpx2.ReadTimeout("no whole reply within the time-out", request=request) from error
        if self._pace.counts_tokens:
            self._pace.settle(reserved, _used(response, reserved))
        return response


def _may_use(request: httpx2.Request) -> int:
    """Tokens that a request may use at most: a quarter of its characters, and the longest reply."""
    return len(request.content) // 4 + (json.loads(request.content).get("max_tokens") or 0)


def _used(response: httpx2.Response, reserved: int) -> int:
    """Tokens that a request used; a refused one none, one that does not say all that it might have."""
    if response.is_error:
        return 0
    try:
        return int(response.json()["usage"]["total_tokens"])
    except (ValueError, KeyError, TypeError):
        return reserved
