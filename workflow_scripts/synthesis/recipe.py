"""Which techniques a seed goes through, and the conversation that comes of it."""

from statistics import mean

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, Draft, begin
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.techniques import Technique
from workflow_scripts.synthesis.techniques.airoboros import Airoboros
from workflow_scripts.synthesis.techniques.amplify import Amplify
from workflow_scripts.synthesis.techniques.evol_instruct import EvolInstruct
from workflow_scripts.synthesis.techniques.flask import Flask, scores
from workflow_scripts.synthesis.techniques.know_logic import KnowLogic
from workflow_scripts.synthesis.techniques.lamini import LaminiExample, LaminiTopic
from workflow_scripts.synthesis.techniques.orca import Orca

TECHNIQUES: dict[str, Technique] = {
    technique.name: technique
    for technique in (
        Airoboros(), Amplify(), EvolInstruct(), Flask(), KnowLogic(), LaminiExample(), LaminiTopic(), Orca()
    )
}  # fmt: skip


def path(draft: Draft, recipe: list[Row]) -> list[Technique]:
    """The techniques of one of the recipe's paths, drawn by weight among those that fit the seed; Amplify alone if none does."""
    fitting = [entry for entry in recipe if all(TECHNIQUES[name].fits(draft.seed) for name in entry["path"])]
    if not fitting:
        return [TECHNIQUES["amplify"]]
    drawn = draft.rng.choices(fitting, weights=[entry["weight"] for entry in fitting])[0]
    return [TECHNIQUES[name] for name in drawn["path"]]


async def judge(draft: Draft, scribe: Scribe) -> list[Row] | None:
    """FLASK's scores of every answer, if the config asks for a judge. BadTurn if their mean is below its threshold."""
    least = scribe.settings["judge"]["min_mean"]
    if least is None or not draft.seed["skills"]:
        return None
    scored = await scores(draft, scribe)
    if not scored:  # skills of a source's own
        return None
    if mean(value for answer in scored for value in answer["scores"].values()) < least:
        raise BadTurn("judge:low_score")
    return scored


async def make(seed: Row, scribe: Scribe, teacher: dict[str, str]) -> Row:
    """The seed's conversation with its provenance. Raises BadTurn.

    A TeacherError is never swallowed: an outage must not pass for a short conversation.
    """
    draft = begin(seed, scribe.settings["random_seed"])
    for technique in path(draft, scribe.settings["recipe"]):
        await technique.apply(draft, scribe)
    judged = await judge(draft, scribe)
    hashes = prompts.hashes()
    return {
        "id": content_id(draft.exchanges),
        "source": seed["source"],
        "conversation": draft.exchanges,
        "provenance": {
            "seed": seed["id"],
            **{key: seed[key] for key in ("dataset", "revision", "license", "kind", "domain", "skills", "difficulty")},
            "techniques": [step["name"] for step in draft.steps],
            "steps": draft.steps,
            "first_answer": "seed" if draft.answer and draft.answer == seed["response"] else "teacher",
            "stopped": draft.stopped,
            "scores": judged,
            "teacher": teacher,
            "prompts": {name: hashes[name] for name in sorted(draft.prompts)},
            "sampling": scribe.settings["sampling"],
        },
    }
