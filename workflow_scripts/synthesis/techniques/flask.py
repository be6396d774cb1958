"""FLASK: rewrite an instruction for the skills of its seed, and score answers by these skills."""

import functools
from collections.abc import Iterable

from workflow_scripts.common.types import Row, Seed
from workflow_scripts.seeds.labels.grid import Grid, Label, load_grid
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import instruction_fault, rewritable, strip_wrapping


@functools.cache
def _grid() -> Grid:
    return load_grid()


class Flask:
    """No settings. FLASK's grid was published for evaluation; using it to write instructions is our choice."""

    name = "flask"
    citation = "Ye et al. 2023, FLASK, arXiv 2307.10928"

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed) and bool(seed["skills"])

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Rewrite the instruction so that it needs the seed's skills, at its domain and difficulty."""
        seed, old = draft.seed, draft.instruction
        prompt = generator.prompt(
            draft,
            "flask_instruction",
            instruction=old,
            context=draft.context,
            skills=_labels(_grid().skills, seed["skills"] or []),
            domains=_labels(_grid().domains, [seed["domain"]]),
            difficulties=_labels(_grid().difficulties, [seed["difficulty"]]),
        )
        draft.instruction = await generator.write(
            draft,
            "instruction",
            [{"role": "user", "content": prompt}],
            lambda text: instruction_fault(text, [old]),
            strip_wrapping,
        )
        draft.answer = ""
        draft.steps.append({"name": self.name, "skills": seed["skills"]})


async def score_answers(draft: Draft, generator: Generator) -> list[Row]:
    """Each answer's score from 1 to 5 on each of the seed's skills: {exchange (from 1), scores: {skill: score}}.

    Empty for a seed without FLASK skills. Raises BadTurn if the judge gives no valid scores.
    """
    skills = _labels(_grid().skills, draft.seed["skills"] or [])
    if not skills:
        return []
    names = [label.name for label in skills]
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer", "minimum": 1, "maximum": 5} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    rows = []
    for number, exchange in enumerate(draft.exchanges, 1):
        earlier = draft.exchanges[: number - 1]
        prompt = generator.prompt(draft, "flask_scores", earlier=earlier, exchange=exchange, skills=skills)
        scores = await generator.judge(draft, [{"role": "user", "content": prompt}], schema)
        rows.append({"exchange": number, "scores": {name: scores[name] for name in names}})
    return rows


def _labels(known: tuple[Label, ...], names: Iterable[str | None]) -> list[Label]:
    """The grid's labels of these names, in their order. Names that are not in the grid are skipped."""
    by_name = {label.name: label for label in known}
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]
