"""Amplify-Instruct: an opening grown into a conversation of several exchanges.

What is on record (cards of Nous-Capybara and LDJnr/Capybara): single-turn seeds become multi-turn conversations,
the follow-ups are synthetic, the conversation delves deep. Prompts, moves and stopping rule were never published:
they are ours, and stand in `prompts/` and `moves.yaml`. docs/amplify-instruct.md describes the method as a whole.
"""

import functools
from dataclasses import dataclass

import yaml

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.quality import answer_fault, first_question, follow_up_fault

MOVES: list[Row] = yaml.safe_load(package_file("synthesis/techniques/moves.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Move:
    """One follow-up: what the user wants, and the words the question opens with."""

    name: str
    request: str
    opening: str


def plan(draft: Draft, exchanges: list[Row], places: list[Row]) -> list[Move]:
    """A conversation's follow-ups, drawn before anything is asked; no move comes twice.

    `exchanges` are {count, weight}, how many there are to be. `places` are {from, weights}: at a follow-up (from 1 on)
    the last entry that begins at or before it weighs the moves; a move it does not name weighs 1.
    """
    rng = draft.rng
    count = rng.choices([option["count"] for option in exchanges], weights=[option["weight"] for option in exchanges])[
        0
    ]
    drawn: list[Move] = []
    left = list(MOVES)
    for place in range(1, count):
        weights = next((entry["weights"] for entry in reversed(places) if entry["from"] <= place), {})
        move = rng.choices(left, weights=[weights.get(move["name"], 1.0) for move in left])[0]
        left.remove(move)
        drawn.append(Move(move["name"], move["request"], rng.choice(move["openings"])))
    return drawn


class Amplify:
    """The last step of every path."""

    name = "amplify"
    citation = "Daniele & Suphavadeeprasit 2023, Amplify-Instruct (announced, unpublished)"

    def fits(self, seed: Row) -> bool:
        return True

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """Exchanges in the draft. BadTurn if fewer than two can be had; what is good before a bad one stays."""
        moves = plan(draft, scribe.settings["exchanges"], scribe.settings["moves"])
        asked = draft.instruction == draft.seed["instruction"]
        known = (asked and draft.seed["meta"].get("reference")) or ""
        answer = draft.answer or await self._answer(draft, scribe, draft.question, known)
        draft.exchanges.append({"input": draft.question, "output": answer})
        made: list[str] = []
        for move in moves:
            try:
                question = await self._follow_up(draft, scribe, move)
                answer = await self._answer(draft, scribe, question)
            except BadTurn as error:
                if not made:
                    raise
                draft.stopped = str(error)
                break
            draft.exchanges.append({"input": question, "output": answer})
            made.append(move.name)
        draft.steps.append({"name": self.name, "planned": len(moves) + 1, "moves": made})

    async def _follow_up(self, draft: Draft, scribe: Scribe, move: Move) -> str:
        prompt = scribe.prompt(draft, "follow_up", request=move.request, opening=move.opening)
        messages = [*to_messages(draft.exchanges), {"role": "user", "content": prompt}]
        if scribe.prefill:
            messages.append({"role": "assistant", "content": move.opening})

        def shape(text: str) -> str:
            # Some servers answer with the whole message, some with what they added to it.
            begun = scribe.prefill and text and not text.startswith(move.opening)
            return first_question(f"{move.opening} {text}" if begun else text)

        check = functools.partial(follow_up_fault, conversation=draft.exchanges, opening=move.opening)
        return await scribe.write(draft, "follow_up", messages, check, shape)

    async def _answer(self, draft: Draft, scribe: Scribe, question: str, known: str = "") -> str:
        """An answer; to a question whose bare result is known, one that explains it."""
        system = draft.system or scribe.prompt(draft, "expert")
        if known:
            system = f"{system}\n\n{scribe.prompt(draft, 'known_result', known=known)}"
        messages = [
            {"role": "system", "content": system},
            *to_messages(draft.exchanges),
            {"role": "user", "content": question},
        ]
        check = functools.partial(answer_fault, conversation=[*draft.exchanges, {"input": question}])
        return await scribe.write(draft, "answer", messages, check)
