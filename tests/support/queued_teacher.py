"""A teacher for unit tests: a real OpenAI-compatible server on loopback that sends queued replies in order."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class QueuedTeacher:
    """Sends one queued reply per request, in order; the last one repeats.

    Public attributes: `queue`, the replies; `requests` and `headers`, as received; `byte_seconds`, a pause after every
    byte of a reply; `max_concurrent`, the maximum number of requests at the same time.
    """

    def __init__(self):
        self.queue = []
        self.requests = []
        self.headers = []
        self.byte_seconds = 0.0
        self.max_concurrent = 0
        self._concurrent = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        teacher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with teacher._lock:
                    reply = teacher.reply_to(body)
                    teacher.requests.append(body)
                    teacher.headers.append({name.lower(): value for name, value in self.headers.items()})
                    teacher._concurrent += 1
                    teacher.max_concurrent = max(teacher.max_concurrent, teacher._concurrent)
                teacher._closed.wait(reply["seconds"])
                with teacher._lock:
                    teacher._concurrent -= 1
                self.send_response(reply["status"])
                headers = {"Content-Type": "application/json", "Content-Length": str(len(reply["body"]))}
                for name, value in (headers | reply["headers"]).items():
                    self.send_header(name, value)
                self.end_headers()
                if teacher.byte_seconds:
                    for byte in reply["body"]:
                        self.wfile.write(bytes([byte]))
                        teacher._closed.wait(teacher.byte_seconds)
                else:
                    self.wfile.write(reply["body"])
                self.close_connection = reply["headers"].get("Connection") == "close"

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # some tests close the connection before the reply
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def reply_to(self, body):
        """The next queued reply. A subclass may choose one by the request."""
        return self.queue.pop(0) if len(self.queue) > 1 else self.queue[0]

    def sends(self, body, status=200, seconds=0.0, **headers):
        """Queue a reply: a JSON value or raw bytes, sent after a number of seconds."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.queue.append({"body": body, "status": status, "seconds": seconds, "headers": headers})
        return self

    def says(self, text, finish_reason="stop", **options):
        """Queue a complete chat completion; `options` as in `sends`."""
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
            **options,
        )

    def close(self):
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
