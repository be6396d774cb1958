"""Posts fetched from an HTTP server on loopback that answers the GraphQL query of the fetch."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.seeds.lesswrong import fetch_posts, months


class Forum:
    """Answers with the requested posts, after the responses in `trouble`, in order."""

    def __init__(self):
        self.posts = []
        self.trouble = []  # (status, headers, body)
        self.asked = []  # variables of each request
        self.user_agents = set()
        forum = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                forum.asked.append(body["variables"])
                forum.user_agents.add(self.headers["User-Agent"])
                trouble = forum.trouble.pop(0) if forum.trouble else None
                status, headers, content = trouble or (200, {}, forum.answer(**body["variables"]))
                content = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/graphql"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, after, before, karmaThreshold, limit, offset):
        found = [
            post for post in self.posts if after <= post["postedAt"] < before and post["baseScore"] >= karmaThreshold
        ]
        return {"data": {"posts": {"results": found[offset : offset + limit]}}}


def post(name, day, score=50, **fields):
    return {
        "_id": name,
        "title": f"On {name}",
        "slug": name,
        "pageUrl": f"https://example.org/{name}",
        "postedAt": f"{day}T00:00:00.000Z",
        "baseScore": score,
        "voteCount": 9,
        "htmlBody": f"<p>{name}</p>",
        "user": {"displayName": "Ann"},
        **fields,
    }


@pytest.fixture
def forum():
    forum = Forum()
    # Two pages in January, none in February, one in March.
    forum.posts = [post(name, f"2010-01-{day:02}") for day, name in enumerate("abc", 1)]
    forum.posts += [post("low", "2010-01-09", 29), post("d", "2010-03-31"), post("late", "2010-04-01")]
    yield forum
    forum.server.shutdown()
    forum.server.server_close()


@pytest.fixture
def fetch(forum, tmp_path):
    settings = {
        "url": forum.url,
        "after": "2010-01-01",
        "before": "2010-04-01",
        "page": 2,
        "pause_seconds": 0,
        "backoff_seconds": 0.001,
        "attempts": 4,
    }
    return lambda **changed: fetch_posts({**settings, **changed}, tmp_path)


def names(pages):
    return [[post["_id"] for post in page] for page in pages]


def test_pages_of_all_months(fetch, forum):
    pages = list(fetch())
    assert names(pages) == [["a", "b"], ["c"], ["d"]]
    assert pages[0][0] == {
        "_id": "a",
        "title": "On a",
        "slug": "a",
        "pageUrl": "https://example.org/a",
        "postedAt": "2010-01-01T00:00:00.000Z",
        "baseScore": 50,
        "voteCount": 9,
        "author": "Ann",
        "htmlBody": "<p>a</p>",
    }
    assert [(asked["after"][:10], asked["offset"]) for asked in forum.asked] == [
        ("2009-12-31", 0),  # the last millisecond before January
        ("2009-12-31", 2),
        ("2009-12-31", 3),  # a short page is not necessarily the last
        ("2010-01-31", 0),
        ("2010-02-28", 0),
        ("2010-02-28", 1),
    ]
    assert {asked["karmaThreshold"] for asked in forum.asked} == {30}
    [user_agent] = forum.user_agents
    assert user_agent.startswith("capybara-workflow")


def test_an_interrupted_fetch_requests_no_page_twice(fetch, forum):
    pages = fetch()
    first = [next(pages), next(pages)]
    pages.close()
    assert len(forum.asked) == 2
    assert names(fetch()) == [["a", "b"], ["c"], ["d"]]
    assert len(first) == 2 and len(forum.asked) == 6
    assert names(fetch()) == [["a", "b"], ["c"], ["d"]]
    assert len(forum.asked) == 6


def test_a_failed_fetch_resumes(fetch, forum):
    forum.trouble = [None, *[(503, {}, b"")] * 4]
    with pytest.raises(UserError, match="finished pages are kept"):
        list(fetch())
    asked = len(forum.asked)
    assert names(fetch()) == [["a", "b"], ["c"], ["d"]]
    assert len(forum.asked) - asked == 5


def test_other_settings_cause_new_requests(fetch, forum):
    list(fetch())
    assert names(fetch(min_score=20)) == [["a", "b"], ["c", "low"], ["d"]]
    assert len(forum.asked) > 6


def test_another_version_of_the_api(fetch, forum):
    """One that includes the day of `before`, ignores the threshold, and returns short pages."""
    forum.answer = lambda offset, **_: {"data": {"posts": {"results": forum.posts[offset : offset + 1]}}}
    assert names(fetch()) == [["a"], ["b"], ["c"], ["d"]]


def test_missing_author_and_body(fetch, forum):
    forum.posts = [post("a", "2010-01-01", user=None, htmlBody=None)]
    [[found]] = fetch()
    assert (found["author"], found["htmlBody"]) == (None, None)


@pytest.mark.parametrize(
    "trouble",
    [
        [(500, {}, b"")] * 3,
        [(429, {"Retry-After": "0"}, b"slow down")],
        [(429, {"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, b"")],
        [(429, {"Retry-After": "soon"}, b"")],
        [(502, {"Content-Type": "text/html"}, b"<html>Bad gateway</html>")],
        [(200, {"Content-Length": "500"}, b'{"data": ')],  # truncated
    ],
)
def test_temporary_failures_are_retried(fetch, forum, trouble):
    forum.trouble = list(trouble)
    assert names(fetch()) == [["a", "b"], ["c"], ["d"]]
    assert len(forum.asked) == 6 + len(trouble)


def test_a_server_that_does_not_answer_in_time(fetch, forum):
    wait = threading.Event()
    answer = forum.answer

    def slow(**variables):
        if len(forum.asked) == 1:
            wait.wait(5)
        return answer(**variables)

    forum.answer = slow
    assert names(fetch(timeout_seconds=0.2)) == [["a", "b"], ["c"], ["d"]]
    wait.set()
    assert len(forum.asked) == 7


def test_retry_after_is_honoured(fetch, forum, monkeypatch):
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    forum.trouble = [(429, {"Retry-After": "17"}, b""), (503, {}, b""), (503, {}, b"")]
    list(fetch())
    waited = [pause for pause in pauses if pause]
    assert waited[0] == 17
    assert 0 < waited[1] < waited[2] < 1  # exponential backoff


def test_pauses_between_requests_only(fetch, forum, monkeypatch):
    pauses = []
    monkeypatch.setattr("workflow_scripts.seeds.lesswrong.time.sleep", pauses.append)
    list(fetch(pause_seconds=3))
    list(fetch(pause_seconds=3))
    assert pauses == [3] * 6


PAGE = (200, {"Content-Type": "text/html"}, b"<!doctype html><title>Checking your browser</title>")


@pytest.mark.parametrize(
    ("trouble", "message", "requests"),
    [
        ((503, {}, b""), "HTTP status 503, 4 times. Run again later", 4),
        ((429, {"Content-Type": "text/html"}, b"<html>"), "HTTP status 429 with an HTML page, 4 times", 4),
        ((429, {"x-vercel-mitigated": "challenge"}, b"<html>"), "HTTP status 429 and a browser check", 1),
        ((403, {"cf-mitigated": "challenge"}, b"<html>"), "HTTP status 403 and a browser check", 1),
        ((429, {"Retry-After": "86400"}, b""), "requests a wait of 86400 seconds", 1),
        (PAGE, "HTTP status 200 and an HTML page instead of JSON", 1),
        ((200, {}, b"  <p>Hello</p>"), "an HTML page instead of JSON", 1),
        ((301, {"Location": "https://example.org/"}, b""), "HTTP status 301 to https://example.org/, not JSON", 1),
        (
            (200, {}, {"errors": [{"message": "Exceeded\nmaximum value."}]}),
            "reports: Exceeded maximum value. The API",
            1,
        ),
        ((400, {}, {"errors": [{"message": "Cannot query field"}]}), "the server reports: Cannot query field", 1),
        ((200, {}, {"errors": {"other": "shape"}}), "other", 1),
        ((200, {}, {"data": {"posts": None}}), "no posts at data.posts.results", 1),
        ((200, {}, {"data": {"posts": {"results": None}}}), "no posts at data.posts.results", 1),
        ((200, {}, {"data": {"posts": {"results": [None]}}}), "no posts at data.posts.results", 1),
        ((200, {}, []), "no posts at data.posts.results", 1),
        ((200, {}, {"data": {"posts": {"results": [{"_id": "a"}]}}}), "posts without baseScore, htmlBody, pageUrl", 1),
    ],
)
def test_permanent_failures_are_reported(fetch, forum, trouble, message, requests):
    forum.trouble = [trouble] * 9
    with pytest.raises(UserError) as caught:
        list(fetch())
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{forum.url}, posts of 2010-01 from number 0: ")
    assert len(forum.asked) == requests


def test_a_server_that_ignores_the_offset(fetch, forum):
    forum.answer = lambda **_: {"data": {"posts": {"results": forum.posts[:2]}}}
    with pytest.raises(UserError, match="from number 2: the API ignores `offset`"):
        list(fetch())


def test_no_server(fetch):
    with pytest.raises(UserError, match=r"no complete answer \(ConnectionError\), 4 times"):
        list(fetch(url="http://127.0.0.1:9/graphql"))
    with pytest.raises(UserError, match="Correct `url`"):
        list(fetch(url="lesswrong"))


def test_months():
    windows = [(str(first), str(end)) for first, end in months("2009-11-15", "2010-02-02")]
    assert windows == [
        ("2009-11-15", "2009-12-01"),
        ("2009-12-01", "2010-01-01"),
        ("2010-01-01", "2010-02-01"),
        ("2010-02-01", "2010-02-02"),
    ]


@pytest.mark.parametrize(
    ("after", "before", "message"),
    [
        ("2010-01-01", "2010-01-01", "is not before"),
        ("2010-02-01", "2010-01-01", "is not before"),
        ("2010", "2011-01-01", "Write"),
    ],
)
def test_invalid_dates(after, before, message):
    with pytest.raises(UserError, match=message):
        months(after, before)
