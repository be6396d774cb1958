"""A teacher that answers from a script: a real OpenAI-compatible server on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class ScriptedTeacher:
    """Takes one reply of the script for each request, in order; the last one repeats."""

    def __init__(self):
        self.script = []
        self.requests = []  # bodies, as they came in
        self.headers = []
        self.drips = 0.0  # seconds between two bytes of a reply's body
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        teacher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with teacher._lock:
                    reply = teacher.script.pop(0) if len(teacher.script) > 1 else teacher.script[0]
                    teacher.requests.append(body)
                    teacher.headers.append({name.lower(): value for name, value in self.headers.items()})
                    teacher.at_once += 1
                    teacher.most_at_once = max(teacher.most_at_once, teacher.at_once)
                teacher._over.wait(reply["seconds"])
                with teacher._lock:
                    teacher.at_once -= 1
                self.send_response(reply["status"])
                headers = {"Content-Type": "application/json", "Content-Length": str(len(reply["body"]))}
                for name, value in (headers | reply["headers"]).items():
                    self.send_header(name, value)
                self.end_headers()
                if teacher.drips:
                    for byte in reply["body"]:
                        self.wfile.write(bytes([byte]))
                        teacher._over.wait(teacher.drips)
                else:
                    self.wfile.write(reply["body"])
                self.close_connection = reply["headers"].get("Connection") == "close"

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that gave up waiting is part of the test
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def sends(self, body, status=200, seconds=0.0, **headers):
        """Add a reply: a JSON value or raw bytes, after so many seconds."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append({"body": body, "status": status, "seconds": seconds, "headers": headers})
        return self

    def says(self, text, finish_reason="stop", **more):
        """Add a whole chat completion."""
        message = {"role": "assistant", "content": text}
        return self.sends(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            },
            **more,
        )

    def close(self):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def teacher():
    server = ScriptedTeacher()
    yield server
    server.close()
