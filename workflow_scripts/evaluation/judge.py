"""A teacher judges the answers of models: two at a time and in both orders, with ties, and one at a time with a grade.

As in MT-Bench (Zheng et al. 2023, arXiv 2306.05685), a model wins if it wins in both orders; a win in one order is a tie,
grades are 1 to 10, and the reason precedes the verdict. The prompts are ours.
"""

import math
from collections import Counter

from scipy import stats

from workflow_scripts.common.types import Config, Row
from workflow_scripts.evaluation.paired import mean_with_interval
from workflow_scripts.evaluation.prompts import PROMPTS
from workflow_scripts.teacher.structured import Ask, ask_structured

ATTEMPTS = 3
SAMPLING = {"temperature": 0.0, "top_p": 1.0, "max_tokens": 512}  # unless `evaluation.multi_turn.judge_sampling` is set
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": ["A", "B", "tie"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
GRADE_SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "grade": {"type": "integer", "minimum": 1, "maximum": 10}},
    "required": ["reason", "grade"],
    "additionalProperties": False,
}
SCORE = {"win": 1.0, "tie": 0.5, "loss": 0.0}


async def judge(ask: Ask, first: list[Row], second: list[Row], reference: str, sampling: Config) -> Row:
    """{reason, verdict} on the last answers of two conversations with the same requests; `first` is A.

    Raises InvalidReply if no attempt gives a valid judgement.
    """
    exchanges = [
        {"input": one["input"], "A": one["output"], "B": other["output"]}
        for one, other in zip(first, second, strict=True)
    ]
    prompt = PROMPTS.render("judge_pair", exchanges=exchanges, reference=reference)
    messages = [{"role": "user", "content": prompt}]
    return await ask_structured(ask, messages, sampling, "judgement", SCHEMA, ATTEMPTS)


async def grade(ask: Ask, conversation: list[Row], reference: str, sampling: Config) -> Row:
    """{reason, grade} of the last answer of a conversation. Raises InvalidReply if no attempt gives a valid grade."""
    prompt = PROMPTS.render("judge_grade", exchanges=conversation, reference=reference)
    return await ask_structured(ask, [{"role": "user", "content": prompt}], sampling, "grade", GRADE_SCHEMA, ATTEMPTS)


def outcome(tuned_first: str, reference_first: str) -> str:
    """The tuned model's outcome from the verdicts with it as A and as B: win, loss or tie."""
    as_first = {"A": "win", "B": "loss", "tie": "tie"}[tuned_first]
    as_second = {"A": "loss", "B": "win", "tie": "tie"}[reference_first]
    return as_first if as_first == as_second else "tie"


def summary(judgements: list[Row]) -> Row:
    """Statistics of judgements {id, turn, tuned_first, reference_first, outcome}.

    The turns of a question are not independent, so a question has one value: the mean of its turns, where a tie is a half.
    Questions won, lost and tied (a mean of a half); the mean value with its standard error and 95 % interval; p of the sign
    test of questions won against questions lost; share of verdicts for the first and the second answer, and the share of
    judgements in which both orders agree. Statistics are None where they are undefined.
    """
    questions: dict[str, list[float]] = {}
    for row in judgements:
        questions.setdefault(row["id"], []).append(SCORE[row["outcome"]])
    shares = [math.fsum(scores) / len(scores) for scores in questions.values()]
    counts = Counter("win" if share > 0.5 else "loss" if share < 0.5 else "tie" for share in shares)
    decided = counts["win"] + counts["loss"]
    verdicts = [verdict for row in judgements for verdict in (row["tuned_first"], row["reference_first"])]
    same = sum(row["tuned_first"] == {"A": "B", "B": "A"}.get(row["reference_first"], "tie") for row in judgements)
    return {
        "questions": len(shares),
        "judgements": len(judgements),
        "wins": counts["win"],
        "ties": counts["tie"],
        "losses": counts["loss"],
        **mean_with_interval(shares, "share", 0.0, 1.0),
        "p": float(stats.binomtest(counts["win"], decided, 0.5).pvalue) if decided else 1.0,
        "first_preferred": verdicts.count("A") / len(verdicts) if verdicts else None,
        "second_preferred": verdicts.count("B") / len(verdicts) if verdicts else None,
        "agreement": same / len(judgements) if judgements else None,
    }


def grade_summary(grades: list[Row]) -> Row:
    """Statistics of grades {id, turn, grade}: a question has one value, the mean of its turns."""
    questions: dict[str, list[int]] = {}
    for row in grades:
        questions.setdefault(row["id"], []).append(row["grade"])
    means = [math.fsum(values) / len(values) for values in questions.values()]
    return {"questions": len(means), "grades": len(grades), **mean_with_interval(means, "mean", 1.0, 10.0)}


def agreement_with_grades(judgements: list[Row], grades: list[Row]) -> Row:
    """{judgements, share}: of the judgements won or lost, how often the grades of the two answers differ in the same direction.

    Equal grades count half. The share is None without any.
    """
    graded = {(row["model"], row["id"], row["turn"]): row["grade"] for row in grades}
    scores = []
    for row in judgements:
        tuned, other = (graded.get((row[side], row["id"], row["turn"])) for side in ("model", "reference"))
        if row["outcome"] != "tie" and tuned is not None and other is not None:
            same = (tuned > other) == (row["outcome"] == "win")
            scores.append(0.5 if tuned == other else float(same))
    return {"judgements": len(scores), "share": math.fsum(scores) / len(scores) if scores else None}
