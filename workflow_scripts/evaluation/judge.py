"""A teacher judges the answers of two models: pairwise and in both orders, with ties.

As in MT-Bench (Zheng et al. 2023, arXiv 2306.05685), a model wins if it wins in both orders; a win in one order is a tie,
and the reason precedes the verdict. The prompt is ours.
"""

import math
from collections import Counter

from scipy import stats

from workflow_scripts.common.types import Config, Row
from workflow_scripts.evaluation.prompts import PROMPTS
from workflow_scripts.teacher.structured import Ask, ask_structured

ATTEMPTS = 3
SAMPLING = {"temperature": 0.0, "top_p": 1.0, "max_tokens": 512}  # unless `evaluation.two_turn.judge_sampling` is set
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": ["A", "B", "tie"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
SCORE = {"win": 1.0, "tie": 0.5, "loss": 0.0}
CONFIDENCE = 0.95


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


def outcome(tuned_first: str, base_first: str) -> str:
    """The tuned model's outcome from the verdicts with it as A and as B: win, loss or tie."""
    as_first = {"A": "win", "B": "loss", "tie": "tie"}[tuned_first]
    as_second = {"A": "loss", "B": "win", "tie": "tie"}[base_first]
    return as_first if as_first == as_second else "tie"


def summary(judgements: list[Row]) -> Row:
    """Statistics of judgements {id, turn, tuned_first, base_first, outcome}.

    Counts; the share won (a tie counts half) with its standard error and 95 % interval over questions; p of the sign test
    of wins against losses; share of verdicts for the first and the second answer, and the share of judgements in which
    both orders agree. Statistics are None where they are undefined, `share` is NaN without judgements.
    """
    counts = Counter(row["outcome"] for row in judgements)
    questions: dict[str, list[float]] = {}
    for row in judgements:
        questions.setdefault(row["id"], []).append(SCORE[row["outcome"]])
    # The turns of a question are not independent: a question is one observation.
    shares = [math.fsum(scores) / len(scores) for scores in questions.values()]
    mean = math.fsum(shares) / len(shares) if shares else math.nan
    stderr = float(stats.sem(shares)) if len(shares) > 1 else math.nan
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, max(len(shares) - 1, 1)) * stderr)
    decided = counts["win"] + counts["loss"]
    verdicts = [verdict for row in judgements for verdict in (row["tuned_first"], row["base_first"])]
    same = sum(row["tuned_first"] == {"A": "B", "B": "A"}.get(row["base_first"], "tie") for row in judgements)
    return {
        "questions": len(shares),
        "judgements": len(judgements),
        "wins": counts["win"],
        "ties": counts["tie"],
        "losses": counts["loss"],
        "share": mean,
        "stderr": None if math.isnan(stderr) else stderr,
        "low": None if math.isnan(stderr) else max(mean - half, 0.0),
        "high": None if math.isnan(stderr) else min(mean + half, 1.0),
        "p": float(stats.binomtest(counts["win"], decided, 0.5).pvalue) if decided else 1.0,
        "first_preferred": verdicts.count("A") / len(verdicts) if verdicts else None,
        "second_preferred": verdicts.count("B") / len(verdicts) if verdicts else None,
        "agreement": same / len(judgements) if judgements else None,
    }
