"""Which stored answers to forget so that the next run requests them again: those of chosen seeds, and of no other."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from workflow_scripts.synthesis.replay import Replayed


@dataclass(frozen=True)
class Choice:
    """The seeds to choose: those of one of the shards, and with one of the reasons, and with one of the techniques.

    An empty set chooses any.
    """

    shards: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    techniques: frozenset[str] = frozenset()

    def includes(self, shard: str, replayed: Replayed) -> bool:
        """Whether a seed is chosen."""
        return (
            (not self.shards or shard in self.shards)
            and (not self.reasons or not self.reasons.isdisjoint(replayed.reasons))
            and (not self.techniques or not self.techniques.isdisjoint(replayed.techniques))
        )


@dataclass
class Forgotten:
    """The chosen seeds: their shards with the number of seeds of each, their answers by hash, and counts.

    `shared` is the number of their answers that other seeds use as well and that are therefore kept. `found` counts the
    seeds by shard, reason and technique before the choice, for a message if nothing was chosen.
    """

    shards: Counter[str] = field(default_factory=Counter)
    answers: dict[str, tuple[int, int]] = field(default_factory=dict)  # hash: (prompt tokens, completion tokens)
    shared: int = 0
    found: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ("shards", "reasons", "techniques")}
    )

    def tokens(self) -> tuple[int, int]:
        """(prompt tokens, completion tokens) of all answers."""
        return sum(prompt for prompt, _ in self.answers.values()), sum(text for _, text in self.answers.values())


def choose(replayed: Iterable[tuple[str, Replayed]], choice: Choice) -> Forgotten:
    """What to forget. `replayed` are all seeds of the run, each with its shard."""
    forgotten = Forgotten()
    others = array("Q")  # 8 bytes for each of possibly millions of answers
    for shard, seed in replayed:
        forgotten.found["shards"][shard] += 1
        forgotten.found["reasons"].update(seed.reasons)
        forgotten.found["techniques"].update(seed.techniques)
        if not choice.includes(shard, seed):
            others.extend(int(key, 16) for key in seed.answers)
            continue
        forgotten.shards[shard] += 1
        for key, answer in seed.answers.items():
            forgotten.answers[key] = (answer.get("prompt_tokens", 0), answer.get("completion_tokens", 0))
    shared = {int(key, 16) for key in forgotten.answers}.intersection(others)
    forgotten.shared = len(shared)
    forgotten.answers = {key: tokens for key, tokens in forgotten.answers.items() if int(key, 16) not in shared}
    return forgotten
