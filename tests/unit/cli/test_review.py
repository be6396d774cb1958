"""`capybara review`: invitations, assignment, errors, and that fetching only adds.

Label Studio itself is too large for these tests; tests/support/review_in_browser.py runs the commands against a real server. A
stand-in stores organisations, projects and tasks here.
"""

import json
import socket
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
import yaml

from workflow_scripts.cli import review
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.verification import local_server

TOKEN = "0123456789abcdef0123456789abcdef01234567"


class StandIn(BaseHTTPRequestHandler):
    """The part of Label Studio's API that the commands use; `server.tasks` are tasks by organisation."""

    def answer(self):
        path, state = urlsplit(self.path).path, self.server
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        if self.headers["Authorization"] != f"Token {TOKEN}":
            return self.send(401, {"detail": "Invalid token."})
        match [self.command, *path.strip("/").split("/")]:
            case ["GET", "api", "current-user", "whoami"]:
                return self.send(200, {"id": 1, "active_organization": state.organisation})
            case ["PATCH", "api", "users", "1"]:
                state.organisation = body["active_organization"]
            case ["GET", "api", "projects"]:
                made = [{"id": state.organisation, "title": "Review"}] if state.organisation in state.tasks else []
                return self.send(200, {"results": made})
            case ["POST", "api", "projects"]:
                state.tasks[state.organisation] = []
                return self.send(201, {"id": state.organisation})
            case ["GET", "api", "projects", number, "export"] if int(number) == state.organisation:
                return self.send(200, state.tasks[state.organisation])
            case ["POST", "api", "projects", number, "import"] if int(number) == state.organisation:
                mine = state.tasks[state.organisation]
                mine += [{"id": len(mine) + n, "annotations": [], **task} for n, task in enumerate(body, 1)]
            case ["PATCH", "api", "projects", number] if int(number) == state.organisation:
                pass
            case _:
                return self.send(404, {"detail": "Not found."})
        self.send(200, {})

    do_GET = do_POST = do_PATCH = answer

    def send(self, status, content):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *words):
        pass


@pytest.fixture
def studio(monkeypatch):
    """A stand-in server on loopback; `studio.url` is its address."""
    monkeypatch.setenv("LABEL_STUDIO_USER_TOKEN", TOKEN)
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.organisation, server.tasks = 1, {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def run_of(tmp_path):
    """A function that writes a queue of `count` physics problems with three reviewers; returns the configuration file."""

    def write(count, invited=True, adjudicators=()):
        item = {"field": "physics", "topic": "Optics", "kind": "seed", "conversation": [{"input": "?", "output": "!"}]}
        folder = tmp_path / "results" / "mine" / "verification"
        write_jsonl(folder / "queue.jsonl", [{"id": f"{n:016d}", **item} for n in range(count)])
        write_json(folder / "plan.json", {"reviewers_per_item": 2})
        people = {name: {"fields": ["physics"], "degree": "MSc", "account": n, "organisation": n} for n, name in enumerate(("anna", "ben", "cleo"), 2)}  # fmt: skip
        path = tmp_path / "reviewers.yaml"
        path.write_text(yaml.safe_dump(people if invited else {}))
        section = {"reviewers": str(path), "adjudicators": list(adjudicators)}
        config = {"run": "mine", "results": str(tmp_path / "results"), "verification": section}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
        return str(tmp_path / "mine.yaml")

    return write


def judged(task, verdict, account, at):
    result = [{"from_name": "verdict_0", "type": "choices", "value": {"choices": [verdict]}}] if verdict else []
    task["annotations"] = [{"id": 1, "completed_by": account, "result": result, "updated_at": at, "lead_time": 5.0}]


def test_push_assigns_only_new_items(studio, run_of):
    for count in (6, 6, 9):
        review.main(["push", "--configfile", run_of(count), "--url", studio.url])
        held = [task["data"]["item"] for tasks in studio.tasks.values() for task in tasks]
        assert sorted(held) == sorted([f"{n:016d}" for n in range(count)] * 2)
    assert studio.organisation == 1  # the lead's organisation is active again
    assert {task["data"]["reviewer"] for task in studio.tasks[2]} == {"anna"}


def test_a_disputed_item_goes_to_the_adjudicator(studio, run_of, tmp_path):
    states = tmp_path / "results" / "mine" / "verification" / "items.jsonl"
    write_jsonl(states, [{"id": f"{n:016d}", "state": "disputed" if n == 3 else "open"} for n in range(6)])
    review.main(["push", "--configfile", run_of(6, adjudicators=["cleo"]), "--url", studio.url])
    assert [task["data"]["item"] for task in studio.tasks[4]] == [f"{3:016d}"]
    assert len(studio.tasks[2]) == len(studio.tasks[3]) == 6


def test_fetch_only_adds(studio, run_of, tmp_path, caplog):
    config, file = run_of(3, adjudicators=["cleo"]), tmp_path / "decisions.jsonl"
    review.main(["push", "--configfile", config, "--url", studio.url])
    fetch = ["fetch", "--configfile", config, "--url", studio.url, "--file", str(file)]
    judged(studio.tasks[2][0], "correct", 2, "2026-03-01T10:00:00Z")
    judged(studio.tasks[3][0], None, 3, "2026-03-01T10:00:00Z")
    review.main(fetch)
    first = file.read_bytes()
    assert [(row["reviewer"], row["verdict"]) for row in read_jsonl(file)] == [("anna", "correct")]
    assert "skipped: ben, task 1, answer 1: no verdict." in caplog.text
    review.main(fetch)
    assert file.read_bytes() == first
    judged(studio.tasks[2][0], "wrong", 2, "2026-03-02T10:00:00Z")
    review.main(fetch)
    studio.tasks[2].clear()  # a reviewer deleted all tasks
    review.main(fetch)
    assert file.read_bytes().startswith(first) and [row["verdict"] for row in read_jsonl(file)] == ["correct", "wrong"]


def test_an_error_does_not_repeat_a_wrong_token(studio, run_of, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_USER_TOKEN", "wrong-token")
    with pytest.raises(UserError, match="rejects the token") as caught:
        review.main(["push", "--configfile", run_of(1), "--url", studio.url])
    assert "wrong-token" not in str(caught.value)


def test_missing_accounts_tokens_and_queues_are_errors(run_of, tmp_path, monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_USER_TOKEN", raising=False)
    push = ["push", "--configfile"]
    with pytest.raises(UserError, match="no reviewer is invited yet"):
        review.main([*push, run_of(1, invited=False)])
    with pytest.raises(UserError, match="LABEL_STUDIO_USER_TOKEN is not set"):
        review.main([*push, run_of(1)])
    monkeypatch.setenv("LABEL_STUDIO_USER_TOKEN", TOKEN)
    with pytest.raises(UserError, match=r"does not respond at http://127\.0\.0\.1:9 \(ConnectionError\)"):
        review.main([*push, run_of(1), "--url", "http://127.0.0.1:9"])
    config = run_of(1)
    (tmp_path / "results" / "mine" / "verification" / "queue.jsonl").unlink()
    with pytest.raises(UserError, match=r"queue\.jsonl: does not exist yet"):
        review.main([*push, config])
    with pytest.raises(UserError, match=r"verification\.reviewers: null"):
        review.main(["push"])


def test_invalid_invitations(run_of, monkeypatch, tmp_path):
    invite = ["invite", "--configfile", run_of(1), "--degree", "MSc", "--label-studio", str(tmp_path), "--name"]
    with pytest.raises(UserError, match=r"not a pseudonym\. Use lower-case letters"):
        review.main([*invite, "Anna Lind", "--fields", "physics"])
    with pytest.raises(UserError, match="--fields physic: not one of physics"):
        review.main([*invite, "anna", "--fields", "physic"])
    monkeypatch.delenv("REVIEWER_PASSWORD", raising=False)
    with pytest.raises(UserError, match="REVIEWER_PASSWORD is not set"):
        review.main([*invite, "anna", "--fields", "physics"])
    monkeypatch.setenv("REVIEWER_PASSWORD", "secret")
    with pytest.raises(UserError, match="no environment with Label Studio"):
        review.main([*invite, "anna", "--fields", "physics"])


def test_a_server_is_not_started_on_a_port_in_use_or_without_secrets(tmp_path, monkeypatch):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch()
    started = lambda port: local_server.start(tmp_path, tmp_path / "data", "127.0.0.1", port, None)  # noqa: E731
    monkeypatch.delenv("LABEL_STUDIO_PASSWORD", raising=False)
    with pytest.raises(UserError, match="LABEL_STUDIO_PASSWORD is not set"):
        started(0)
    monkeypatch.setenv("LABEL_STUDIO_PASSWORD", "secret")
    monkeypatch.setenv("LABEL_STUDIO_USER_TOKEN", TOKEN)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=r"port \d+ of 127\.0\.0\.1 is not available"):
            started(taken.getsockname()[1])


def test_the_database_is_readable_by_its_user_only(tmp_path, monkeypatch):
    """`start` and `invite` run a Python that creates files as Label Studio does: with the mask that it inherits."""
    python, data = tmp_path / "bin" / "python", tmp_path / "data"
    python.parent.mkdir()
    python.write_text(
        '#!/bin/sh\nmkdir -p "$LABEL_STUDIO_BASE_DATA_DIR/media"\ntouch "$LABEL_STUDIO_BASE_DATA_DIR/new"\necho "{}"\n'
    )
    python.chmod(0o755)
    (data / "export").mkdir(parents=True)
    (data / "label_studio.sqlite3").touch()
    (data / "label_studio.sqlite3").chmod(0o644)
    monkeypatch.setenv("REVIEWER_PASSWORD", "secret")

    def modes():
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [data, *data.iterdir()]}

    private = {"data": 0o700, "export": 0o700, "media": 0o700, "label_studio.sqlite3": 0o600, "new": 0o600}
    assert local_server.make_account(tmp_path, data, "anna", "anna@x") == {}
    assert modes() == private
    (data / "new").unlink()
    data.chmod(0o755)
    code = "import sys; from pathlib import Path; from workflow_scripts.verification.local_server import start; "
    code += "start(Path(sys.argv[1]), Path(sys.argv[1], 'data'), '127.0.0.1', 0, None)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    assert modes() == private


def test_a_sheet_contains_the_items_of_the_reviewers_fields(run_of, tmp_path):
    review.main(["sheet", "--configfile", run_of(2), "--name", "ben", "--file", str(tmp_path / "ben.csv")])
    lines = (tmp_path / "ben.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 3 and lines[1].startswith("id-0000000000000000,1,physics,Optics,?,!,ben,")
    with pytest.raises(UserError, match="no profile zoe"):
        review.main(["sheet", "--configfile", run_of(2), "--name", "zoe", "--file", str(tmp_path / "zoe.csv")])


def test_files_that_the_commands_create_may_be_missing(run_of, tmp_path, monkeypatch):
    """A configuration can name the profiles and the decisions before `invite` and `fetch` have written them."""
    path = run_of(1)
    config = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    config["verification"] |= {"reviewers": str(tmp_path / "new.yaml"), "decisions": [str(tmp_path / "new.jsonl")]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(local_server, "make_account", lambda *_: {"account": 2, "organisation": 2})
    review.main(["invite", "--configfile", path, "--name", "anna", "--fields", "physics", "--degree", "MSc"])
    profile = {"fields": ["physics"], "degree": "MSc", "account": 2, "organisation": 2}
    assert yaml.safe_load((tmp_path / "new.yaml").read_text()) == {"anna": profile}
    config["seeds"] = {"limt": 3}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(
        UserError, match=r"the configuration has errors:\n  .*mine\.yaml, line \d+: seeds\.limt: unknown key"
    ):
        review.main(["push", "--configfile", path])
