"""Complexity and quality from the teacher, as JSON whose schema its server enforces; reasons precede the scores."""

from typing import Any

from workflow_scripts.common.types import Config
from workflow_scripts.seeds.scores import prompts
from workflow_scripts.teacher.structured import Ask, ask_structured

ATTEMPTS = 3
SCALE = list(range(1, 7))  # DEITA's, for both scores
MAX_CHARS = 2000  # of the request, and of the answer, in the prompt; with the rubric it then fits into 2048 tokens
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "complexity": {"type": "integer", "enum": SCALE},
        "quality": {"type": "integer", "enum": SCALE},
    },
    "required": ["reason", "complexity", "quality"],
    "additionalProperties": False,
}


async def score(ask: Ask, request: str, answer: str, sampling: Config, attempts: int = ATTEMPTS) -> dict[str, Any]:
    """{reason, complexity, quality} of a seed, both from 1 to 6. Raises InvalidReply if no attempt gives valid scores."""
    prompt = prompts.render("score", request=request[:MAX_CHARS], answer=answer[:MAX_CHARS])
    return await ask_structured(ask, [{"role": "user", "content": prompt}], sampling, "scores", SCHEMA, attempts)
