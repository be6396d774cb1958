"""Airoboros: a topic, an instruction on it, an answer, and a judge that discards poor ones."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import (
    generate_answer,
    generate_topics,
    instruction_fault,
    replace_opening,
    rewritable,
    strip_wrapping,
)

CATEGORIES: dict[str, Row] = read_yaml(package_file("synthesis/techniques/airoboros_categories.yaml"))
CHECKS = ("followed", "factual", "correct", "complete", "interesting", "no_disclaimer")
VERDICT = {
    "type": "object",
    "properties": {check: {"type": "boolean"} for check in CHECKS}
    | {"score": {"type": "integer", "minimum": 0, "maximum": 100}},
    "required": [*CHECKS, "score"],
    "additionalProperties": False,
}


class Airoboros:
    """Settings: `categories` with their weights, `topics` that the teacher names, `cull_threshold` (0 to 100).

    airoboros culls among near-duplicates. A draft is generated alone, so every answer is judged.
    """

    name = "airoboros"
    citation = "Durbin 2023, airoboros, https://github.com/jondurbin/airoboros"

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening and its answer. Raises BadTurn if the judge's score is below the threshold."""
        settings = generator.settings["techniques"][self.name]
        weights = dict(sorted(settings["categories"].items()))
        name = draft.rng.choices(list(weights), weights=list(weights.values()))[0]
        category, old = CATEGORIES[name], draft.instruction
        prompt = generator.prompt(
            draft, "airoboros_topics", count=settings["topics"], domain=draft.seed["domain"], instruction=old
        )
        topic = draft.rng.choice(await generate_topics(draft, generator, prompt, settings["topics"]))
        prompt = generator.prompt(draft, "airoboros_instruct", request=category["request"], topic=topic)
        new = await generator.write(
            draft,
            "instruction",
            [{"role": "user", "content": prompt}],
            lambda text: instruction_fault(text, [old]),
            strip_wrapping,
        )
        answer = await generate_answer(draft, generator, new)
        score = await score_opening(draft, generator, new, answer) if category["scored"] else None
        if score is not None and score < settings["cull_threshold"]:
            raise BadTurn("airoboros:culled")
        replace_opening(draft, new, answer)
        draft.steps.append({"name": self.name, "category": name, "topic": topic, "score": score})


async def score_opening(draft: Draft, generator: Generator, instruction: str, answer: str) -> int:
    """The judge's score, 0 to 100. Disclaimers, refusals and answers that mention being an AI score 0."""
    prompt = generator.prompt(draft, "airoboros_cull", instruction=instruction, answer=answer)
    verdict = await generator.judge(draft, [{"role": "user", "content": prompt}], VERDICT)
    return verdict["score"] if verdict["no_disclaimer"] else 0
