"""Conversations brought under the longest length that is trained on, by the rule that the config names."""

from dataclasses import dataclass, field

from workflow_scripts.common.conversations import Exchange
from workflow_scripts.training.template import Encoded, Encoder


@dataclass
class Fitted:
    """One conversation's samples, and what was lost on the way.

    `length` is its tokens before; `truncated` counts samples that were cut, `tokens_cut` and `answer_tokens_cut` what
    the cuts took: all tokens, and those that would have carried loss.
    """

    conversation: list[Exchange]
    length: int
    samples: list[Encoded] = field(default_factory=list)
    truncated: int = 0
    tokens_cut: int = 0
    answer_tokens_cut: int = 0

    def add(self, encoded: Encoded, max_length: int) -> None:
        """One sample, cut to `max_length` tokens if it is longer."""
        kept = encoded.cut(max_length)
        self.samples.append(kept)
        self.truncated += len(encoded.ids) > max_length
        self.tokens_cut += len(encoded.ids) - len(kept.ids)
        self.answer_tokens_cut += sum(encoded.mask) - sum(kept.mask)


def fit(encoder: Encoder, conversation: list[Exchange], max_length: int, overflow: str) -> Fitted:
    """A conversation's samples of at most `max_length` tokens.

    A longer one is, by `overflow`: `split` on whole exchanges, each part a conversation of its own (an exchange that
    is too long by itself is cut); `cut` at `max_length`; or `drop`, left out with all its tokens.
    """
    encoded = encoder.encode(conversation)
    fitted = Fitted(conversation, len(encoded.ids))
    if len(encoded.ids) <= max_length or overflow == "cut":
        fitted.add(encoded, max_length)
    elif overflow == "split":
        for part in parts(encoder, conversation, max_length):
            fitted.add(encoder.encode(part), max_length)
    else:
        fitted.tokens_cut, fitted.answer_tokens_cut = len(encoded.ids), sum(encoded.mask)
    return fitted


def parts(encoder: Encoder, conversation: list[Exchange], max_length: int) -> list[list[Exchange]]:
    """The conversation in as few consecutive parts of whole exchanges as fit; an exchange too long by itself is one.

    Vicuna's conversations were split so too (FastChat, fastchat/data/split_long_conversation.py), there in characters.
    """
    found: list[list[Exchange]] = []
    for exchange in conversation:
        if found and len(encoder.encode([*found[-1], exchange]).ids) <= max_length:
            found[-1].append(exchange)
        else:
            found.append([exchange])
    return found
