"""Amplify-Instruct: one seed grown into a conversation of several exchanges.

What is on record (cards of Nous-Capybara and LDJnr/Capybara): single-turn seeds become multi-turn conversations,
the follow-ups are synthetic, the conversation delves deep. Prompts, moves and stopping rule were never published:
they are ours, and stand in `prompts/` and `moves.yaml`.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.conversations import Exchange
from workflow_scripts.common.rows import Row, content_id
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.client import TeacherError
from workflow_scripts.synthesis.quality import answer_fault, follow_up_fault, last_sentence

Ask = Callable[[list[dict[str, str]], dict[str, Any], int], Awaitable[dict[str, Any]]]

MOVES = {
    move["name"]: move["instruction"] for move in yaml.safe_load((Path(__file__).parent / "moves.yaml").read_text())
}
TECHNIQUE = "amplify-instruct"


@dataclass(frozen=True)
class Plan:
    """What is drawn for a seed before anything is asked: so many exchanges, by these moves."""

    exchanges: int
    moves: tuple[str, ...]


def plan(seed_id: str, settings: Row) -> Plan:
    """A seed's plan, from the configured distribution; it depends on nothing but the seed's id and `settings`."""
    rng = random.Random(f"{settings['random_seed']}:{seed_id}")
    options = settings["exchanges"]
    exchanges = rng.choices([option["count"] for option in options], weights=[option["weight"] for option in options])[
        0
    ]
    return Plan(exchanges, tuple(rng.sample(sorted(MOVES), exchanges - 1)))


class BadTurn(Exception):
    """A turn that stayed bad after all attempts; the message is the fault's name."""


class Amplifier:
    """Grows conversations by asking one teacher; `settings` is `synthesis:` of the config."""

    def __init__(self, ask: Ask, settings: Row, teacher: dict[str, str]):
        self.ask = ask
        self.settings = settings
        self.teacher = teacher
        self.faults: dict[str, int] = {}

    async def grow(self, seed: Row) -> Row:
        """The seed's conversation. Raises BadTurn if fewer than two exchanges can be had, TeacherError if none answers."""
        drawn = plan(seed["id"], self.settings)
        conversation: list[Exchange] = []
        stopped = None
        question = f"{seed['instruction']}\n\n{seed['context']}" if seed["context"] else seed["instruction"]
        for number in range(drawn.exchanges):
            try:
                if number:
                    question = await self._follow_up(seed, conversation, drawn.moves[number - 1])
                answer = (
                    seed["response"]
                    if number == 0 and seed["response"]
                    else await self._answer(seed, conversation, question)
                )
            except (BadTurn, TeacherError) as error:
                if number < 2:
                    raise
                stopped = str(error)
                break
            conversation.append({"input": question, "output": answer})
        return self._row(seed, conversation, drawn.moves[: len(conversation) - 1], stopped)

    def _row(self, seed: Row, conversation: list[Exchange], moves: tuple[str, ...], stopped: str | None) -> Row:
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
                "moves": list(moves),
                "first_answer": "seed" if seed["response"] else "teacher",
                "stopped": stopped,
                "teacher": self.teacher,
                "prompts": prompts.hashes(),
                "sampling": self.settings["sampling"],
            },
        }

    async def _follow_up(self, seed: Row, conversation: list[Exchange], move: str) -> str:
        text = prompts.render("follow_up", conversation=conversation, move=MOVES[move])
        messages = [{"role": "user", "content": text}]
        return await self._until_good(seed, messages, "follow_up", follow_up_fault, conversation)

    async def _answer(self, seed: Row, conversation: list[Exchange], question: str) -> str:
        messages = [{"role": "system", "content": prompts.render("expert")}]
        for exchange in conversation:
            messages += [
                {"role": "user", "content": exchange["input"]},
                {"role": "assistant", "content": exchange["output"]},
            ]
        messages.append({"role": "user", "content": question})
        return await self._until_good(seed, messages, "answer", answer_fault, conversation)

    async def _until_good(
        self, seed: Row, messages: list[dict[str, str]], kind: str, fault: Callable, conversation: list[Exchange]
    ) -> str:
        """Ask with a new random seed until the text has no fault; BadTurn after `settings["attempts"]` attempts."""
        found = None
        for attempt in range(self.settings["attempts"]):
            number = int(content_id(seed["id"], kind, len(conversation), attempt), 16) % 2**31
            answer = await self.ask(messages, self.settings["sampling"][kind], number)
            text, finish_reason = answer["text"].strip(), answer["finish_reason"]
            if finish_reason == "length" and self.settings["cut_off"] == "trim":
                text, finish_reason = last_sentence(text), "stop"
            found = fault(text, finish_reason, conversation)
            if found is None:
                return text
            self.faults[f"{kind}:{found}"] = self.faults.get(f"{kind}:{found}", 0) + 1
        raise BadTurn(f"{kind}:{found}")
