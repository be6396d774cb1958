"""Posts of a ForumMagnum site (LessWrong) from its public GraphQL API, one request at a time and resumable.

The query is that of the site's own code (github.com/ForumMagnum/ForumMagnum): `posts(selector: {old: {after, before,
karmaThreshold, excludeEvents}}, limit, offset)`. The older form, `posts(input: {terms})`, is marked deprecated there.
The API rejects an `offset` above 2,000, so posts are requested month by month. The authors decide the licence of posts.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id, read_json, write_json

Post = dict[str, Any]
Settings = dict[str, Any]

# Oldest first, so that a new post does not shift the other posts to another page.
QUERY = """
query Posts($after: String, $before: String, $karmaThreshold: Int, $limit: Int, $offset: Int) {
  posts(
    selector: {old: {after: $after, before: $before, karmaThreshold: $karmaThreshold, excludeEvents: true}}
    limit: $limit
    offset: $offset
  ) {
    results { _id title slug pageUrl postedAt baseScore voteCount htmlBody user { displayName } }
  }
}
"""
FIELDS = ("_id", "title", "slug", "pageUrl", "postedAt", "baseScore", "voteCount")
REQUIRED_FIELDS = {*FIELDS, "htmlBody", "user"}

DEFAULTS: Settings = {
    "url": "https://www.lesswrong.com/graphql",
    "after": "2009-01-01",
    "before": "2023-09-01",
    "min_score": 30,
    "page": 50,
    "pause_seconds": 1.0,
    "attempts": 6,
    "backoff_seconds": 2.0,
    "timeout_seconds": 60.0,
}
USER_AGENT = "capybara-workflow/0.1 (Snakemake; reads posts once for a research dataset, one request at a time)"
RETRYABLE_STATUSES = {408, 425, 429, 500, 502, 503, 504}
MAX_WAIT_SECONDS = 3600.0  # a longer Retry-After ends the job with an error

BLOCKED_ADVICE = (
    "The site blocks automated requests. Try again on another day or from another network, ask the site's team for "
    "access, or name a published copy of the posts by `hub` or `path` instead"
)
API_ADVICE = (
    "The API has changed, or the site is not a ForumMagnum site. Check `url`, and QUERY in "
    "workflow_scripts/seeds/lesswrong.py"
)


class _Retryable(Exception):
    """A temporary failure. `wait` is the minimum time in seconds until the next attempt."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


def fetch_posts(settings: Settings, state: Path) -> Iterator[list[Post]]:
    """Pages of posts from `after` (inclusive) to `before` (exclusive) with at least `min_score`, oldest first.

    A post has `_id, title, slug, pageUrl, postedAt, baseScore, voteCount, author, htmlBody`; author and htmlBody may be
    None. `settings` override DEFAULTS. Every finished page is stored in `state` under the hash of its request and is not
    requested again. Raises UserError if the server refuses, fails permanently, or its answer contains no posts.
    """
    settings = {**DEFAULTS, **settings}
    windows = months(str(settings["after"]), str(settings["before"]))
    count = 0
    with progress(len(windows), "fetching posts", "month") as bar, requests.Session() as session:
        session.headers["User-Agent"] = USER_AGENT
        for first, end in windows:
            for posts in _window(session, settings, state, first, end):
                count += len(posts)
                bar.set_postfix(posts=count, refresh=False)
                yield posts
            bar.update()


def months(after: str, before: str) -> list[tuple[date, date]]:
    """The calendar months from `after` to `before` (ISO dates), each as its first day and the day after its last."""
    try:
        start, end = date.fromisoformat(after), date.fromisoformat(before)
    except ValueError as error:
        raise UserError(f"posts from {after} to {before}: {error}. Write dates as 2023-09-01.") from error
    if start >= end:
        raise UserError(f"posts from {after} to {before}: `after` is not before `before`. Correct them.")
    windows = []
    while start < end:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        windows.append((start, min(following, end)))
        start = following
    return windows


def _window(session: requests.Session, settings: Settings, state: Path, first: date, end: date) -> Iterator[list[Post]]:
    """The pages of a month. A page with unpublished posts is short, so only an empty page is the last one."""
    seen: set[str] = set()
    offset = 0
    while posts := _page(session, settings, state, first, end, offset):
        new = [post for post in posts if post["_id"] not in seen]
        if not new:
            raise UserError(
                f"{_where(settings, first, offset)}: the API ignores `offset` and returns the same posts again. {API_ADVICE}."
            )
        seen.update(post["_id"] for post in new)
        offset += len(posts)
        # Versions of the API differ in whether `before` includes its day; older ones ignore a threshold of 0.
        selected = [
            post
            for post in new
            if first.isoformat() <= post["postedAt"][:10] < end.isoformat()
            and (post["baseScore"] or 0) >= settings["min_score"]
        ]
        if selected:
            yield selected


def _page(
    session: requests.Session, settings: Settings, state: Path, first: date, end: date, offset: int
) -> list[Post]:
    """One page, from `state` if it is stored there."""
    variables = {
        # Versions of the API differ in whether `after` includes its own instant; many old posts are dated midnight.
        "after": _instant(first, -1),
        "before": _instant(end),
        "karmaThreshold": settings["min_score"],
        "limit": settings["page"],
        "offset": offset,
    }
    file = Path(state) / f"{content_id(settings['url'], QUERY, variables)}.json"
    if file.exists():
        return read_json(file)["posts"]
    where = _where(settings, first, offset)
    posts = _parse_posts(_request(session, settings, {"query": QUERY, "variables": variables}, where), where)
    write_json(file, {"url": settings["url"], "variables": variables, "posts": posts})
    time.sleep(settings["pause_seconds"])
    return posts


def _instant(day: date, milliseconds: int = 0) -> str:
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _where(settings: Settings, first: date, offset: int) -> str:
    return f"{settings['url']}, posts of {first:%Y-%m} from number {offset}"


def _request(session: requests.Session, settings: Settings, body: dict[str, Any], where: str) -> requests.Response:
    """The server's answer, after up to `attempts` attempts. The retries of urllib3 do not cover a truncated body."""
    attempts = Retrying(
        stop=stop_after_attempt(settings["attempts"]),
        wait=_backoff(settings["backoff_seconds"]),
        retry=retry_if_exception_type(_Retryable),
        before_sleep=lambda call: logging.info("%s: %s; retrying", where, _error(call)),
        reraise=True,
    )
    try:
        return attempts(_attempt, session, settings, body, where)
    except _Retryable as error:
        raise UserError(
            f"{where}: {error}, {settings['attempts']} times. Run again later; finished pages are kept."
        ) from error


def _backoff(seconds: float) -> Callable[[RetryCallState], float]:
    exponential = wait_exponential(multiplier=seconds, max=300)
    return lambda call: max(exponential(call), _error(call).wait)


def _error(call: RetryCallState) -> _Retryable:
    """The error of an attempt that is repeated; only this class of errors is."""
    return cast(_Retryable, call.outcome and call.outcome.exception())


def _attempt(session: requests.Session, settings: Settings, body: dict[str, Any], where: str) -> requests.Response:
    try:
        # requests would follow a redirect with GET.
        answer = session.post(settings["url"], json=body, timeout=settings["timeout_seconds"], allow_redirects=False)
    except requests.RequestException as error:
        if isinstance(error, ValueError):  # not a valid address
            raise UserError(f"{where}: {error}. Correct `url`.") from error
        raise _Retryable(f"no complete answer ({type(error).__name__})") from error
    if "challenge" in (answer.headers.get("x-vercel-mitigated"), answer.headers.get("cf-mitigated")):
        raise UserError(f"{where}: HTTP status {answer.status_code} and a browser check. {BLOCKED_ADVICE}.")
    if answer.status_code in RETRYABLE_STATUSES:
        wait = _retry_after(answer)
        if wait > MAX_WAIT_SECONDS:
            raise UserError(f"{where}: the server requests a wait of {wait:.0f} seconds. Run again after that.")
        page = " with an HTML page" if _is_html(answer) else ""
        raise _Retryable(f"HTTP status {answer.status_code}{page}", wait)
    return answer


def _retry_after(answer: requests.Response) -> float:
    """Seconds until the time in the header Retry-After, a number or a date; 0 without the header."""
    try:
        return Retry(retry_after_max=10**9).get_retry_after(answer.raw) or 0.0
    except InvalidHeader:
        return 0.0


def _is_html(answer: requests.Response) -> bool:
    return "html" in answer.headers.get("Content-Type", "") or answer.content.lstrip()[:1] == b"<"


def _parse_posts(answer: requests.Response, where: str) -> list[Post]:
    """The posts of an answer. UserError if it contains none."""
    status = f"HTTP status {answer.status_code}"
    if _is_html(answer):
        raise UserError(
            f"{where}: {status} and an HTML page instead of JSON. {BLOCKED_ADVICE}; or correct `url`, which may not be the API's address."
        )
    try:
        body = answer.json()
    except ValueError as error:
        to = f" to {answer.headers['Location']}" if "Location" in answer.headers else ""
        raise UserError(f"{where}: {status}{to}, not JSON. {API_ADVICE}.") from error
    if isinstance(body, dict) and body.get("errors"):
        raise UserError(f"{where}: the server reports: {_message(body['errors'])[:300]}. {API_ADVICE}.")
    try:
        results = body["data"]["posts"]["results"]
        if missing := sorted({name for post in results for name in REQUIRED_FIELDS - set(post)}):
            raise UserError(f"{where}: posts without {', '.join(missing)}. {API_ADVICE}.")
        return [
            {name: post[name] for name in FIELDS}
            | {"author": (post["user"] or {}).get("displayName"), "htmlBody": post["htmlBody"]}
            for post in results
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: {status}, but no posts at data.posts.results. {API_ADVICE}.") from error


def _message(errors: Any) -> str:
    try:
        return " ".join(str(errors[0]["message"]).split()).rstrip(".")
    except (KeyError, TypeError, IndexError):
        return json.dumps(errors)
