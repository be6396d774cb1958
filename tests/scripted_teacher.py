"""An OpenAI-compatible server that answers by rule, for tests and benchmarks: many requests, chosen faults, a record.

    python -m tests.scripted_teacher --port 0 --port-file F --delay 0.05 --fault-rate 0.3 --record requests.jsonl

A reply is a function of the request's content alone, and plausible for Amplify-Instruct: the last messages tell what is
asked for. Faults are drawn anew for every request that arrives, so a retry may succeed. The record has one line for
each arrival and one for how it ended, in the order of events: {"event": "arrival" | "reply" | "fault" | "gone", "n",
"hash", "time", ...}; "reply" is a good answer that was handed to the network as a whole, "gone" a client that hung up
while it waited. Error replies repeat the request's headers, as some proxies do: whoever prints them prints the key.

The replies are no language model's: their sentences are put together from the words below.
"""

import argparse
import asyncio
import contextlib
import functools
import hashlib
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Body = dict[str, Any]

MODEL = "scripted"
FAULTS = ("slow", "429", "500", "401", "truncated", "empty_choices", "content_type", "reset")
# What makes two requests the same one; a client may send more, such as vLLM's `continue_final_message`.
CONTENT = ("model", "messages", "seed", "temperature", "top_p", "max_tokens", "response_format")
ANSWER_CHARS = (1220, 1760)  # the last sentence goes beyond
FOLLOW_UP_CHARS = (120, 195)
CHARS_A_TOKEN = 4.5


def _words(text: str, mark: str = " ") -> list[str]:
    return text.replace("\n", " ").split(mark)


NOUNS = _words("""archive balance bridge canal catalyst climate colony compass contract crystal currency current debate engine
estuary experiment fabric forest glacier grammar harbour harvest horizon instrument kernel ladder lattice ledger lens
machine magnet market melody membrane method mineral mountain network nucleus orbit orchard paradox pendulum planet
pressure protein proof rhythm river rumour sediment signal spectrum statute surface symbol theorem threshold tide timber
tradition treaty turbine valley vessel village vocabulary voltage volume voyage""")  # fmt: skip
ADJECTIVES = _words("""ancient brittle careful central common curious delicate distant early familiar fragile gradual hidden
indirect narrow natural obvious ordinary patient peculiar practical private quiet rapid regular remote severe shallow
simple slender stable steady strange subtle sudden uneven unusual visible western wooden""")  # fmt: skip
VERBS = _words("""absorbs alters balances carries changes collects connects controls corrects delays describes divides drives
explains follows governs guides holds imitates joins limits measures moves outlasts predicts preserves protects reaches
records reflects releases repeats replaces resists reveals separates shapes slows stores strengthens supports transforms
weakens""")  # fmt: skip
OPENERS = _words("""|In practice |By contrast |As a result |Over time |For this reason |In most cases |At first sight |More often
than not |Seen from nearby |In the long run |Without much notice |On a small scale |In the laboratory |Historically """, "|")  # fmt: skip
TAILS = _words("""before anyone has time to notice|as long as the supply of water lasts|in a way that early observers could not
measure|although the opposite was believed for decades|and the difference grows with every step|which is why careful
records were kept|even where the two were never compared|until the outer layer gives way|by roughly a third in dry
years|because heat has to leave somewhere|and that is what the first surveys missed|once the smaller parts begin to
agree|without any change of the total|just as a clock keeps its own time|so that errors cancel in pairs|though only at
low temperatures|and nobody had expected so strong an effect|when both ends are held fixed|with a delay of several
weeks|as the workshops of the north had found long before""", "|")  # fmt: skip
ABOUT = _words("""you describe|in your answer|you mention|from your explanation|as you present it""", "|")
CLAUSES = _words("""when the {noun} around it turns out to be far more {adjective} than the textbooks admit|if one looks at a
{adjective} {noun} rather than at the usual one|once somebody has taken away the {adjective} {noun} on which all of it
seems to rest|given that a {noun} rarely stays {adjective} for as long as that|in a place where the {noun} is both
{adjective} and {other}""", "|")  # fmt: skip

NAMES = _words("Ada Boris Clara Deniz Edith Farid Greta Hugo Ines Jonas Karin Lukas")

# What our prompts ask for, told by their words; loosely, so that a prompt may be put otherwise.
BEGUN = re.compile(r"(?:begin|start|open)s?(?:ning|ing)?\b[^\"“”\n]{0,60}[\"“]([^\"“”\n]{2,80})[\"”]", re.IGNORECASE)
FINAL_ANSWER = re.compile(r"[\"“]Answer:[\"”]")
LIST = re.compile(r"\bnumbered list\b.*?\bto (\d+)|\blist of (\d+)\b", re.IGNORECASE | re.DOTALL)
HARDER = re.compile(r"\b(?:harder|more complex|evolve)\b", re.IGNORECASE)
DATA = re.compile(r"\bdata\b")
PUZZLE = re.compile(r"\b(?:logic problem|puzzle|riddle)\b", re.IGNORECASE)
REQUEST = re.compile(
    r"\b(?:rewrite|write|invent|compose|create|make)\b[^.\n]{0,80}"
    r"\b(?:instructions?|requests?|questions?|problems?|tasks?|prompts?|message)\b",
    re.IGNORECASE,
)
GIVEN = re.compile(r"<request>\s*(.*?)\s*</request>", re.DOTALL)
LONG_WORD = re.compile(r"[^\W\d_]{5,}")
BAD_SIGN = re.compile(
    r"^(?!no_|not_)(?:.*_)?(?:disclaimer|invent|same|wrong|refus|copy|error|fault)", re.IGNORECASE
)  # in a judgement


def fingerprint(body: Body) -> str:
    """16 hex digits of a request's content: the same for the body that was sent and for the one in our cache."""
    content = {key: body[key] for key in CONTENT if body.get(key) is not None}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _sentences() -> list[str]:
    rng = random.Random(20230925)
    return [
        f"{rng.choice(OPENERS)}the {rng.choice(ADJECTIVES)} {noun} {rng.choice(VERBS)} "
        f"{rng.choice(['the', 'every', 'its', 'another', 'some'])} {rng.choice(ADJECTIVES)} {other}, {rng.choice(TAILS)}."
        for _ in range(40_000)
        for noun, other in [rng.sample(NOUNS, 2)]
    ]


def _sentence(rng: random.Random) -> str:
    text = _sentences()[int(rng.random() * 40_000)]
    return text[0].upper() + text[1:]


def _long_word(messages: list[dict[str, str]], rng: random.Random) -> str:
    """A word that carries a subject, from the turns before the one that asks."""
    said = [message["content"] for message in messages if message["role"] != "system"]
    words = LONG_WORD.findall(" ".join(said[:-1] or said)[-4000:])
    return rng.choice(words).lower() if words else "matter"


def _answer(rng: random.Random, word: str) -> str:
    wanted = rng.randint(*ANSWER_CHARS)
    text = f"What matters about {word} is easily missed."
    while len(text) < wanted:
        text += ("\n\n" if rng.random() < 0.2 else " ") + _sentence(rng)
    return text


def _follow_up(rng: random.Random, opening: str, word: str) -> str:
    low, high = FOLLOW_UP_CHARS
    begun = f"{opening} the idea of {word} {rng.choice(ABOUT)}"
    text = begun
    for _ in range(20):
        noun, (adjective, other) = rng.choice(NOUNS), rng.sample(ADJECTIVES, 2)
        text = f"{text} {rng.choice(CLAUSES).format(noun=noun, adjective=adjective, other=other)}"
        if low <= len(text) < high:
            return text + "?"
        if len(text) >= high:
            text = begun
    return begun + "?"


def _request(rng: random.Random, word: str) -> str:
    """A new instruction."""
    noun, other = rng.sample(NOUNS, 2)
    first, second = rng.sample(ADJECTIVES, 2)
    return rng.choice(
        [
            f"Explain how a {first} {noun} and the idea of {word} depend on each other, and give one example where a {second} {other} decides.",
            f"Describe what happens to {word} when the {first} {noun} is replaced by a {second} {other}, and justify each step of your reasoning.",
            f"Compare {word} with a {first} {noun} for a reader who knows only the {second} {other}, and name two limits of the comparison.",
            f"A {first} {noun} holds three parts of {word} and a {second} {other} takes one of them away each day: how long does it last, and why?",
        ]
    )


def _harder(rng: random.Random, prompt: str) -> str:
    """The request that the prompt holds, with a condition more, and with data where the prompt speaks of some."""
    given = GIVEN.search(prompt)
    noun, adjective = rng.choice(NOUNS), rng.choice(ADJECTIVES)
    more = rng.choice(
        [
            f"Take into account that the {noun} stays {adjective}, and say which of your steps depends on it.",
            f"Justify every step, and show for a {adjective} {noun} where the usual reasoning would break down.",
            f"Answer for the particular case of a {adjective} {noun} that is observed over seven years in Bergen.",
        ]
    )
    rows = [f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} | {rng.randint(2, 900)}" for _ in range(5)]
    table = "\n\nUse these figures:\nkind | number\n" + "\n".join(rows) if DATA.search(GIVEN.sub("", prompt)) else ""
    return f"{given[1] if given else 'Explain this.'} {more}{table}"


def _puzzle(rng: random.Random) -> str:
    first, second, third = rng.sample(NAMES, 3)
    noun, other = rng.sample(NOUNS, 2)
    return (
        f"{first}, {second} and {third} each keep one {rng.choice(ADJECTIVES)} thing: a {noun}, a {other} or an old map. "
        f"{first} does not keep the {noun}. {second} has never owned a map or a {other}. "
        f"The map does not belong to {third}, who visited {first} {rng.randint(2, 9)} times last year. "
        f"Who keeps the {rng.choice([noun, other])}?"
    )


def _solution(rng: random.Random, problem: str) -> str:
    """Steps and a result; for the same problem the same result, however it was asked."""
    result = NAMES[int(hashlib.sha256(problem[:200].encode()).hexdigest(), 16) % len(NAMES)]
    steps = [f"{place}. {_sentence(rng)} {_sentence(rng)}" for place in range(1, rng.randint(5, 7))]
    return "\n".join([*steps, f"Answer: {result}"])


def instance(schema: Any, rng: random.Random, name: str = "") -> Any:
    """A minimal value of a JSON schema: random choices, high scores, and mostly nothing that speaks against a text."""
    if not isinstance(schema, dict):
        return "some text"
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return instance(rng.choice(schema[key]), rng, name)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object":
        parts = schema.get("properties", {})
        return {each: instance(parts.get(each, {}), rng, each) for each in schema.get("required", parts)}
    if kind == "array":
        least, items = max(schema.get("minItems", 1), 1), schema.get("items", {})
        if schema.get("uniqueItems") and isinstance(items, dict) and "enum" in items:
            return rng.sample(items["enum"], least)
        return [instance(items, rng) for _ in range(least)]
    bad = bool(BAD_SIGN.search(name)) != (rng.random() < 0.05)
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        high = schema.get("maximum", low + 10)
        value = low if bad else rng.uniform(high - (high - low) * 0.2, high)
        return round(value) if kind == "integer" else float(value)
    if kind == "boolean":
        return not bad
    return None if kind == "null" else _sentence(rng)


def reply_text(body: Body, digest: str) -> str:
    """What the teacher says to a request; nothing but its content decides."""
    rng = random.Random(int(digest, 16))
    messages = body["messages"]
    last, system = messages[-1]["content"], messages[0]["content"] if messages[0]["role"] == "system" else None
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(instance(form["json_schema"].get("schema", {}), rng))
    if messages[-1]["role"] == "assistant":  # begun for it
        return _follow_up(rng, last, _long_word(messages[:-1], rng))
    if FINAL_ANSWER.search(system or last[-400:]):
        return _solution(rng, last)
    if system is not None:  # of our prompts, only those for answers have one
        return _answer(rng, _long_word(messages, rng))
    asked = last if len(last) < 1200 else f"{last[:500]}\n{last[-700:]}"  # it stands before or after the rest
    if opening := BEGUN.search(asked):
        return _follow_up(rng, opening[1], _long_word(messages, rng))
    if count := LIST.search(asked):
        lines = [f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}" for _ in range(int(count[1] or count[2]))]
        return "\n".join(f"{place}. {line.capitalize()}" for place, line in enumerate(lines, 1))
    if REQUEST.search(asked):
        if HARDER.search(asked) and GIVEN.search(last):
            return _harder(rng, last)
        return _puzzle(rng) if PUZZLE.search(asked[:200]) else _request(rng, rng.choice(NOUNS))
    return _answer(rng, _long_word(messages, rng))


def completion(body: Body, digest: str) -> Body:
    """A whole chat completion; a text longer than `max_tokens` is cut off, as servers do."""
    text, finish_reason = reply_text(body, digest), "stop"
    limit = int((body.get("max_tokens") or body.get("max_completion_tokens") or 10**6) * CHARS_A_TOKEN)
    if len(text) > limit:
        text, finish_reason = text[:limit], "length"
    asked = round(sum(len(message["content"]) for message in body["messages"]) / CHARS_A_TOKEN)
    written = max(round(len(text) / CHARS_A_TOKEN), 1)
    return {
        "id": f"chatcmpl-{digest}",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", MODEL),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
    }


class Reply(NamedTuple):
    """What goes to the client and to the record; no `body` means that the connection is torn down."""

    status: int
    body: bytes | None
    delay: float
    fault: str | None = None
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    tokens: int = 0


class Teacher:
    """What all connections share: the rules for replies and faults, and the record."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.faults = tuple(filter(None, options.faults.split(",")))
        if unknown := set(self.faults) - set(FAULTS):
            raise SystemExit(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
        self.rng = random.Random(options.seed)
        self.arrived = 0
        # Each line is written at once, so that a test may read what has happened so far.
        self._record = open(options.record, "a", buffering=1, encoding="utf-8") if options.record else None  # noqa: SIM115
        _sentences()

    def record(self, event: str, number: int, digest: str, **more: Any) -> None:
        if self._record:
            row = {"event": event, "n": number, "hash": digest, "time": round(time.time(), 4), **more}
            self._record.write(json.dumps(row) + "\n")

    def reply(self, body: Body, digest: str, headers: str) -> Reply:
        options = self.options
        if options.api_key and f"bearer {options.api_key}".lower() not in headers.lower():
            return Reply(401, _error(401, headers), 0.0, "unauthorized")
        fault = self.rng.choice(self.faults) if self.faults and self.rng.random() < options.fault_rate else None
        if fault in ("401", "500"):
            return Reply(int(fault), _error(int(fault), headers), options.delay / 2, fault)
        if fault == "429":
            wait = self.rng.uniform(0, options.retry_after)
            return Reply(429, _error(429, headers), 0.0, fault, headers=(f"Retry-After: {wait:.2f}",))
        if fault == "content_type":
            page = f"<html><body>502 Bad Gateway<pre>{headers}</pre></body></html>"
            return Reply(200, page.encode(), options.delay / 2, fault, "text/html")
        whole = completion(body, digest)
        written = whole["usage"]["completion_tokens"]
        delay = options.delay + options.delay_per_token * written
        if fault == "empty_choices":
            return Reply(200, json.dumps(whole | {"choices": []}).encode(), delay, fault)
        text = json.dumps(whole).encode()
        if fault == "truncated":
            return Reply(200, text[: len(text) // 2], delay, fault)
        if fault == "reset":
            return Reply(200, None, delay / 2, fault)
        return Reply(200, text, options.slow if fault == "slow" else delay, fault, tokens=written)


def _error(status: int, headers: str) -> bytes:
    return json.dumps(
        {"error": {"message": f"refused; your request had {headers}", "type": "error", "code": status}}
    ).encode()


class Connection(asyncio.Protocol):
    """One client's connection, kept open from request to request. By hand, as frameworks are slower than our client."""

    def __init__(self, teacher: Teacher, loop: asyncio.AbstractEventLoop):
        self.teacher = teacher
        self.loop = loop
        self.received = bytearray()
        self.pending: asyncio.TimerHandle | None = None
        self.under_way: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.under_way is None:
            self._next()

    def connection_lost(self, _: Exception | None) -> None:
        if self.under_way is not None:
            if self.pending:
                self.pending.cancel()
            self.teacher.record("gone", *self.under_way)
            self.under_way = None

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
        self.under_way = number, digest
        reply = self.teacher.reply(body, digest, headers)
        if reply.delay > 0:
            self.pending = self.loop.call_later(reply.delay, self._finish, reply)
        else:
            self._finish(reply)

    def _finish(self, reply: Reply) -> None:
        number, digest = self.under_way or (-1, "")
        self.under_way = self.pending = None
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
    """A server that runs: where it is, and its record."""

    base_url: str
    record: Path
    process: subprocess.Popen

    def events(self, *kinds: str) -> list[Body]:
        """What has happened so far, in order; only events of these kinds, if any are named."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().split("\n")[:-1]  # the last line may be half written
        return [row for row in map(json.loads, lines) if not kinds or row["event"] in kinds]


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """A server of its own process with its record in `folder`, stopped at the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file, record = folder / "port", folder / "requests.jsonl"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.scripted_teacher", "--port-file", str(port_file), "--record", str(record)]
    process = subprocess.Popen(
        [*command, *options], cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the scripted teacher did not start")
            time.sleep(0.02)
        yield Served(f"http://127.0.0.1:{port_file.read_text()}/v1", record, process)
    finally:
        process.kill()
        process.wait()


def main(argv: list[str] | None = None) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once requests are taken")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every reply")
    parser.add_argument("--delay-per-token", type=float, default=0.0, help="seconds more for each token of it")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of the requests that meet a fault")
    parser.add_argument(
        "--faults",
        default="slow,429,500,truncated,empty_choices,content_type,reset",
        help=f"which, as a list with commas: {', '.join(FAULTS)}",
    )
    parser.add_argument("--slow", type=float, default=30.0, help="seconds of a slow reply")
    parser.add_argument("--retry-after", type=float, default=1.0, help="most seconds that a 429 asks to wait")
    parser.add_argument("--api-key", help="refuse requests without this key")
    parser.add_argument("--seed", type=int, default=0, help="draws other faults")
    parser.add_argument("--record", type=Path, help="JSONL file to add events to")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
