"""Airoboros: a topic, an instructor's request on it, an answer, and a judge that culls."""

import yaml

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.techniques.instruction import answer, bare, fault, replace, rewritable, topics

CATEGORIES: dict[str, Row] = yaml.safe_load(
    package_file("synthesis/techniques/airoboros_categories.yaml").read_text(encoding="utf-8")
)
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

    airoboros culls among near duplicates; a draft has none beside it, so each answer meets the judge by itself.
    """

    name = "airoboros"
    citation = "Durbin 2023, airoboros, https://github.com/jondurbin/airoboros"

    def fits(self, seed: Row) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """Another opening with its answer. BadTurn if the judge scores it below the threshold."""
        settings = scribe.settings["techniques"][self.name]
        weights = dict(sorted(settings["categories"].items()))
        name = draft.rng.choices(list(weights), weights=list(weights.values()))[0]
        category, old = CATEGORIES[name], draft.instruction
        prompt = scribe.prompt(
            draft, "airoboros_topics", count=settings["topics"], domain=draft.seed["domain"], instruction=old
        )
        topic = draft.rng.choice(await topics(draft, scribe, prompt, settings["topics"]))
        prompt = scribe.prompt(draft, "airoboros_instruct", request=category["request"], topic=topic)
        new = await scribe.write(
            draft, "instruction", [{"role": "user", "content": prompt}], lambda text: fault(text, [old]), bare
        )
        answered = await answer(draft, scribe, new)
        score = await cull_score(draft, scribe, new, answered) if category["scored"] else None
        if score is not None and score < settings["cull_threshold"]:
            raise BadTurn("airoboros:culled")
        replace(draft, new, answered)
        draft.steps.append({"name": self.name, "category": name, "topic": topic, "score": score})


async def cull_score(draft: Draft, scribe: Scribe, instruction: str, answered: str) -> int:
    """0 to 100 by the checklist; a disclaimer, a refusal or an AI that speaks of itself scores 0."""
    prompt = scribe.prompt(draft, "airoboros_cull", instruction=instruction, answer=answered)
    verdict = await scribe.judge(draft, [{"role": "user", "content": prompt}], VERDICT)
    return verdict["score"] if verdict["no_disclaimer"] else 0
