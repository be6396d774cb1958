"""Download of the teacher, from a real HTTP Hub on loopback."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workflow_scripts.common.rows import read_json

COMMIT = "a" * 40
FILES = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"a pickle"}


class Hub(BaseHTTPRequestHandler):
    """The part of the Hub's API that `snapshot_download` uses."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path.startswith(f"/api/models/me/teacher/tree/{COMMIT}"):
            files = [{"type": "file", "path": name, "size": len(data), "oid": name} for name, data in FILES.items()]
            return self.answer(json.dumps(files).encode())
        if self.path.startswith("/api/models/me/teacher"):
            info = {"id": "me/teacher", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES]}
            return self.answer(json.dumps(info).encode())
        name = self.path.rpartition("/")[2]
        if self.path.startswith(f"/me/teacher/resolve/{COMMIT}/") and name in FILES:
            return self.answer(FILES[name], ETag=f'"{name}"', **{"X-Repo-Commit": COMMIT})
        self.send_error(404)

    def answer(self, content, **headers):
        self.send_response(200)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def fetch(tmp_path):
    """A function that runs the entry point against the Hub on loopback: (stderr, exit status)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    home = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
    }

    def fetched(model):
        settings = json.dumps({"model": model, "revision": None})
        options = ["--settings", settings, "--record", str(tmp_path / "model.json")]
        command = [sys.executable, "-m", "workflow_scripts.synthesis.fetch_teacher", *options]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **home})
        return done.stderr, done.returncode

    yield fetched
    server.shutdown()
    server.server_close()


def test_safetensors_are_in_the_cache_and_the_commit_is_recorded(fetch, tmp_path):
    stderr, status = fetch("me/teacher")
    assert status == 0, stderr
    assert read_json(tmp_path / "model.json") == {"model": "me/teacher", "commit": COMMIT}
    names = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
    assert names == {"config.json", "model.safetensors"}


def test_a_missing_model_is_an_error(fetch):
    stderr, status = fetch("me/other")
    assert status == 1 and stderr.splitlines()[-1].startswith("error: model me/other at None cannot be downloaded: ")
