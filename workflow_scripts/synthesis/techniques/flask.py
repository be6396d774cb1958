"""FLASK: rewrite an instruction for the skills of its seed, and score answers by these skills."""

import functools
from collections.abc import Iterable

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.seeds.labels.grid import Grid, Label, load_grid
from workflow_scripts.synthesis.draft import SEED_OPENING, BadTurn, Draft, rewritable
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.quality import answer_fault
from workflow_scripts.synthesis.techniques.instruction import write_instruction

RUBRICS: dict[str, Row] = read_yaml(package_file("synthesis/techniques/flask_rubrics.yaml"))  # by skill


@functools.cache
def _grid() -> Grid:
    return load_grid()


class Flask:
    """No settings. FLASK's grid was published for evaluation; using it to write instructions is our choice."""

    name = "flask"
    citation = "Ye et al. 2023, FLASK, arXiv 2307.10928"
    source = "Synthetic-FLASK"

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed) and bool(seed["skills"])

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Rewrite the instruction so that it needs the opening's skills, at its domain and difficulty, which it keeps."""
        prompt = generator.prompt(
            draft,
            "flask_instruction",
            instruction=draft.instruction,
            context=draft.context,
            skills=_labels(_grid().skills, draft.skills or []),
            domains=_labels(_grid().domains, [draft.domain]),
            difficulties=_labels(_grid().difficulties, [draft.difficulty]),
        )
        draft.instruction = await write_instruction(draft, generator, prompt, [draft.instruction])
        draft.answer = ""
        draft.opening = self.name
        draft.steps.append({"name": self.name, "skills": draft.skills})


async def score_answers(draft: Draft, generator: Generator) -> list[Row]:
    """Each answer's score from 1 to 5 on each of the opening's skills: {exchange (from 1), scores: {skill: score}}.

    As in FLASK, the judge reads a criterion and five levels for each skill, and a reference answer. Empty for an opening
    without FLASK skills. Raises BadTurn if the judge gives no valid scores.
    """
    skills = [{"name": name, **RUBRICS[name]} for name in dict.fromkeys(draft.skills or []) if name in RUBRICS]
    if not skills:
        return []
    names = [skill["name"] for skill in skills]
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer", "minimum": 1, "maximum": 5} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    rows = []
    for number, exchange in enumerate(draft.exchanges, 1):
        prompt = generator.prompt(
            draft,
            "flask_scores",
            earlier=draft.exchanges[: number - 1],
            exchange=exchange,
            reference=await _reference(draft, generator, number),
            skills=skills,
        )
        scores = await generator.judge(draft, [{"role": "user", "content": prompt}], schema)
        rows.append({"exchange": number, "scores": {name: scores[name] for name in names}})
    return rows


async def _reference(draft: Draft, generator: Generator, number: int) -> str:
    """A reference answer to the request of an exchange, counted from 1.

    It is the source's bare answer or the seed's own answer, where the teacher answered the seed's request. Otherwise the
    judge writes one if `synthesis.judge.references` is set; empty if it is not, or if no attempt is valid.
    """
    exchange = draft.exchanges[number - 1]
    known = draft.reference or (draft.seed["response"] if draft.opening == SEED_OPENING else "")
    if number == 1 and known and known != exchange["output"]:
        return known
    if not generator.settings["judge"]["references"]:
        return ""
    messages = [
        {"role": "system", "content": generator.prompt(draft, "flask_reference")},
        *to_messages(draft.exchanges[: number - 1]),
        {"role": "user", "content": exchange["input"]},
    ]
    check = functools.partial(answer_fault, conversation=[])
    try:
        return await generator.write(draft, "reference", messages, check, judge=True)
    except BadTurn:
        return ""


def _labels(known: tuple[Label, ...], names: Iterable[str | None]) -> list[Label]:
    """The grid's labels of these names, in their order. Names that are not in the grid are skipped."""
    by_name = {label.name: label for label in known}
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]
