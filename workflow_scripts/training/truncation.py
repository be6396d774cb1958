"""Truncation of conversations to `training.max_length` tokens, according to `training.overflow`."""

from dataclasses import dataclass, field

from workflow_scripts.common.types import Exchange
from workflow_scripts.training.template import Encoded, Encoder


@dataclass
class Truncation:
    """The samples of one conversation, and what was lost.

    `length`: tokens of the whole conversation. `truncated`: number of samples that were cut. `tokens_cut` and
    `answer_tokens_cut`: tokens that were lost, all and those with loss.
    """

    conversation: list[Exchange]
    length: int
    samples: list[Encoded] = field(default_factory=list)
    truncated: int = 0
    tokens_cut: int = 0
    answer_tokens_cut: int = 0

    def add(self, encoded: Encoded, max_length: int) -> None:
        """Add a sample, cut to `max_length` tokens."""
        kept = encoded.cut(max_length)
        self.samples.append(kept)
        self.truncated += len(encoded.ids) > max_length
        self.tokens_cut += len(encoded.ids) - len(kept.ids)
        self.answer_tokens_cut += sum(encoded.mask) - sum(kept.mask)


def truncate(encoder: Encoder, conversation: list[Exchange], max_length: int, overflow: str) -> Truncation:
    """The samples of a conversation, of at most `max_length` tokens each.

    `overflow` decides about a longer conversation. `split`: split on whole exchanges, each part a conversation of its own;
    an exchange that is too long by itself is cut. `cut`: cut at `max_length`. `drop`: no sample.
    """
    encoded = encoder.encode(conversation)
    truncation = Truncation(conversation, len(encoded.ids))
    if len(encoded.ids) <= max_length or overflow == "cut":
        truncation.add(encoded, max_length)
    elif overflow == "split":
        for part in split_conversation(encoder, conversation, max_length):
            truncation.add(encoder.encode(part), max_length)
    else:
        truncation.tokens_cut, truncation.answer_tokens_cut = len(encoded.ids), sum(encoded.mask)
    return truncation


def split_conversation(encoder: Encoder, conversation: list[Exchange], max_length: int) -> list[list[Exchange]]:
    """The fewest consecutive parts of whole exchanges with at most `max_length` tokens; a longer exchange is a part.

    Vicuna's conversations were split the same way, by characters (FastChat, fastchat/data/split_long_conversation.py).
    """
    parts: list[list[Exchange]] = []
    for exchange in conversation:
        if parts and len(encoder.encode([*parts[-1], exchange]).ids) <= max_length:
            parts[-1].append(exchange)
        else:
            parts.append([exchange])
    return parts
