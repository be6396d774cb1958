"""The judge's rubric: criteria, JSON schema, and the request. The criteria and their wording are ours."""

from statistics import mean
from typing import Any

from workflow_scripts.common.types import Config, Exchange, Row
from workflow_scripts.synthesis.judging import prompts
from workflow_scripts.teacher.structured import Ask, ask_structured

ATTEMPTS = 3
SCALE = [1, 2, 3, 4, 5]
NOT_APPLICABLE = 0
CRITERIA = {
    "depth": "each turn adds knowledge or reasoning that the turns before did not have",
    "conciseness": "no turn repeats what was said before, in the same or in other words",
    "coherence": "each turn refers to the conversation, and the answers do not contradict each other",
    "correctness": "facts, reasoning and calculations are right",
    "grounding": "if the user quotes a text: statements about it are supported by it; 0 if no text is quoted",
    "novelty": "each follow-up asks something new that a curious expert would ask",
}


def _criterion(name: str) -> Row:
    scores = [NOT_APPLICABLE, *SCALE] if name == "grounding" else SCALE
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "score": {"type": "integer", "enum": scores}},
        "required": ["reason", "score"],
        "additionalProperties": False,
    }


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: _criterion(name) for name in CRITERIA},
    "required": list(CRITERIA),
    "additionalProperties": False,
}


async def judge(ask: Ask, conversation: list[Exchange], sampling: Config, attempts: int = ATTEMPTS) -> Row:
    """{scores, reasons, mean}: 1 to 5 by criterion; `mean` is over the criteria that apply. Raises InvalidReply."""
    prompt = prompts.render("judge", criteria=CRITERIA, conversation=conversation)
    reply = await ask_structured(ask, [{"role": "user", "content": prompt}], sampling, "judgement", SCHEMA, attempts)
    scores = {name: reply[name]["score"] for name in CRITERIA if reply[name]["score"] != NOT_APPLICABLE}
    return {
        "scores": scores,
        "mean": round(mean(scores.values()), 3),
        "reasons": {name: reply[name]["reason"] for name in CRITERIA},
    }
