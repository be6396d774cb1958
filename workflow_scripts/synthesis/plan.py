"""What a conversation's follow-ups and answers are to be: drawn by quota, seeded by the seed's id.

Each draw has a random generator of its own, named by what it decides. It does not depend on other seeds, on shards, on earlier
techniques or on the teacher's replies; only the moves already used in the conversation are excluded.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Config, Row
from workflow_scripts.common.yaml_files import read_yaml

MOVES: Final[list[Row]] = read_yaml(package_file("synthesis/techniques/moves.yaml"))
QUOTAS: Final[Row] = read_yaml(package_file("synthesis/techniques/quotas.yaml"))
PERSONAS: Final[dict[str, list[str]]] = read_yaml(package_file("synthesis/techniques/personas.yaml"))
TARGET_SPREAD: Final = (
    0.6,
    1.4,
)  # of an answer's target length around its source's mean; documented: 380 to 2,850 characters
CHARS_PER_WORD: Final = 6.2  # of released answers, with spaces
CAP_FACTOR: Final = 1.3  # of the words within which an answer must end


@dataclass(frozen=True)
class FollowUp:
    """One follow-up: its place (first, middle, last), form, recap clause and structure, and what its move asks for.

    `recap` is the word that introduces a recap clause, or None. `answer` is the kind of the answer, or None if the words of
    the follow-up decide. `openings` are first words for small teachers.
    """

    place: str
    form: str
    recap: str | None
    structure: str
    move: str
    group: str
    request: str
    answer: str | None
    openings: tuple[str, ...]


class Draws:
    """The random draws of one seed's conversation."""

    def __init__(self, seed_id: str, random_seed: int):
        self._name = f"{random_seed}:{seed_id}"

    def rng(self, *what: object) -> random.Random:
        """The generator of one decision."""
        return random.Random(":".join([self._name, *map(str, what)]))

    def exchanges(self, options: Sequence[Row]) -> int:
        """The number of exchanges; `options` are {count, weight}."""
        weights = [option["weight"] for option in options]
        return int(self.rng("exchanges").choices([option["count"] for option in options], weights)[0])

    def persona(self) -> str:
        """Who asks: expertise and goal, for the whole conversation."""
        rng = self.rng("persona")
        return f"{rng.choice(PERSONAS['expertise'])}, and wants {rng.choice(PERSONAS['goal'])}"

    def follow_up(
        self,
        number: int,
        count: int,
        alternative: int,
        kind: str,
        domain: str | None,
        used: Sequence[str],
        factors: Mapping[str, float],
    ) -> FollowUp:
        """The follow-up number `number` of `count`, from 1.

        Args:
            alternative: 0, or the number of the moves that failed at this place.
            kind, domain: of the opening; they determine the moves that fit.
            used: moves of the conversation so far, and those that failed; they are drawn again only if no other fits.
            factors: `synthesis.moves`, factors of the moves' weights.
        """
        rng = self.rng("follow_up", number, alternative)
        place = "last" if number == count else "first" if number == 1 else "middle"
        weights = move_weights(place, kind, domain, factors)
        if not weights:
            raise UserError(
                f"synthesis.moves: no move is left for the {place} follow-up of a request of the kind {kind}."
            )
        fresh = {name: weight for name, weight in weights.items() if name not in used} or weights
        name = _draw(rng, fresh)
        move = next(move for move in MOVES if move["name"] == name)
        style = _draw(rng, QUOTAS["forms"][place])
        form = style.removeprefix("recap_")
        openings = move["openings"]["imperative" if form == "imperative" else "question"]
        return FollowUp(
            place,
            form,
            _draw(rng, QUOTAS["recap_words"]) if form != style else None,
            _draw(rng, QUOTAS["structures"]),
            move["name"],
            move["group"],
            move["request"],
            move.get("answer"),
            tuple(rng.sample(openings, len(openings))),
        )

    def answer_shape(self, number: int, mean_chars: float) -> dict[str, Any]:
        """Target length and layout of the answer number `number`: {words, limit, layout}.

        The length is drawn symmetrically around the mean of its source, so that a batch has this mean.
        """
        rng = self.rng("answer", number)
        words = rng.triangular(*TARGET_SPREAD) * mean_chars / CHARS_PER_WORD
        return {
            "words": 10 * round(words / 10),
            "limit": 10 * round(words * CAP_FACTOR / 10),
            "layout": _draw(rng, QUOTAS["layouts"]),
        }


def exchange_options(source: str, settings: Mapping[str, Any]) -> Sequence[Row]:
    """The {count, weight} of the conversations of a source: its own in `exchanges_by_source`, else those of all."""
    by_source: Mapping[str, Sequence[Row]] = settings.get("exchanges_by_source", {})
    return by_source.get(source, settings["exchanges"])


def fits(move: Row, kind: str, domain: str | None) -> bool:
    """Whether a move fits a kind of request and, if the move is for some domains only, the domain of the seed."""
    return kind in move["kinds"] and ("domains" not in move or domain in move["domains"])


def move_weights(place: str, kind: str, domain: str | None, factors: Mapping[str, float]) -> dict[str, float]:
    """The weights of the fitting moves at a place: each group's quota, divided among its moves by their shares."""
    quotas: dict[str, float] = QUOTAS["groups"][place]
    fitting = [move for move in MOVES if fits(move, kind, domain)]
    weights = {}
    for move in fitting:
        same = sum(other.get("share", 1) for other in fitting if other["group"] == move["group"])
        factor = factors.get(move["name"], 0 if move.get("disabled") else 1)
        weights[move["name"]] = quotas.get(move["group"], 0) * move.get("share", 1) / same * factor
    return {name: weight for name, weight in weights.items() if weight > 0}


def _draw(rng: random.Random, weights: Mapping[str, float]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def mean_answer_chars(source: str, settings: Config, means: Mapping[str, float], overall: float) -> float | None:
    """The mean length that answers of a source aim at, in characters; None if no length is asked for.

    `settings` is `synthesis.answers`: `target_chars` is `source` (the source's mean in the released file, else the mean of
    all), a number for all sources, or None.
    """
    target = settings["target_chars"]
    if target is None:
        return None
    return means.get(source, overall) if target == "source" else float(target)
