"""A conversation in the making: what every technique is handed, and changes."""

import random
from dataclasses import dataclass, field

from workflow_scripts.common.conversations import Exchange
from workflow_scripts.common.types import Row


class BadTurn(Exception):
    """A text that stayed bad after all attempts; the message is the kind of text and the fault, `answer:url`."""


@dataclass
class Draft:
    """One seed on its way through a path of techniques.

    `instruction`, `context` and `answer` are the opening, which techniques before Amplify-Instruct may rewrite; an
    empty answer is one that the teacher is still to write. `system` is what the teacher is told before it answers; it
    shapes answers and is no part of the conversation. `steps` says of every technique what it did.
    """

    seed: Row
    rng: random.Random
    instruction: str
    context: str
    answer: str
    system: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    prompts: set[str] = field(default_factory=set)
    stopped: str | None = None

    @property
    def question(self) -> str:
        """The opening's request with its context."""
        return f"{self.instruction}\n\n{self.context}" if self.context else self.instruction


def begin(seed: Row, random_seed: int) -> Draft:
    """A seed's draft; all that is drawn for it hangs on its id and `random_seed`, on any machine and in any shard."""
    rng = random.Random(f"{random_seed}:{seed['id']}")
    return Draft(seed, rng, seed["instruction"], seed["context"], seed["response"])
