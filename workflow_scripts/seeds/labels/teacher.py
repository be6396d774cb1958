"""The grid's labels from the teacher, as JSON that its server holds to a schema."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema

from workflow_scripts.seeds.labels import prompts
from workflow_scripts.seeds.labels.classifier import SKILLS
from workflow_scripts.seeds.labels.grid import Grid, names

Ask = Callable[..., Awaitable[dict[str, Any]]]  # TeacherClient.ask

ATTEMPTS = 3
SAMPLING = {"temperature": 0.3, "top_p": 0.95, "max_tokens": 128}


class LabelError(Exception):
    """No valid labels after all attempts. `faults` holds one short reason an attempt, none in the teacher's words."""

    def __init__(self, faults: list[str]):
        super().__init__(f"no valid labels in {len(faults)} attempts: {'; '.join(faults)}")
        self.faults = faults


def schema(grid: Grid) -> dict[str, Any]:
    """What an answer must be, in the part of JSON Schema that llama.cpp, vLLM and OpenAI's strict mode all enforce.

    They share no word for "all different", so that is checked afterwards, by `read`.
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


def response_format(grid: Grid) -> dict[str, Any]:
    """The request's `response_format`, as OpenAI-compatible servers take it."""
    return {"type": "json_schema", "json_schema": {"name": "labels", "strict": True, "schema": schema(grid)}}


def read(text: str, grid: Grid) -> dict[str, Any]:
    """An answer's {domain, skills, difficulty}; ValueError (a short reason) if it is not what was asked for."""
    try:
        labels = json.loads(text)
    except ValueError as error:
        raise ValueError("not JSON") from error
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema(grid)).iter_errors(labels))
    if error is not None:
        # An error's own message would repeat the answer.
        raise ValueError(f"{error.json_path} breaks `{error.validator}`")
    if len(set(labels["skills"])) < SKILLS:
        raise ValueError("a skill is named twice")
    return labels


async def label(client_ask: Ask, seed_text: str, grid: Grid, attempts: int = ATTEMPTS) -> dict[str, Any]:
    """A seed's {domain, skills, difficulty} in the grid's words.

    `client_ask` is `TeacherClient.ask`; its TeacherError is not caught. LabelError if no attempt gave valid labels.
    """
    messages = [{"role": "user", "content": prompts.render("label", grid=grid, text=seed_text)}]
    faults = []
    for seed in range(attempts):
        answer = await client_ask(messages, SAMPLING, seed, response_format=response_format(grid))
        try:
            return read(answer["text"], grid)
        except ValueError as error:
            faults.append(str(error))
    raise LabelError(faults)
