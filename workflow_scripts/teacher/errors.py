"""Errors of a teacher's server, described by its own code and message, without the API key."""

import json
import re
import urllib.parse
from typing import Any

import httpx2
import openai

MAX_MESSAGE_CHARS = 300
MAX_CODE_DEPTH = 8  # of an error's code in the body of a response
MIN_KEY_PART = 8  # characters: servers repeat a key in part, such as its beginning
HIDDEN = "[hidden]"
# Headers that servers and proxies repeat in error messages, as "name: value" or as JSON.
SECRET_HEADER = re.compile(
    r"""((?:proxy-)?authorization|(?:x-)?(?:goog-)?api[-_]?key|cookie)(["']?\s*[:=]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',;}<]+""",
    re.IGNORECASE,
)
SECRET_WORD = re.compile(r"\b(bearer\s+|sk-)[^\s\"',;}<]+", re.IGNORECASE)
# Codes of errors by which a server refuses the content of one request: OpenAI, Azure, OpenRouter, DashScope.
REFUSAL_CODES = {
    *("content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"),
    *("data_inspection_failed", "invalid_prompt"),
}


class TeacherError(Exception):
    """A request that failed after all retries. The message has the server's code and message, and never the key."""


class Refused(TeacherError):
    """A request whose content the server refuses. It is no outage: only this request fails.

    `text` is what the server says about it.
    """

    def __init__(self, text: str):
        super().__init__(f"refused by the server's content filter{': ' if text else ''}{text[:MAX_MESSAGE_CHARS]}")
        self.text = text


class FailedReply(Exception):
    """A reply with HTTP status 200 that is not an answer. It may be requested again."""


class UnreadableReply(FailedReply, openai.OpenAIError):
    """A reply that is too large or has an unknown encoding. The openai package does not retry it."""


def describe_error(body: Any) -> str:
    """`code: message` of the error in the body of a response; what the body contains, if it has another form."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return str(error or "")
    code = error.get("code") or error.get("type") or ""
    message = error.get("message") or error.get("detail") or (json.dumps(error, ensure_ascii=False) if error else "")
    return f"{code}: {message}" if code and message else f"{code}{message}"


def failure(error: openai.APIError, request: dict[str, Any], key: str) -> TeacherError:
    """The error that the openai package raised for a request, as TeacherError; Refused if it concerns the content."""
    if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
        return TeacherError("no answer within the time-out")
    if isinstance(error, openai.APIStatusError):
        body = _body(error)
        message = redact(describe_error(body), key)
        if _codes(body) & REFUSAL_CODES:
            return Refused(message)
        text = f"HTTP status {error.status_code}{': ' if message else ''}{message}"
        return TeacherError(f"{text}{_advice(message, request) if error.status_code < 500 else ''}")
    return TeacherError("no connection" if isinstance(error, openai.APIConnectionError) else "malformed response")


def redact(text: str, key: str) -> str:
    """A message of a server as one short line, without the key or a part of it, and without headers that hold secrets."""
    if key:
        text = _hide(text, [key, urllib.parse.quote(key), urllib.parse.quote(key, safe=""), json.dumps(key)[1:-1]])
    text = SECRET_WORD.sub(rf"\1{HIDDEN}", SECRET_HEADER.sub(rf"\1\2{HIDDEN}", text))
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    # Shortened last: the rest of a key cut in two would not be found.
    return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:MAX_MESSAGE_CHARS]}…"


def _hide(text: str, forms: list[str]) -> str:
    """The text with every part of a key of at least `MIN_KEY_PART` characters hidden; of a shorter key, all of it.

    `forms` are the spellings of the key, the shortest first.
    """
    size = min(len(forms[0]), MIN_KEY_PART)
    parts = {form[start : start + size] for form in forms for start in range(len(form) - size + 1)}
    secret = bytearray(len(text))
    for start in range(len(text) - size + 1):
        if text[start : start + size] in parts:
            secret[start : start + size] = b"\1" * size
    return re.sub("\1+", HIDDEN, "".join("\1" if hidden else char for char, hidden in zip(text, secret, strict=True)))


def _body(error: openai.APIStatusError) -> Any:
    try:
        return json.loads(error.response.text)
    except (ValueError, RecursionError):
        return error.response.text


def _codes(body: Any, depth: int = MAX_CODE_DEPTH) -> set[str]:
    """The codes in the body of an error, at most `depth` levels deep, case-folded."""
    if not isinstance(body, dict) or not depth:
        return set()
    own = {value.casefold() for name in ("code", "type") if isinstance(value := body.get(name), str)}
    return own.union(*(_codes(value, depth - 1) for value in body.values()))


def _advice(message: str, request: dict[str, Any]) -> str:
    """The keys of the configuration that determine a parameter of the request that the message names."""
    if "response_format" in request and re.search(r"response_format|json_schema|structured|grammar", message):
        return " Set `teacher.structured` to json_object or prompt."
    named = [name for name in request if name not in ("model", "messages") and re.search(rf"\b{name}\b", message)]
    if "seed" in named:
        return " Set `teacher.seed_parameter`: the server's own name, or null."
    return f" Change {', '.join(named)} under `sampling` in the config; null leaves a parameter out." if named else ""
