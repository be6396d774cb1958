"""The chat template and the loss mask it defines."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.conversations import Exchange, to_messages

TEMPLATE = Path(__file__).parent / "templates" / "user_assistant.jinja"
BOS = "{{- bos_token -}}\n"


def set_template(tokenizer: Any) -> Any:
    """The tokenizer with the USER:/ASSISTANT: template; saved with it, so that chat and evaluation use the same one.

    The template writes the begin token only for tokenizers that write it themselves: GPT-2-like ones never saw it.
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    writes_bos = tokenizer.bos_token_id is not None and tokenizer("x").input_ids[:1] == [tokenizer.bos_token_id]
    tokenizer.chat_template = text if writes_bos else text.replace(BOS, "")
    return tokenizer


def encode(tokenizer: Any, conversation: list[Exchange], max_length: int) -> tuple[list[int], list[int], int]:
    """(token ids, 1 where a token carries loss, tokens cut off) of a conversation, cut to `max_length` tokens."""
    encoded = tokenizer.apply_chat_template(
        to_messages(conversation), tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    ids, mask = encoded["input_ids"], encoded["assistant_masks"]
    return ids[:max_length], mask[:max_length], max(0, len(ids) - max_length)


def runs(ids: list[int], mask: list[int]) -> list[tuple[list[int], bool]]:
    """Consecutive tokens with the same mask value, each run with whether it carries loss."""
    result: list[tuple[list[int], bool]] = []
    for token, carries in zip(ids, mask, strict=True):
        if not result or result[-1][1] != bool(carries):
            result.append(([], bool(carries)))
        result[-1][0].append(token)
    return result
