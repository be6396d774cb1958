"""Rate limits and time-outs of a teacher, applied to every HTTP request including retries."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import openai
from aiolimiter import AsyncLimiter

from workflow_scripts.teacher.errors import UnreadableReply
from workflow_scripts.teacher.sampling import max_tokens

MAX_REPLY_BYTES = 2**24  # decompressed
UNIX_SOCKET = "http+unix://"  # begins the address of a server on a Unix socket; the quoted path of the socket follows
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ENCODINGS = ("", "identity", "gzip", "deflate")  # those that grow at most a thousandfold


class Rate:
    """At most `per_minute` units per minute, evenly spread: a burst is at most the share of one second."""

    def __init__(self, per_minute: float):
        burst = max(1.0, per_minute / 60)
        self._limiter = AsyncLimiter(burst, burst * 60 / per_minute)

    async def acquire(self, amount: float) -> None:
        """Wait until `amount` units are available. More than one burst is acquired in pieces."""
        while amount > 0:
            piece = min(amount, self._limiter.max_rate)
            await self._limiter.acquire(piece)
            amount -= piece


class RateLimit:
    """Limits of requests and tokens per minute; None means no limit."""

    def __init__(self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None):
        self._requests = Rate(requests_per_minute) if requests_per_minute else None
        self._tokens = Rate(tokens_per_minute) if tokens_per_minute else None
        self._tokens_per_minute = tokens_per_minute or 0
        self._credit = 0.0  # reserved tokens that earlier requests did not use; negative if they used more

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited."""
        return self._tokens is not None

    async def acquire(self, tokens: float) -> None:
        """Wait until a request that uses at most `tokens` tokens may be sent."""
        if self._requests:
            await self._requests.acquire(1)
        if self._tokens:
            tokens, self._credit = max(tokens - self._credit, 0), max(self._credit - tokens, 0)
            await self._tokens.acquire(tokens)

    def settle(self, reserved: float, used: float) -> None:
        """Credit the next request with reserved but unused tokens, at most those of one minute; debit an excess."""
        self._credit = min(self._credit + reserved - used, self._tokens_per_minute)


def transport_options(base_url: str) -> dict[str, Any]:
    """How an HTTP client reaches a server: over its Unix socket, without a proxy if it is on this machine."""
    parts = urlsplit(base_url)
    if base_url.startswith(UNIX_SOCKET):
        limits = openai.DEFAULT_CONNECTION_LIMITS
        return {"transport": httpx2.AsyncHTTPTransport(uds=unquote(parts.netloc), limits=limits)}
    # A proxy from the environment cannot reach a server on this machine.
    return {"trust_env": parts.hostname not in LOOPBACK}


def http_address(base_url: str) -> str:
    """The address as HTTP clients expect it: that of a Unix socket has no host of its own."""
    return f"http://localhost{urlsplit(base_url).path}" if base_url.startswith(UNIX_SOCKET) else base_url


class RateLimitedHttp(openai.DefaultAioHttpClient):
    """The HTTP client of the openai package on aiohttp, with a rate limit, and a time-out of `seconds` and a size limit for a response.

    `before` is called before each request is sent, and may raise.
    """

    def __init__(self, limit: RateLimit, seconds: float, before: Callable[[httpx2.Request], None], **options: Any):
        super().__init__(timeout=seconds, **options)
        self._limit, self._seconds, self._before = limit, seconds, before

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The complete response. A slow one raises ReadTimeout, which the openai package retries.

        Raises UnreadableReply for more than `MAX_REPLY_BYTES` bytes, before they are in memory.
        """
        request.headers["Accept-Encoding"] = "gzip, deflate"
        reserved = _max_tokens(request) if self._limit.counts_tokens else 0
        await self._limit.acquire(reserved)
        self._before(request)
        try:
            async with asyncio.timeout(self._seconds):
                response = await _read(await super().send(request, **{**options, "stream": True}))
        except TimeoutError as error:
            raise httpx2.ReadTimeout("no complete response within the time-out", request=request) from error
        if self._limit.counts_tokens:
            self._limit.settle(reserved, _used_tokens(response, reserved))
        return response


async def _read(response: httpx2.Response) -> httpx2.Response:
    """The response with its content. Raises UnreadableReply."""
    try:
        if (encoding := response.headers.get("Content-Encoding", "").strip().lower()) not in ENCODINGS:
            raise UnreadableReply(f"the reply has the content encoding {encoding[:40]}")
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_REPLY_BYTES:
                raise UnreadableReply(f"the reply is larger than {MAX_REPLY_BYTES // 2**20} MiB")
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.items() if name.lower() != "content-encoding"]
    return httpx2.Response(response.status_code, headers=headers, content=bytes(content), request=response.request)


def _max_tokens(request: httpx2.Request) -> int:
    """Upper estimate of a request's tokens: a quarter of its characters plus the maximum of its reply."""
    return len(request.content) // 4 + max_tokens(json.loads(request.content))


def _used_tokens(response: httpx2.Response, reserved: int) -> int:
    """Tokens that a request used: 0 for an error, all reserved ones if the response does not report its usage."""
    if response.is_error:
        return 0
    try:
        return int(response.json()["usage"]["total_tokens"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return reserved
