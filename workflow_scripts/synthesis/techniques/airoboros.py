"""Airoboros: an instruction on a topic, an answer, and a judge that discards poor ones."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.draft import BadTurn, Draft, rewritable
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import (
    generate_answer,
    replace_opening,
    write_instruction,
)

CATEGORIES: dict[str, Row] = read_yaml(package_file("synthesis/techniques/airoboros_categories.yaml"))
CHECKS = ("followed", "factual", "correct", "complete", "interesting", "of_its_kind", "no_disclaimer")
VERDICT = {
    "type": "object",
    "properties": {check: {"type": "boolean"} for check in CHECKS}
    | {"score": {"type": "integer", "minimum": 0, "maximum": 100}},
    "required": [*CHECKS, "score"],
    "additionalProperties": False,
}


class Airoboros:
    """Settings: `categories` with their weights, `cull_threshold` (0 to 100). The topics are the run's (`draw_topics`).

    airoboros culls among near-duplicates. A draft is generated alone, so every answer is judged.
    """

    name = "airoboros"
    citation = "Durbin 2023, airoboros, https://github.com/jondurbin/airoboros"
    source = "Synthetic-Airoboros"

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening and its answer. Raises BadTurn if the judge's score is below the threshold."""
        settings = generator.settings["techniques"][self.name]
        if not generator.topics:
            raise BadTurn("airoboros:no_topics")
        weights = dict(sorted(settings["categories"].items()))
        name = draft.rng.choices(list(weights), weights=list(weights.values()))[0]
        category, topic = CATEGORIES[name], draft.rng.choice(generator.topics)
        grade = draft.rng.choice(category["grades"] or [""])
        prompt = generator.prompt(draft, "airoboros_instruct", category=category, topic=topic, grade=grade)
        new = await write_instruction(draft, generator, prompt, [draft.instruction, *category["examples"]])
        answer = await generate_answer(draft, generator, new)
        score = await score_opening(draft, generator, new, answer, category["judge"]) if category["scored"] else None
        if score is not None and score < settings["cull_threshold"]:
            raise BadTurn("airoboros:culled")
        labels = {key: category[key] for key in ("kind", "domain", "skills")}
        replace_opening(draft, self.name, new, answer, **labels)
        draft.steps.append({"name": self.name, "category": name, "topic": topic, "score": score})


async def score_opening(draft: Draft, generator: Generator, instruction: str, answer: str, judge: str) -> int:
    """The judge's score, 0 to 100. Disclaimers, refusals and answers that mention being an AI score 0.

    `judge` is the category's own point.
    """
    prompt = generator.prompt(draft, "airoboros_cull", instruction=instruction, answer=answer, judge=judge)
    verdict = await generator.judge(draft, [{"role": "user", "content": prompt}], VERDICT)
    return verdict["score"] if verdict["no_disclaimer"] else 0
