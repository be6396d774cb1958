"""An OpenAI-compatible server with rule-based replies for tests and benchmarks: high throughput, injected faults, a record.

    python -m tests.support.scripted_teacher --port 0 --port-file F --delay 0.05 --fault-rate 0.3 --record requests.jsonl

Replies come from scripted_replies.py. Each request draws its own fault, so a retry may succeed. The record has one line
for each arrival and one for its end, in the order of events: {"event": "arrival" | "reply" | "fault" | "gone", "n",
"hash", "time", ...}. "reply" is a valid answer that was passed to the network completely; "gone" is a client that
disconnected while it waited. Error replies repeat the request's headers, as some proxies do, so a client that prints them
prints the key.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.scripted_replies import MODEL, Body, completion, fingerprint, sentences

# Bodies of replies with HTTP status 200 that a server may send by mistake or in bad faith.
HOSTILE = {
    "nested": lambda: b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "oversized": lambda: _body("a" * 17 * 2**20),
    "newlines": lambda: _body("\n" * 200_000 + "Expert:" + "\n" * 200_000),
}
FAULTS = ("slow", "429", "500", "401", "truncated", "empty_choices", "content_type", "reset")


class Reply(NamedTuple):
    """A reply and the fault to record. `body` is None if the connection is aborted; `delay` is in seconds."""

    status: int
    body: bytes | None
    delay: float
    fault: str | None = None
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    tokens: int = 0


class Teacher:
    """State shared by all connections: the options, the draws of faults, and the record."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.faults = tuple(filter(None, options.faults.split(",")))
        if unknown := set(self.faults) - set(FAULTS):
            raise SystemExit(f"unknown faults: {', '.join(sorted(unknown))}. Choose from {', '.join(FAULTS)}.")
        self.rng = random.Random(options.seed)
        self.hostile = dict(entry.split("=") for entry in options.hostile.split(",") if entry)
        self.arrived = 0
        # Line-buffered, so that a test can read the events so far.
        self._record = open(options.record, "a", buffering=1, encoding="utf-8") if options.record else None  # noqa: SIM115
        sentences()

    def record(self, event: str, number: int, digest: str, **more: Any) -> None:
        if self._record:
            row = {"event": event, "n": number, "hash": digest, "time": round(time.time(), 4), **more}
            self._record.write(json.dumps(row) + "\n")

    def reply(self, body: Body, digest: str, headers: str) -> Reply:
        options = self.options
        if options.api_key and f"bearer {options.api_key}".lower() not in headers.lower():
            return Reply(401, _error(401, headers), 0.0, "unauthorized")
        asked = json.dumps(body["messages"])
        if kind := next((kind for word, kind in self.hostile.items() if word in asked), None):
            return Reply(200, HOSTILE[kind](), options.delay, kind)
        fault = self.rng.choice(self.faults) if self.faults and self.rng.random() < options.fault_rate else None
        if fault in ("401", "500"):
            return Reply(int(fault), _error(int(fault), headers), options.delay / 2, fault)
        if fault == "429":
            wait = self.rng.uniform(0, options.retry_after)
            return Reply(429, _error(429, headers), 0.0, fault, headers=(f"Retry-After: {wait:.2f}",))
        if fault == "content_type":
            page = f"<html><body>502 Bad Gateway<pre>{headers}</pre></body></html>"
            return Reply(200, page.encode(), options.delay / 2, fault, "text/html")
        reply_body = completion(body, digest)
        written = reply_body["usage"]["completion_tokens"]
        delay = options.delay + options.delay_per_token * written
        if fault == "empty_choices":
            return Reply(200, json.dumps(reply_body | {"choices": []}).encode(), delay, fault)
        text = json.dumps(reply_body).encode()
        if fault == "truncated":
            return Reply(200, text[: len(text) // 2], delay, fault)
        if fault == "reset":
            return Reply(200, None, delay / 2, fault)
        return Reply(200, text, options.slow if fault == "slow" else delay, fault, tokens=written)


def _body(content: str) -> bytes:
    message = {"role": "assistant", "content": content}
    return json.dumps({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}).encode()


def _error(status: int, headers: str) -> bytes:
    return json.dumps(
        {"error": {"message": f"refused; your request had {headers}", "type": "error", "code": status}}
    ).encode()


class Connection(asyncio.Protocol):
    """One client's keep-alive connection. A web framework would be slower than the client under test."""

    def __init__(self, teacher: Teacher, loop: asyncio.AbstractEventLoop):
        self.teacher = teacher
        self.loop = loop
        self.received = bytearray()
        self.pending: asyncio.TimerHandle | None = None
        self.in_progress: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.in_progress is None:
            self._next()

    def connection_lost(self, _: Exception | None) -> None:
        if self.in_progress is not None:
            if self.pending:
                self.pending.cancel()
            self.teacher.record("gone", *self.in_progress)
            self.in_progress = None

    def _next(self) -> None:
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.received[:end].decode("latin-1")
        length = re.search(r"\r\ncontent-length:\s*(\d+)", head, re.IGNORECASE)
        start, stop = end + 4, end + 4 + (int(length[1]) if length else 0)
        if len(self.received) < stop:
            return
        body = bytes(self.received[start:stop])
        del self.received[:stop]
        line, _, headers = head.partition("\r\n")
        if "/chat/completions" in line:
            self._chat(body, headers)
        elif line.startswith("GET"):
            models = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "tests"}]}
            known = {"/health": {"status": "ok"}, "/v1/models": models}.get(line.split()[1])
            self._write(Reply(200 if known else 404, json.dumps(known or {}).encode(), 0.0))
        else:
            self._write(Reply(404, b"{}", 0.0))

    def _chat(self, content: bytes, headers: str) -> None:
        body = json.loads(content)
        digest = fingerprint(body)
        number = self.teacher.arrived
        self.teacher.arrived += 1
        self.teacher.record("arrival", number, digest)
        self.in_progress = number, digest
        reply = self.teacher.reply(body, digest, headers)
        if reply.delay > 0:
            self.pending = self.loop.call_later(reply.delay, self._finish, reply)
        else:
            self._finish(reply)

    def _finish(self, reply: Reply) -> None:
        number, digest = self.in_progress or (-1, "")
        self.in_progress = self.pending = None
        if reply.body is None:
            self.teacher.record("fault", number, digest, fault=reply.fault)
            self.transport.abort()
            return
        if self.transport.is_closing():
            self.teacher.record("gone", number, digest)
            return
        self._write(reply)
        good = reply.status == 200 and reply.fault in (None, "slow")
        more = {"tokens": reply.tokens} if good else {"fault": reply.fault}
        self.teacher.record("reply" if good else "fault", number, digest, status=reply.status, **more)
        if self.received:
            self._next()

    def _write(self, reply: Reply) -> None:
        lines = [
            f"HTTP/1.1 {reply.status} {'OK' if reply.status == 200 else 'Refused'}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {len(reply.body or b'')}",
            *reply.headers,
        ]
        self.transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (reply.body or b""))


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    teacher = Teacher(options)
    server = await loop.create_server(
        lambda: Connection(teacher, loop), "127.0.0.1", options.port, backlog=1024, start_serving=True
    )
    port = server.sockets[0].getsockname()[1]
    if options.port_file:
        partial = options.port_file.with_suffix(".partial")
        partial.write_text(str(port))
        partial.replace(options.port_file)
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


class Served(NamedTuple):
    """A running server: its address, its record and its process."""

    base_url: str
    record: Path
    process: subprocess.Popen

    def events(self, *kinds: str) -> list[Body]:
        """The events so far, in order; of these kinds only, if any are given."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().split("\n")[:-1]  # the last line may be incomplete
        return [row for row in map(json.loads, lines) if not kinds or row["event"] in kinds]


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """Start a server process with its record in `folder`; it is killed at the end of the block. RuntimeError if it does not start within 30 s."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file, record = folder / "port", folder / "requests.jsonl"
    port_file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "tests.support.scripted_teacher",
        "--port-file",
        str(port_file),
        "--record",
        str(record),
    ]
    process = subprocess.Popen(
        [*command, *options], cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the scripted teacher did not start within 30 s")
            time.sleep(0.02)
        yield Served(f"http://127.0.0.1:{port_file.read_text()}/v1", record, process)
    finally:
        process.kill()
        process.wait()


def main(argv: list[str] | None = None) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="port; 0 chooses a free one (default)")
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once requests are accepted")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every reply")
    parser.add_argument(
        "--delay-per-token", type=float, default=0.0, help="additional seconds for each token of the reply"
    )
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of the requests with a fault, 0 to 1")
    parser.add_argument(
        "--faults",
        default="slow,429,500,truncated,empty_choices,content_type,reset",
        help=f"comma-separated kinds of faults: {', '.join(FAULTS)}",
    )
    parser.add_argument(
        "--hostile",
        default="",
        metavar="WORD=KIND,...",
        help=f"requests with a word always get a hostile reply: {', '.join(HOSTILE)}",
    )
    parser.add_argument("--slow", type=float, default=30.0, help="seconds of a slow reply")
    parser.add_argument("--retry-after", type=float, default=1.0, help="maximum Retry-After of a 429, in seconds")
    parser.add_argument("--api-key", help="reject requests without this key")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the faults")
    parser.add_argument("--record", type=Path, help="JSONL file to append events to")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
