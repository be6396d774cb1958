"""A small Hub on loopback that implements what an upload by `huggingface_hub` needs.

    whoami-v2 · repos/create · repo_info · validate-yaml · preupload · LFS batch, object, verify · commit

Repositories are in memory; `blobs` holds large files by their SHA-256. Each entry of `faults` makes one request fail:
(part of a path, a status or "cut" to close the connection without a reply).
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

TOKEN = "hf_canary71a3standin"
LARGE_FILE_BYTES = 100_000  # files of this size or more are uploaded with LFS


def git_blob(content: bytes) -> str:
    """The SHA-1 of a git blob with this content, as 40 hex digits."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class StandInHub:
    """A server that runs inside a `with` block; `url` is its address."""

    def __init__(self):
        self.token: str | None = TOKEN  # None: no token is required
        self.repos: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[tuple[str, int | str]] = []
        self.requests: list[str] = []
        self.commits = 0

    def __enter__(self) -> "StandInHub":
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _reply(self, status, body=None):
        data = json.dumps(body if body is not None else {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _faulty(self, body):
        for fault in self.hub.faults:
            part, what = fault
            if part in self.path:
                self.hub.faults.remove(fault)
                if what == "cut":
                    self.connection.close()
                    self.close_connection = True
                else:
                    self._reply(what, {"error": f"status {what}"})
                return True
        return False

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append(f"{self.command} {self.path}")
        if self._faulty(body):
            return
        if (
            self.hub.token
            and not self.path.startswith("/lfs/")
            and self.headers.get("Authorization") != f"Bearer {self.hub.token}"
        ):
            return self._reply(401, {"error": "Invalid credentials in Authorization header"})
        path = self.path.partition("?")[0]
        for pattern, method in ROUTES:
            if self.command in pattern.split(" ")[0].split(",") and (
                found := re.fullmatch(pattern.split(" ")[1], path)
            ):
                return getattr(self, method)(body, *found.groups())
        self._reply(404, {"error": f"no such route: {self.command} {path}"})

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def _files(self, kind, name):
        return self.hub.repos.get(f"{kind}/{name}")

    def whoami(self, body):
        self._reply(200, {"name": "somebody", "type": "user", "orgs": []})

    def create(self, body):
        request = json.loads(body)
        name = f"{request.get('type') or 'model'}s/{request.get('organization') or 'somebody'}/{request['name']}"
        if name in self.hub.repos:
            return self._reply(409, {"error": "You already created this repo", "url": f"{self.hub.url}/{name}"})
        self.hub.repos[name] = {".gitattributes": b"*.safetensors filter=lfs\n"}
        self.hub.private[name] = request.get("visibility") == "private"
        self._reply(200, {"url": f"{self.hub.url}/{name.removeprefix('models/')}", "name": name})

    def info(self, body, kind, name):
        if (files := self._files(kind, name)) is None:
            return self._reply(404, {"error": "Repository not found"})
        siblings = [
            {"rfilename": path, "blobId": git_blob(content), "size": len(content)} for path, content in files.items()
        ]
        self._reply(200, {"id": name, "modelId": name, "sha": f"{self.hub.commits:040x}", "siblings": siblings, "private": True, "tags": [], "downloads": 0, "likes": 0})  # fmt: skip

    def validate(self, body):
        request = json.loads(body)
        match = re.match(r"---\n(.*?)\n---\n", request["content"], re.DOTALL)
        try:
            data = yaml.safe_load(match[1]) if match else None
        except yaml.YAMLError:
            data = None
        if not isinstance(data, dict) or "license" not in data:
            return self._reply(400, {"errors": [{"message": "metadata: no licence"}], "warnings": []})
        self._reply(200, {"errors": [], "warnings": []})

    def preupload(self, body, kind, name):
        files = self._files(kind, name)
        modes = []
        for entry in json.loads(body)["files"]:
            large = entry["size"] >= LARGE_FILE_BYTES
            content = files.get(entry["path"])
            oid = None if content is None else hashlib.sha256(content).hexdigest() if large else git_blob(content)
            modes.append(
                {"path": entry["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}
            )
        self._reply(200, {"files": modes})

    def batch(self, body, kind, name):
        objects = []
        for entry in json.loads(body)["objects"]:
            actions = {} if entry["oid"] in self.hub.blobs else {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}", "header": {}}}  # fmt: skip
            objects.append({**entry, "authenticated": True, **({"actions": actions} if actions else {})})
        self._reply(200, {"transfer": "basic", "objects": objects})

    def store(self, body, oid):
        if hashlib.sha256(body).hexdigest() != oid:
            return self._reply(422, {"error": "the SHA-256 of the content differs"})
        self.hub.blobs[oid] = body
        self._reply(200)

    def commit(self, body, kind, name):
        files = self._files(kind, name)
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        self.hub.commits += 1
        oid = f"{self.hub.commits:040x}"
        self._reply(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "hookOutput": ""})  # fmt: skip


ROUTES = [
    ("GET /api/whoami-v2", "whoami"),
    ("POST /api/repos/create", "create"),
    ("POST /api/validate-yaml", "validate"),
    ("POST /api/(models|datasets)/([^/]+/[^/]+)/preupload/main", "preupload"),
    ("POST /api/(models|datasets)/([^/]+/[^/]+)/commit/main", "commit"),
    ("GET /api/(models|datasets)/([^/]+/[^/]+?)", "info"),
    ("GET /api/(models|datasets)/([^/]+/[^/]+?)/revision/main", "info"),
    ("POST /(datasets)/([^/]+/[^/]+)[.]git/info/lfs/objects/batch", "batch"),
    ("POST /()([^/]+/[^/]+)[.]git/info/lfs/objects/batch", "batch"),
    ("PUT /lfs/([0-9a-f]+)", "store"),
]
