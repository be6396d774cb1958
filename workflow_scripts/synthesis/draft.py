"""A conversation in progress: the state that techniques receive and change."""

import random
from dataclasses import dataclass, field

from workflow_scripts.common.types import Exchange, Row, Seed


class BadTurn(Exception):
    """A text that was invalid in all attempts. The message is `<kind of text>:<fault>`, for example `answer:url`.

    `text` is the last reply, empty if the fault is not that of a reply. common/reasons.yaml explains every fault.
    """

    def __init__(self, fault: str, text: str = ""):
        super().__init__(fault)
        self.text = text


@dataclass
class Draft:
    """The state of one seed on its path of techniques.

    `instruction`, `context` and `answer` are the opening, which techniques before Amplify-Instruct may rewrite; an
    empty answer is generated later. `system` is the teacher's system message for answers; it is no part of the
    conversation. `steps` has one row for each technique. `stopped` is the fault that ended the conversation early.
    """

    seed: Seed
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
        """The opening's instruction with its context."""
        return f"{self.instruction}\n\n{self.context}" if self.context else self.instruction


def begin_draft(seed: Seed, random_seed: int) -> Draft:
    """The draft of a seed. Its random draws depend only on the seed's id and `random_seed`."""
    rng = random.Random(f"{random_seed}:{seed['id']}")
    return Draft(seed, rng, seed["instruction"], seed["context"], seed["response"])
