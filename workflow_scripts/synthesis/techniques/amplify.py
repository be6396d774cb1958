"""Amplify-Instruct: grow an opening into a conversation of several exchanges.

Documented (cards of Nous-Capybara and LDJnr/Capybara): single-turn seeds become multi-turn conversations, the follow-ups
are synthetic, the conversation goes into depth. Ours: the prompts (`prompts/`), the moves (`moves.yaml`) and the
stopping rule, which were never published. docs/amplify-instruct.md describes the whole method.
"""

import functools
from dataclasses import dataclass

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.quality import answer_fault, first_question, follow_up_fault

MOVES: list[Row] = read_yaml(package_file("synthesis/techniques/moves.yaml"))


@dataclass(frozen=True)
class Move:
    """One follow-up: what the user asks for, and the words with which the question begins."""

    name: str
    request: str
    opening: str


def sample_moves(draft: Draft, exchanges: list[Row], places: list[Row]) -> list[Move]:
    """A conversation's follow-ups, drawn without replacement before any request is sent.

    `exchanges` are {count, weight}: how many exchanges to generate. `places` are {from, weights}: the last entry whose
    `from` is at most the number of the follow-up, from 1, gives the weights of the moves. Unnamed moves weigh 1.
    """
    rng = draft.rng
    count = rng.choices([option["count"] for option in exchanges], weights=[option["weight"] for option in exchanges])[
        0
    ]
    moves: list[Move] = []
    remaining = list(MOVES)
    for place in range(1, count):
        weights: dict[str, float] = next((entry["weights"] for entry in reversed(places) if entry["from"] <= place), {})
        move = rng.choices(remaining, weights=[weights.get(move["name"], 1.0) for move in remaining])[0]
        remaining.remove(move)
        moves.append(Move(move["name"], move["request"], rng.choice(move["openings"])))
    return moves


class Amplify:
    """The last step of every path."""

    name = "amplify"
    citation = "Daniele & Suphavadeeprasit 2023, Amplify-Instruct (announced, unpublished)"
    source = ""  # it writes no opening

    def fits(self, seed: Seed) -> bool:
        return True

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Add the exchanges. A bad turn ends the conversation; raises BadTurn if it has fewer than two exchanges then."""
        moves = sample_moves(draft, generator.settings["exchanges"], generator.settings["moves"])
        answer = draft.answer or await self._answer(draft, generator, draft.question, draft.reference)
        draft.exchanges.append({"input": draft.question, "output": answer})
        done: list[str] = []
        for move in moves:
            try:
                question = await self._follow_up(draft, generator, move)
                answer = await self._answer(draft, generator, question)
            except BadTurn as error:
                if not done:
                    raise
                draft.stopped = str(error)
                break
            draft.exchanges.append({"input": question, "output": answer})
            done.append(move.name)
        draft.steps.append({"name": self.name, "planned": len(moves) + 1, "moves": done})

    async def _follow_up(self, draft: Draft, generator: Generator, move: Move) -> str:
        prompt = generator.prompt(draft, "follow_up", request=move.request, opening=move.opening)
        messages = [*to_messages(draft.exchanges), {"role": "user", "content": prompt}]
        if generator.prefill:
            messages.append({"role": "assistant", "content": move.opening})

        def extract(text: str) -> str:
            # Some servers return the complete message, some only the continuation.
            continuation = generator.prefill and text and not text.startswith(move.opening)
            return first_question(f"{move.opening} {text}" if continuation else text)

        check = functools.partial(follow_up_fault, conversation=draft.exchanges, opening=move.opening)
        return await generator.write(draft, "follow_up", messages, check, extract)

    async def _answer(self, draft: Draft, generator: Generator, question: str, known: str = "") -> str:
        """An answer; if only the result is known, an answer that explains it."""
        system = generator.prompt(draft, "expert")
        if known:
            system = f"{system}\n\n{generator.prompt(draft, 'known_result', known=known)}"
        messages = [
            {"role": "system", "content": system},
            *to_messages(draft.exchanges),
            {"role": "user", "content": question},
        ]
        check = functools.partial(answer_fault, conversation=[*draft.exchanges, {"input": question, "output": ""}])
        return await generator.write(draft, "answer", messages, check)
