"""Draw a seed's path of techniques and generate its conversation.

A technique that fails is left out, and a path that fails falls back to Amplify-Instruct on the seed's own opening: no
seed is lost to a technique.
"""

from statistics import mean

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Conversation, Row, Seed
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import SEED_OPENING, BadTurn, Draft, begin_draft, random_numbers
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.opening_labels import label_by_teacher
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
    """FLASK's scores of every answer; None if `synthesis.judge.min_mean` is not set or the opening has no FLASK skills.

    Raises BadTurn if the mean of all scores is below the threshold.
    """
    min_mean = generator.settings["judge"]["min_mean"]
    if min_mean is None or not draft.skills:
        return None
    scored = await score_answers(draft, generator)
    if not scored:  # the skills are not FLASK's
        return None
    if mean(value for answer in scored for value in answer["scores"].values()) < min_mean:
        raise BadTurn("judge:low_score", draft.exchanges[-1]["output"])
    return scored


async def follow(draft: Draft, path: list[Technique], generator: Generator) -> list[Row] | None:
    """Apply the techniques of a path, which ends with Amplify-Instruct, and return the judge's scores.

    A technique that raises BadTurn changes nothing; its name and reason are added to the draft's `fallbacks`. Raises
    BadTurn if Amplify-Instruct or the judge does.
    """
    random_seed = generator.settings["random_seed"]
    *before, amplify = path
    for technique in before:
        draft.rng = random_numbers(draft.seed, random_seed, technique.name)
        snapshot = draft.snapshot()
        try:
            await technique.apply(draft, generator)
        except BadTurn as error:
            draft.restore(snapshot)
            draft.fallbacks.append({"name": technique.name, "reason": str(error)})
    if generator.labels_openings and draft.opening != SEED_OPENING:
        await label_by_teacher(draft, generator)
    draft.rng = random_numbers(draft.seed, random_seed, amplify.name)
    await amplify.apply(draft, generator)
    return await judge(draft, generator)


async def generate_conversation(seed: Seed, generator: Generator, teacher: dict[str, str]) -> Conversation:
    """The seed's conversation with its provenance, in which `teacher` is stored as it is.

    Raises BadTurn if Amplify-Instruct fails on the seed's own opening. A TeacherError is not caught, so that an outage
    never ends a conversation early.
    """
    random_seed = generator.settings["random_seed"]
    draft = begin_draft(seed, random_seed)
    path = sample_path(draft, generator.settings["recipe"])
    try:
        scores = await follow(draft, path, generator)
    except BadTurn as error:
        applied = [step["name"] for step in draft.steps if step["name"] != path[-1].name]
        if not applied:
            raise
        fallbacks = [*draft.fallbacks, *({"name": name, "reason": str(error)} for name in applied)]
        draft = begin_draft(seed, random_seed)
        draft.fallbacks = fallbacks
        scores = await follow(draft, path[-1:], generator)
    return conversation(draft, generator, scores, teacher)


def conversation(draft: Draft, generator: Generator, scores: list[Row] | None, teacher: dict[str, str]) -> Conversation:
    """A finished draft as a row. Labels and `source` describe the opening; `seed_labels` are the seed's, if they differ.

    An opening that a technique wrote is not a row of the seed's source, so its `source` is the technique's own.
    """
    seed, hashes = draft.seed, prompts.hashes()
    own = draft.opening == SEED_OPENING
    source = seed["source"] if own else TECHNIQUES[draft.opening].source
    labels = {"kind": draft.kind, "domain": draft.domain, "skills": draft.skills, "difficulty": draft.difficulty}
    return {
        "id": content_id(draft.exchanges),
        "source": source,
        "conversation": draft.exchanges,
        "provenance": {
            "seed": seed["id"],
            **{key: seed[key] for key in ("dataset", "revision", "license")},
            "row": seed["meta"].get("row"),
            "opening": draft.opening,
            **labels,
            "seed_labels": None if own else {key: seed[key] for key in ("source", *labels)},  # type: ignore[literal-required]
            "techniques": [step["name"] for step in draft.steps],
            "steps": draft.steps,
            "fallbacks": draft.fallbacks,
            "first_answer": "seed" if draft.exchanges[0]["output"] == seed["response"] else "teacher",
            "stopped": draft.stopped,
            "scores": scores,
            "teacher": teacher,
            "prompts": {name: hashes[name] for name in sorted(draft.prompts)},
            "sampling": generator.settings["sampling"],
        },
    }
