"""A conversation in progress: the state that techniques receive and change."""

import copy
import random
from dataclasses import dataclass, field, fields

from workflow_scripts.common.conversations import request_text
from workflow_scripts.common.types import Exchange, Row, Seed

SEED_OPENING = "seed"
LABELS = ("domain", "skills", "difficulty")  # FLASK's, of an opening
MAX_LABELLED_CHARS = 3000  # of an opening, when it is labelled as a seed is


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
    empty answer is generated later. `preface` is an instruction for all answers at the start of the first request. `kind`,
    `domain`, `skills` and `difficulty` describe the opening; None is unknown. `opening` is the technique that wrote the
    opening, or `seed`. `steps` has one row for each technique that succeeded, `fallbacks` {name, reason} for each other.
    `stopped` is the fault that ended the conversation early.
    """

    seed: Seed
    rng: random.Random
    instruction: str
    context: str
    answer: str
    kind: str
    domain: str | None
    skills: list[str] | None
    difficulty: str | None
    preface: str = ""
    opening: str = SEED_OPENING
    exchanges: list[Exchange] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    fallbacks: list[Row] = field(default_factory=list)
    prompts: set[str] = field(default_factory=set)
    stopped: str | None = None

    @property
    def question(self) -> str:
        """The first request: preface, instruction and context."""
        request = request_text(self.instruction, self.context, self.kind)
        return f"{self.preface}\n\n{request}" if self.preface else request

    @property
    def reference(self) -> str:
        """The source's bare answer to the opening; empty if there is none or a technique wrote the opening."""
        return (self.opening == SEED_OPENING and self.seed["meta"].get("reference")) or ""

    def snapshot(self) -> dict[str, object]:
        """A copy of the state for `restore`, without the seed and the random numbers."""
        return {
            each.name: copy.deepcopy(getattr(self, each.name))
            for each in fields(self)
            if each.name not in ("seed", "rng")
        }

    def restore(self, snapshot: dict[str, object]) -> None:
        """Undo all changes since the snapshot."""
        for name, value in snapshot.items():
            setattr(self, name, value)


def rewritable(seed: Seed) -> bool:
    """Whether a seed's opening may be replaced: not that of a post with its task, nor of a finished conversation."""
    return seed["kind"] not in ("post", "conversation")


def begin_draft(seed: Seed, random_seed: int) -> Draft:
    """The draft of a seed. Its random draws depend only on the seed's id and `random_seed`."""
    return Draft(
        seed=seed,
        rng=random_numbers(seed, random_seed),
        instruction=seed["instruction"],
        context=seed["context"],
        answer=seed["response"],
        kind=seed["kind"],
        domain=seed["domain"],
        skills=seed["skills"],
        difficulty=seed["difficulty"],
    )


def random_numbers(seed: Seed, random_seed: int, purpose: str = "") -> random.Random:
    """Random numbers for one purpose. They depend on nothing else, so a technique that fails changes no later draw."""
    return random.Random(":".join(filter(None, [str(random_seed), seed["id"], purpose])))
