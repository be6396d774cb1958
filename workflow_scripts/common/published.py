"""Published conversations of the common layouts, read into exchanges; the same treatment for seeds, included files and tools.

| found | treatment |
|---|---|
| `conversation` [{input, output}], `conversations` [{from, value}], `messages` [{role, content}] | read; the first that is not null |
| a text in parts, [{type: text, text: …}] | the parts, joined by line breaks |
| a system message at the beginning | joined to the first request |
| a request without an answer: the last turn, or an answer that is null, empty or invisible | the conversation ends before it |
| a reasoning block `<think>…</think>` at the beginning of an answer | removed |
| tool turns, system messages inside, unknown roles, roles that do not alternate, other parts than text, empty requests, nothing left | rejected with a reason |
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.common.types import Exchange, Row

# Names of the roles in common datasets, in lower case.
USER_ROLES = {"human", "user", "prompter", "usr"}
ASSISTANT_ROLES = {"gpt", "assistant", "chatgpt", "bard", "model", "bing", "ai", "bot", "claude", "chatbot"}
SYSTEM_ROLES = {"system", "developer"}
TOOL_ROLES = {
    "tool",
    "function",
    "function_call",
    "function_response",
    "tool_call",
    "tool_response",
    "observation",
    "ipython",
}
REASONING = re.compile(r"\A\s*<(think|thinking|thought|reasoning)>.*?(?:</\1>\s*|\Z)", re.DOTALL)
# Letters and symbols that print nothing.
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

Turn = tuple[str, str]  # role, text


@dataclass(frozen=True)
class Published:
    """The exchanges of a published conversation, and what was changed: `reasoning` or `unanswered_request`."""

    exchanges: list[Exchange]
    changes: list[str] = field(default_factory=list)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: empty, white space, or zero-width and control characters only."""
    return not any(letter.isprintable() and not letter.isspace() and letter not in INVISIBLE for letter in text)


def read_published(row: Row) -> Published:
    """The exchanges of a row in one of the three layouts.

    Raises KeyError if none of the three columns has a value. Raises ValueError with a short reason, which contains none of
    the data, if the row cannot be used.
    """
    layout = next((name for name in LAYOUTS if row.get(name) is not None), None)
    if layout is None:
        raise KeyError("conversation, conversations or messages")
    try:
        turns = [turn for entry in row[layout] for turn in LAYOUTS[layout](entry)]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("a turn of another shape") from error
    return _exchanges(turns)


def message_text(value: Any) -> str:
    """The text of a message or of one of its parts; empty for null. Raises ValueError for anything that is not text."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        return "\n".join(filter(None, map(message_text, value)))
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    raise ValueError("a message without text")


def _message(entry: Any) -> list[Turn]:
    """A message with `from` and `value` or with `role` and `content`."""
    role, text = ("from", "value") if "value" in entry else ("role", "content")
    if not isinstance(entry, dict):
        raise TypeError
    who = entry[role] if role in entry else entry["from" if role == "role" else "role"]
    return [(str(who).strip().casefold(), message_text(entry[text]))]


def _exchange(entry: Any) -> list[Turn]:
    return [("user", message_text(entry["input"])), ("assistant", message_text(entry["output"]))]


LAYOUTS: dict[str, Callable[[Any], list[Turn]]] = {
    "conversation": _exchange,
    "conversations": _message,
    "messages": _message,
}


def _exchanges(turns: list[Turn]) -> Published:
    """The exchanges of turns whose roles are in lower case. Raises ValueError as `read_published`."""
    system = ""
    if turns and turns[0][0] in SYSTEM_ROLES:
        system, turns = turns[0][1], turns[1:]
    for role, text in turns:
        if role not in USER_ROLES | ASSISTANT_ROLES:
            raise ValueError(
                "tool turn"
                if role in TOOL_ROLES
                else "system message inside"
                if role in SYSTEM_ROLES
                else "unknown role"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("half of a surrogate pair") from error
    for place, (role, _) in enumerate(turns):
        if (role in USER_ROLES) != (place % 2 == 0):
            raise ValueError("roles do not alternate" if place else "begins with an answer")
    exchanges: list[Exchange] = []
    changes: dict[str, None] = {}
    answers = [text for _, text in turns[1::2]]
    for (_, request), answer in zip(turns[::2], [*answers, ""], strict=False):
        shown = REASONING.sub("", answer, count=1) if REASONING.match(answer) else answer
        if is_blank(shown):
            changes["unanswered_request"] = None
            break
        if is_blank(request):
            raise ValueError("empty request")
        if shown is not answer:
            changes["reasoning"] = None
        exchanges.append({"input": request, "output": shown})
    if not exchanges:
        raise ValueError("empty answer" if answers else "no exchange")
    if not is_blank(system):
        exchanges[0]["input"] = f"{system}\n\n{exchanges[0]['input']}"
    return Published(exchanges, list(changes))


def readable_turns(row: Row) -> list[Exchange]:
    """The texts of a row that `read_published` rejects; messages stay unpaired, each in an exchange of its own."""
    entries = next((row[name] for name in LAYOUTS if row.get(name) is not None), None)
    exchanges = [_readable(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [exchange for exchange in exchanges if exchange["input"] or exchange["output"]]


def _readable(entry: Row) -> Exchange:
    role = entry.get("role", entry.get("from"))
    if role is not None:
        text = entry.get("content", entry.get("value"))
        entry = {"output" if str(role).strip().casefold() in ASSISTANT_ROLES else "input": text}
    return {"input": _any_text(entry.get("input")), "output": _any_text(entry.get("output"))}


def _any_text(value: Any) -> str:
    try:
        return message_text(value)
    except ValueError:
        return ""
