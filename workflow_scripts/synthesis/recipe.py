"""Draw a seed's path of techniques and generate its conversation."""

from statistics import mean

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Conversation, Row, Seed
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, Draft, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques import Technique
from workflow_scripts.synthesis.techniques.airoboros import Airoboros
from workflow_scripts.synthesis.techniques.amplify import Amplify
from workflow_scripts.synthesis.techniques.evol_instruct import EvolInstruct
from workflow_scripts.synthesis.techniques.flask import Flask, score_answers
from workflow_scripts.synthesis.techniques.know_logic import KnowLogic
from workflow_scripts.synthesis.techniques.lamini import LaminiExample, LaminiTopic
from workflow_scripts.synthesis.techniques.orca import Orca

TECHNIQUES: dict[str, Technique] = {
    technique.name: technique
    for technique in (
        Airoboros(), Amplify(), EvolInstruct(), Flask(), KnowLogic(), LaminiExample(), LaminiTopic(), Orca()
    )
}  # fmt: skip


def sample_path(draft: Draft, recipe: list[Row]) -> list[Technique]:
    """One of the recipe's paths, drawn by weight among those that fit the seed; Amplify-Instruct alone if none fits."""
    fitting = [entry for entry in recipe if all(TECHNIQUES[name].fits(draft.seed) for name in entry["path"])]
    if not fitting:
        return [TECHNIQUES["amplify"]]
    drawn = draft.rng.choices(fitting, weights=[entry["weight"] for entry in fitting])[0]
    return [TECHNIQUES[name] for name in drawn["path"]]


async def judge(draft: Draft, generator: Generator) -> list[Row] | None:
    """FLASK's scores of every answer; None if `synthesis.judge.min_mean` is not set or the seed has no FLASK skills.

    Raises BadTurn if the mean of all scores is below the threshold.
    """
    min_mean = generator.settings["judge"]["min_mean"]
    if min_mean is None or not draft.seed["skills"]:
        return None
    scored = await score_answers(draft, generator)
    if not scored:  # the seed's skills are not FLASK's
        return None
    if mean(value for answer in scored for value in answer["scores"].values()) < min_mean:
        raise BadTurn("judge:low_score")
    return scored


async def generate_conversation(seed: Seed, generator: Generator, teacher: dict[str, str]) -> Conversation:
    """The seed's conversation with its provenance, in which `teacher` is stored as it is.

    Raises BadTurn if a text is invalid in all attempts. A TeacherError is not caught, so that an outage never ends a
    conversation early.
    """
    draft = begin_draft(seed, generator.settings["random_seed"])
    for technique in sample_path(draft, generator.settings["recipe"]):
        await technique.apply(draft, generator)
    scores = await judge(draft, generator)
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
            "scores": scores,
            "teacher": teacher,
            "prompts": {name: hashes[name] for name in sorted(draft.prompts)},
            "sampling": generator.settings["sampling"],
        },
    }
