"""Amplify-Instruct: one seed grown into a conversation of several exchanges.

What is on record (cards of Nous-Capybara and LDJnr/Capybara): single-turn seeds become multi-turn conversations,
the follow-ups are synthetic, the conversation delves deep. Prompts, moves and stopping rule were never published:
they are ours, and stand in `prompts/` and `moves.yaml`.
"""

import functools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.conversations import Exchange, to_messages
from workflow_scripts.common.rows import Row, content_id
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.quality import answer_fault, first_question, follow_up_fault, last_sentence

Ask = Callable[[list[dict[str, str]], dict[str, Any], int], Awaitable[dict[str, Any]]]

MOVES = {move["name"]: move for move in yaml.safe_load((Path(__file__).parent / "moves.yaml").read_text())}
TECHNIQUE = "amplify-instruct"


@dataclass(frozen=True)
class Step:
    """One follow-up: the move the user makes and the words the question opens with."""

    move: str
    opening: str


def plan(seed_id: str, settings: Row) -> list[Step]:
    """A seed's follow-ups, drawn before anything is asked from nothing but the seed's id and `settings`."""
    rng = random.Random(f"{settings['random_seed']}:{seed_id}")
    options = settings["exchanges"]
    count = rng.choices([option["count"] for option in options], weights=[option["weight"] for option in options])[0]
    return [Step(name, rng.choice(MOVES[name]["openings"])) for name in rng.sample(sorted(MOVES), count - 1)]


class BadTurn(Exception):
    """A turn that stayed bad after all attempts; the message is the fault's name."""


class Amplifier:
    """Grows conversations by asking one teacher; `settings` is `synthesis:` of the config.

    `prefill` begins the reply for the teacher with the drawn opening, where its server can continue a message.
    """

    def __init__(self, ask: Ask, settings: Row, teacher: dict[str, str], prefill: bool):
        self.ask = ask
        self.settings = settings
        self.prefill = prefill
        self.teacher = teacher
        self.faults: dict[str, int] = {}

    async def grow(self, seed: Row) -> Row:
        """The seed's conversation. Raises BadTurn if fewer than two exchanges can be had.

        A TeacherError is never swallowed: an outage must not pass for a short conversation.
        """
        question = f"{seed['instruction']}\n\n{seed['context']}" if seed["context"] else seed["instruction"]
        conversation = [{"input": question, "output": seed["response"] or await self._answer(seed, [], question)}]
        moves: list[str] = []
        stopped = None
        for step in plan(seed["id"], self.settings):
            try:
                question = await self._follow_up(seed, conversation, step)
                answer = await self._answer(seed, conversation, question)
            except BadTurn as error:
                if not moves:
                    raise
                stopped = str(error)  # what is good stays
                break
            conversation.append({"input": question, "output": answer})
            moves.append(step.move)
        return self._row(seed, conversation, moves, stopped)

    def _row(self, seed: Row, conversation: list[Exchange], moves: list[str], stopped: str | None) -> Row:
        return {
            "id": content_id(conversation),
            "source": seed["source"],
            "conversation": conversation,
            "provenance": {
                "seed": seed["id"],
                "dataset": seed["dataset"],
                "revision": seed["revision"],
                "license": seed["license"],
                "kind": seed["kind"],
                "domain": seed["domain"],
                "techniques": [TECHNIQUE],
                "moves": moves,
                "first_answer": "seed" if seed["response"] else "teacher",
                "stopped": stopped,
                "teacher": self.teacher,
                "prompts": prompts.hashes(),
                "sampling": self.settings["sampling"],
            },
        }

    async def _follow_up(self, seed: Row, conversation: list[Exchange], step: Step) -> str:
        prompt = prompts.render("follow_up", request=MOVES[step.move]["request"], opening=step.opening)
        messages = [*to_messages(conversation), {"role": "user", "content": prompt}]
        if self.prefill:
            messages.append({"role": "assistant", "content": step.opening})

        def whole(text: str, cut_off: bool) -> str:
            # Some servers answer with the whole message, some with what they added to it.
            begun = self.prefill and not text.startswith(step.opening)
            return first_question(f"{step.opening} {text}" if begun else text)

        check = functools.partial(follow_up_fault, conversation=conversation, opening=step.opening)
        return await self._until_good(seed, "follow_up", messages, whole, check)

    async def _answer(self, seed: Row, conversation: list[Exchange], question: str) -> str:
        messages = [
            {"role": "system", "content": prompts.render("expert")},
            *to_messages(conversation),
            {"role": "user", "content": question},
        ]
        keep_cut_off = self.settings["cut_off"] == "trim"

        def whole(text: str, cut_off: bool) -> str:
            if cut_off:
                return last_sentence(text) if keep_cut_off else ""
            return text

        check = functools.partial(answer_fault, conversation=conversation)
        return await self._until_good(seed, "answer", messages, whole, check)

    async def _until_good(
        self,
        seed: Row,
        kind: str,
        messages: list[dict[str, str]],
        whole: Callable[[str, bool], str],
        fault: Callable[[str], str | None],
    ) -> str:
        """Ask with a new random seed until the text has no fault; BadTurn after `settings["attempts"]` attempts.

        `whole` takes a reply and whether it reached max_tokens, and gives what of it may stand; nothing is a fault.
        """
        found = None
        for attempt in range(self.settings["attempts"]):
            number = int(content_id(seed["id"], kind, len(messages), attempt), 16) % 2**31
            answer = await self.ask(messages, self.settings["sampling"][kind], number)
            text = whole(answer["text"].strip(), answer["finish_reason"] == "length")
            found = fault(text)
            if found is None:
                return text
            self.faults[f"{kind}:{found}"] = self.faults.get(f"{kind}:{found}", 0) + 1
        raise BadTurn(f"{kind}:{found}")
