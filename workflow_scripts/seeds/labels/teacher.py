"""FLASK labels from the teacher, as JSON of a fixed schema."""

from typing import Any

from workflow_scripts.common.types import Config
from workflow_scripts.seeds.labels import prompts
from workflow_scripts.seeds.labels.grid import SKILLS, Grid, names
from workflow_scripts.teacher.structured import Ask, ask_structured

ATTEMPTS = 3


def schema(grid: Grid) -> dict[str, Any]:
    """JSON schema of a reply, with keywords that llama.cpp, vLLM and OpenAI's strict mode all enforce.

    They have no common keyword for unique items; see `repeated_skill`.
    """
    return {
        "type": "object",
        "properties": {
            "domain": {"type": "string", "enum": names(grid.domains)},
            "skills": {
                "type": "array",
                "items": {"type": "string", "enum": names(grid.skills)},
                "minItems": SKILLS,
                "maxItems": SKILLS,
            },
            "difficulty": {"type": "string", "enum": names(grid.difficulties)},
        },
        "required": ["domain", "skills", "difficulty"],
        "additionalProperties": False,
    }


def repeated_skill(labels: dict[str, Any]) -> str | None:
    """A reason why labels that fit the schema are invalid, or None."""
    return "a skill is named twice" if len(set(labels["skills"])) < SKILLS else None


async def label(ask: Ask, seed_text: str, grid: Grid, sampling: Config, attempts: int = ATTEMPTS) -> dict[str, Any]:
    """A seed's {domain, skills, difficulty}, in the names of the grid.

    `ask` is `TeacherClient.ask`; its TeacherError is not caught. `sampling` is `seeds.labels.sampling` of the config.
    Raises InvalidReply if no attempt gives valid labels.
    """
    messages = [{"role": "user", "content": prompts.render("label", grid=grid, text=seed_text)}]
    return await ask_structured(ask, messages, sampling, "labels", schema(grid), attempts, check=repeated_skill)
