"""Posts of a ForumMagnum site (LessWrong), fetched from its public GraphQL API, politely and resumably.

The query is that of the site's own code (github.com/ForumMagnum/ForumMagnum): `posts(selector: {old: {after, before,
karmaThreshold, excludeEvents}}, limit, offset)`. The older form, `posts(input: {terms})`, is marked deprecated there;
an `offset` beyond 2,000 is refused, hence the windows of a month. The licence of the posts is their authors' affair.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id, read_json, write_json

Post = dict[str, Any]
Settings = dict[str, Any]

# Oldest first, so that a new post does not move the others to another page.
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
NEEDED = {*FIELDS, "htmlBody", "user"}

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
USER_AGENT = "capybara-workflow/0.1 (Snakemake; reads posts once for a research data set, one request at a time)"
MAY_PASS = {408, 425, 429, 500, 502, 503, 504}
LONGEST_WAIT = 3600.0  # seconds; a server that asks for more is left alone until the user comes back

WALL = (
    "The site takes this for a robot and wants a browser. Try again on another day or from another network, ask the "
    "site's team for access, or name a published copy of the posts by `hub` or `path` instead"
)
CHANGED = (
    "The API has changed, or this is no ForumMagnum site: check `url`, and QUERY in workflow_scripts/seeds/lesswrong.py"
)


class _MayPass(Exception):
    """A failure that may pass. `wait` is the least time in seconds until the next attempt."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


def fetch_posts(settings: Settings, state: Path) -> Iterator[list[Post]]:
    """Pages of posts from `after` (inclusive) to `before` (exclusive) with at least `min_score`, oldest first.

    A post holds `_id, title, slug, pageUrl, postedAt, baseScore, voteCount, author, htmlBody`; author and htmlBody may
    be None. `settings` may leave out what DEFAULTS holds. Every finished page lies in `state` under the hash of its
    request, and is never asked for again. Raises UserError for a server that refuses, fails for good, or answers
    something else than posts.
    """
    settings = {**DEFAULTS, **settings}
    windows = months(str(settings["after"]), str(settings["before"]))
    found = 0
    with progress(len(windows), "fetching posts", "month") as bar, requests.Session() as session:
        session.headers["User-Agent"] = USER_AGENT
        for first, end in windows:
            for posts in _window(session, settings, state, first, end):
                found += len(posts)
                bar.set_postfix(posts=found, refresh=False)
                yield posts
            bar.update()


def months(after: str, before: str) -> list[tuple[date, date]]:
    """The calendar months from `after` to `before` (ISO dates), each as its first day and the day after its last."""
    try:
        start, end = date.fromisoformat(after), date.fromisoformat(before)
    except ValueError as error:
        raise UserError(f"posts from {after} to {before}: {error}. Write dates as 2023-09-01.") from error
    if start >= end:
        raise UserError(f"posts from {after} to {before}: no day lies between. Correct `after` or `before`.")
    windows = []
    while start < end:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        windows.append((start, min(following, end)))
        start = following
    return windows


def _window(session: requests.Session, settings: Settings, state: Path, first: date, end: date) -> Iterator[list[Post]]:
    """A month's pages. A page may be short for posts that are not public, so only an empty one is the end."""
    seen: set[str] = set()
    offset = 0
    while posts := _page(session, settings, state, first, end, offset):
        new = [post for post in posts if post["_id"] not in seen]
        if not new:
            raise UserError(f"{_where(settings, first, offset)}: the same posts once more. {CHANGED}.")
        seen.update(post["_id"] for post in new)
        offset += len(posts)
        # Servers have differed in whether `before` ends with its day, and old ones pass over a threshold of 0.
        wanted = [
            post
            for post in new
            if first.isoformat() <= post["postedAt"][:10] < end.isoformat()
            and (post["baseScore"] or 0) >= settings["min_score"]
        ]
        if wanted:
            yield wanted


def _page(
    session: requests.Session, settings: Settings, state: Path, first: date, end: date, offset: int
) -> list[Post]:
    """One page, from `state` if it has been there before."""
    variables = {
        # Servers have differed in whether `after` takes in its own instant, and many old posts bear midnight.
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
    posts = _read(_ask(session, settings, {"query": QUERY, "variables": variables}, where), where)
    write_json(file, {"url": settings["url"], "variables": variables, "posts": posts})
    time.sleep(settings["pause_seconds"])
    return posts


def _instant(day: date, milliseconds: int = 0) -> str:
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _where(settings: Settings, first: date, offset: int) -> str:
    return f"{settings['url']}, posts of {first:%Y-%m} from number {offset}"


def _ask(session: requests.Session, settings: Settings, body: dict[str, Any], where: str) -> requests.Response:
    """The server's answer, after as many attempts as it takes; urllib3's own retries do not cover a body cut off."""
    attempts = Retrying(
        stop=stop_after_attempt(settings["attempts"]),
        wait=_longer_each_time(settings["backoff_seconds"]),
        retry=retry_if_exception_type(_MayPass),
        before_sleep=lambda call: logging.info("%s: %s; next attempt soon", where, call.outcome.exception()),
        reraise=True,
    )
    try:
        return attempts(_attempt, session, settings, body, where)
    except _MayPass as error:
        raise UserError(
            f"{where}: {error}, {settings['attempts']} times. Run again later: finished pages are kept."
        ) from error


def _longer_each_time(seconds: float) -> Callable[[RetryCallState], float]:
    growing = wait_exponential(multiplier=seconds, max=300)
    return lambda call: max(growing(call), call.outcome.exception().wait)


def _attempt(session: requests.Session, settings: Settings, body: dict[str, Any], where: str) -> requests.Response:
    try:
        # A redirect would turn the POST into a GET.
        answer = session.post(settings["url"], json=body, timeout=settings["timeout_seconds"], allow_redirects=False)
    except requests.RequestException as error:
        if isinstance(error, ValueError):  # no address at all
            raise UserError(f"{where}: {error}. Correct `url`.") from error
        raise _MayPass(f"no complete answer ({type(error).__name__})") from error
    if "challenge" in (answer.headers.get("x-vercel-mitigated"), answer.headers.get("cf-mitigated")):
        raise UserError(f"{where}: HTTP status {answer.status_code} and a test for browsers. {WALL}.")
    if answer.status_code in MAY_PASS:
        wait = _asked_to_wait(answer)
        if wait > LONGEST_WAIT:
            raise UserError(f"{where}: the server asks to wait for {wait:.0f} seconds. Run again after that.")
        page = ", with a page for browsers" if _is_page(answer) else ""
        raise _MayPass(f"HTTP status {answer.status_code}{page}", wait)
    return answer


def _asked_to_wait(answer: requests.Response) -> float:
    """Seconds by the header Retry-After, a number or a date; 0 without it."""
    try:
        return Retry(retry_after_max=10**9).get_retry_after(answer.raw) or 0.0
    except InvalidHeader:
        return 0.0


def _is_page(answer: requests.Response) -> bool:
    return "html" in answer.headers.get("Content-Type", "") or answer.content.lstrip()[:1] == b"<"


def _read(answer: requests.Response, where: str) -> list[Post]:
    """The posts of an answer; a UserError for anything else."""
    status = f"HTTP status {answer.status_code}"
    if _is_page(answer):
        raise UserError(f"{where}: {status} and a page instead of JSON. {WALL}; or `url` is not the API's.")
    try:
        body = answer.json()
    except ValueError as error:
        to = f" to {answer.headers['Location']}" if "Location" in answer.headers else ""
        raise UserError(f"{where}: {status}{to}, and no JSON. {CHANGED}.") from error
    if isinstance(body, dict) and body.get("errors"):
        raise UserError(f"{where}: the server says: {_message(body['errors'])[:300]}. {CHANGED}.")
    try:
        results = body["data"]["posts"]["results"]
        if lacking := sorted({name for post in results for name in NEEDED - set(post)}):
            raise UserError(f"{where}: posts without {', '.join(lacking)}. {CHANGED}.")
        return [
            {name: post[name] for name in FIELDS}
            | {"author": (post["user"] or {}).get("displayName"), "htmlBody": post["htmlBody"]}
            for post in results
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: {status}, but no posts in data.posts.results. {CHANGED}.") from error


def _message(errors: Any) -> str:
    try:
        return " ".join(str(errors[0]["message"]).split()).rstrip(".")
    except (KeyError, TypeError, IndexError):
        return json.dumps(errors)
