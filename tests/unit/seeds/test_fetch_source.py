"""A source as published, and its origin: from files, from a URL, and from a forum."""

import functools
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest

from workflow_scripts.common import loading
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256, read_json
from workflow_scripts.seeds.fetch_source import main

# A sample has the number of each row in the published data, from 1, in the column `__row__`.
ROWS = [{"message_1": f"Problem {n}", "message_2": "1", "topic;": "Algebra"} for n in range(5)]


@pytest.fixture
def fetch(tmp_path):
    """A function that fetches a source: its rows and origin."""

    def fetched(**settings):
        names = {"rows": "rows.parquet", "origin": "origin.json", "state": "rows.state"}
        out = [part for name, file in names.items() for part in (f"--{name}", str(tmp_path / "new" / file))]
        main(["--settings", json.dumps({"id": "camel", **settings}), *out])
        return pq.read_table(tmp_path / "new" / "rows.parquet").to_pylist(), read_json(tmp_path / "new" / "origin.json")

    return fetched


def some(rows):
    return {} if rows is None else {"rows": rows}


@pytest.mark.parametrize(("rows", "count"), [(None, 5), (2, 2), (9, 5)])
def test_rows_and_origin(tmp_path, fetch, rows, count):
    path = tmp_path / "camel.json"
    path.write_text(json.dumps(ROWS))
    found, origin = fetch(path=str(path), **some(rows))
    assert len(found) == count
    assert all(row == {**ROWS[row["__row__"] - 1], "__row__": row["__row__"]} for row in found if "__row__" in row)
    assert count < len(ROWS) or found == ROWS
    assert origin == {"dataset": str(path), "revision": f"sha256:{file_sha256(path)}", "rows": count}


def test_an_error_names_source_file_and_line(tmp_path, fetch):
    path = tmp_path / "camel.jsonl"
    path.write_text('{"message_1": "a"}\n{"message_1": \n')
    with pytest.raises(UserError) as caught:
        fetch(path=str(path))
    assert str(caught.value).startswith(f"seed source camel: {path}, line 2: not valid JSON")
    assert not list((tmp_path / "new").iterdir())


@pytest.fixture
def serve():
    """A function that starts a server on loopback with a handler and returns its address."""
    servers = []

    def start(handler):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(tmp_path, serve):
    """A folder and the address at which it is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    folder = tmp_path / "site"
    folder.mkdir()
    return folder, serve(functools.partial(Quiet, directory=folder))


@pytest.mark.parametrize(("rows", "count"), [(None, 5), (2, 2)])
def test_a_file_from_a_url(site, fetch, rows, count):
    folder, address = site
    (folder / "camel.json").write_text(json.dumps(ROWS))
    found, origin = fetch(url=f"{address}/camel.json?download=true", **some(rows))
    assert len(found) == count
    assert all(row == {**ROWS[row["__row__"] - 1], "__row__": row["__row__"]} for row in found if "__row__" in row)
    assert count < len(ROWS) or found == ROWS
    assert origin == {
        "dataset": f"{address}/camel.json?download=true",
        "revision": f"sha256:{file_sha256(folder / 'camel.json')}",
        "rows": count,
    }


def test_another_file_than_the_configured_one_is_an_error(site, fetch):
    folder, address = site
    (folder / "camel.json").write_text(json.dumps(ROWS))
    sha256 = file_sha256(folder / "camel.json")
    assert fetch(url=f"{address}/camel.json", sha256=sha256)[0]
    with pytest.raises(UserError, match=rf"camel\.json: its sha256:{sha256} is not the `sha256` of the configuration"):
        fetch(url=f"{address}/camel.json", sha256="0" * 64)


def test_a_download_has_a_limit(site, fetch, monkeypatch):
    folder, address = site
    (folder / "camel.json").write_text(json.dumps(ROWS))
    monkeypatch.setattr(loading, "DOWNLOAD_BYTES", 100)
    with pytest.raises(
        UserError, match=r"camel\.json: larger than .* GiB\. Download it yourself and name it by `path`"
    ):
        fetch(url=f"{address}/camel.json")


def test_a_url_that_cannot_be_fetched_is_reported(site, fetch, tmp_path):
    folder, address = site
    (folder / "broken.jsonl").write_text('{"a": 1}\n{\n')
    for name, words in {
        "gone.json": f"seed source camel: {address}/gone.json cannot be downloaded: 404",
        "broken.jsonl": f"seed source camel: {address}/broken.jsonl, line 2: not valid JSON",
        "": f"seed source camel: {address}/: unknown kind of file. Use one of .jsonl, .ndjson, .json",
    }.items():
        with pytest.raises(UserError) as caught:
            fetch(url=f"{address}/{name}")
        assert str(caught.value).startswith(words)
    with pytest.raises(UserError, match=r"/x\.json cannot be downloaded: .* Check the address and the network"):
        fetch(url="http://127.0.0.1:9/x.json")
    assert not list((tmp_path / "new").iterdir())


def test_an_interrupted_download(serve, fetch):
    class Breaks(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "500")
            self.end_headers()
            self.wfile.write(b'[{"a": 1}]')

        def log_message(self, *_):
            pass

    with pytest.raises(UserError, match=r"camel\.json cannot be downloaded: .* Check the address and the network"):
        fetch(url=f"{serve(Breaks)}/camel.json")


@pytest.fixture
def forum(serve):
    """The settings of a forum of six posts, three per month, and the requests that it received."""
    posts = [
        {
            "_id": name,
            "title": f"On {name}",
            "slug": name,
            "pageUrl": f"https://example.org/{name}",
            "postedAt": f"2010-0{1 + number // 3}-0{1 + number}T00:00:00.000Z",
            "baseScore": 40,
            "voteCount": 9,
            "htmlBody": f"<p>{name}</p>",
            "user": None if name == "b" else {"displayName": "Ann"},
        }
        for number, name in enumerate("abcdef")
    ]
    asked = []

    class Forum(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["variables"]
            asked.append(body)
            found = [post for post in posts if body["after"] <= post["postedAt"] < body["before"]]
            found = [post for post in found if post["baseScore"] >= body["karmaThreshold"]]
            page = found[body["offset"] : body["offset"] + body["limit"]]
            content = json.dumps({"data": {"posts": {"results": page}}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    settings = {"url": f"{serve(Forum)}/graphql", "after": "2010-01-01", "before": "2010-03-01", "min_score": 30}
    return {**settings, "page": 2, "pause_seconds": 0}, asked


@pytest.mark.parametrize(("rows", "names"), [(None, "abcdef"), (1, "a"), (2, "ab"), (4, "abcd"), (9, "abcdef")])
def test_posts_of_a_forum(forum, fetch, tmp_path, rows, names):
    settings, _ = forum
    found, origin = fetch(graphql=settings, **some(rows))
    assert [post["_id"] for post in found] == list(names)
    assert found[0] == {
        "_id": "a",
        "title": "On a",
        "slug": "a",
        "pageUrl": "https://example.org/a",
        "postedAt": "2010-01-01T00:00:00.000Z",
        "author": "Ann",
        "htmlBody": "<p>a</p>",
        "baseScore": 40,
        "voteCount": 9,
    }
    assert [post["author"] for post in found[1:2]] in ([], [None])
    revision = f"sha256:{file_sha256(tmp_path / 'new' / 'rows.parquet')}"
    assert origin == {"dataset": settings["url"], "revision": revision, "rows": len(names)}


def test_fetched_pages_of_a_forum_are_not_requested_again(forum, fetch):
    settings, asked = forum
    found, origin = fetch(graphql=settings, rows=3)
    count = len(asked)
    assert count == 2  # no more than necessary
    assert fetch(graphql=settings, rows=3) == (found, origin)
    assert len(asked) == count
    fetch(graphql=settings)
    assert len(asked) == 3 * 2  # two pages and the empty one, for two months


def test_a_forum_without_such_posts(forum, fetch, tmp_path):
    settings, _ = forum
    with pytest.raises(UserError) as caught:
        fetch(graphql={**settings, "min_score": 99})
    assert str(caught.value) == (
        f"seed source camel: {settings['url']}: no post from 2010-01-01 to 2010-03-01 has the score `post_min_score`. "
        "Lower `post_min_score`, or extend the dates."
    )
    assert not (tmp_path / "new" / "origin.json").exists()


def test_an_unreachable_forum_is_named(fetch):
    settings = {"url": "http://127.0.0.1:9/graphql", "after": "2010-01-01", "before": "2010-02-01", "min_score": 30}
    with pytest.raises(
        UserError, match=r"^seed source camel: http://127\.0\.0\.1:9/graphql, posts of 2010-01 from number 0"
    ):
        fetch(graphql={**settings, "attempts": 1})


def write_topics(tmp_path, key="topic"):
    rows = [{"message_1": f"Question {number}", key: f"t{number // 100}"} for number in range(1000)]
    path = tmp_path / "topics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_rows_are_a_random_sample(tmp_path, fetch):
    path = write_topics(tmp_path)
    found, _ = fetch(path=path, rows=200)
    numbers = [int(row["message_1"].split()[1]) for row in found]
    assert len(set(numbers)) == 200 and numbers == sorted(numbers)
    assert {row["topic"] for row in found} == {f"t{number}" for number in range(10)}  # not the head of the file
    assert fetch(path=path, rows=200)[0] == found
    assert fetch(path=path, rows=200, id="other")[0] != found


@pytest.mark.parametrize("key", ["topic", "topic;"])
def test_rows_are_spread_over_a_column(tmp_path, fetch, key):
    found, _ = fetch(path=write_topics(tmp_path, key), rows=25, sample_by=["topic;", "topic"])
    counts = Counter(row[key] for row in found)
    assert len(counts) == 10 and set(counts.values()) == {2, 3}


def test_a_missing_column_to_sample_by_is_an_error(tmp_path, fetch):
    with pytest.raises(UserError, match="no column subject, which `sample_by` names; the columns are message_1, topic"):
        fetch(path=write_topics(tmp_path), rows=5, sample_by=["subject"])
