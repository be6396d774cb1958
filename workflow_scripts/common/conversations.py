"""Conversations in the project's own form: a list of {input, output}."""

from collections.abc import Iterable, Mapping
from typing import Any

from workflow_scripts.common.types import Conversation, Exchange


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


def from_messages(messages: Iterable[Mapping[str, str]]) -> list[Exchange]:
    """The conversation of `to_messages`."""
    texts = [message["content"] for message in messages]
    return [{"input": request, "output": answer} for request, answer in zip(texts[::2], texts[1::2], strict=True)]


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
