"""Conversations of the three common layouts, read into Capybara's own: a list of {input, output}."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workflow_scripts.common.types import Conversation, Exchange

USER_ROLES = {"human", "user"}
ASSISTANT_ROLES = {"gpt", "assistant", "chatgpt", "bard", "model"}


def read_exchanges(row: dict[str, Any]) -> list[Exchange]:
    """The exchanges of a row in Capybara's `conversation`, ShareGPT's `conversations` or `messages` layout.

    A leading system message is joined to the first user text. Raises KeyError if the row has none of the three columns.
    Raises ValueError if the messages do not alternate from user to assistant or a text is missing; its message is a short
    reason without any of the data.
    """
    layout = next((name for name in LAYOUTS if row.get(name) is not None), None)
    if layout is None:
        raise KeyError("conversation, conversations or messages")
    try:
        exchanges = LAYOUTS[layout](row[layout])
    except (TypeError, KeyError) as error:
        raise ValueError("a turn of another shape") from error  # becomes a reason code
    if not exchanges:
        raise ValueError("no exchange")
    if any(not isinstance(text, str) for exchange in exchanges for text in exchange.values()):
        raise ValueError("a message without text")
    return exchanges


def _pair_messages(messages: list[tuple[str, str]]) -> list[Exchange]:
    system = ""
    if messages and messages[0][0] == "system":
        system, messages = messages[0][1], messages[1:]
    if len(messages) % 2:
        raise ValueError("does not end with an assistant message")
    exchanges: list[Exchange] = []
    for (asker, question), (answerer, answer) in zip(messages[::2], messages[1::2], strict=True):
        if asker not in USER_ROLES or answerer not in ASSISTANT_ROLES:
            raise ValueError("roles do not alternate")
        exchanges.append({"input": question, "output": answer})
    if system and exchanges and isinstance(exchanges[0]["input"], str):
        exchanges[0]["input"] = f"{system}\n\n{exchanges[0]['input']}"
    return exchanges


LAYOUTS: dict[str, Callable[[Any], list[Exchange]]] = {
    "conversation": lambda turns: [{"input": turn["input"], "output": turn["output"]} for turn in turns],
    "conversations": lambda turns: _pair_messages([(turn["from"], turn["value"]) for turn in turns]),
    "messages": lambda turns: _pair_messages([(turn["role"], turn["content"]) for turn in turns]),
}


def turns(conversation: Iterable[Exchange]) -> list[str]:
    """All texts of a conversation in order: input, output, input, …"""
    return [exchange[key] for exchange in conversation for key in ("input", "output")]


def to_messages(conversation: list[Exchange]) -> list[dict[str, str]]:
    """The conversation as `messages` with roles, the layout of chat templates."""
    return [
        message
        for exchange in conversation
        for message in (
            {"role": "user", "content": exchange["input"]},
            {"role": "assistant", "content": exchange["output"]},
        )
    ]


def request_text(instruction: str, context: str, kind: str) -> str:
    """A seed's first request: the instruction with its context, which comes first if it is a post.

    Released Less-Wrong conversations quote the post before they ask about it.
    """
    parts = (context, instruction) if kind == "post" else (instruction, context)
    return "\n\n".join(filter(None, parts))


def seed_as_conversation(seed: Mapping[str, Any]) -> Conversation:
    """A row of `seeds/data.jsonl` as a conversation: the seed's own dialogue if it has one, else its request and answer."""
    facts = {key: value for key, value in seed["meta"].items() if key != "conversation"}
    question = request_text(seed["instruction"], seed["context"], seed["kind"])
    keys = ("dataset", "revision", "license", "kind", "domain", "skills", "difficulty")
    return {
        "id": seed["id"],
        "source": seed["source"],
        "conversation": seed["meta"].get("conversation") or [{"input": question, "output": seed["response"]}],
        "provenance": {**{key: seed[key] for key in keys}, **facts},
    }
