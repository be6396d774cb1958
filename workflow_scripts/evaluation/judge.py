"""A teacher as the judge of two models' answers: pairwise, in both orders, a tie being a verdict like the others.

After MT-Bench (Zheng et al. 2023, arXiv 2306.05685): a win is a win in both orders; a model that wins in one order only
has tied. The prompt is ours; the reason comes before the verdict, as there.
"""

import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema
from scipy import stats

from workflow_scripts.common.types import Row
from workflow_scripts.evaluation.prompts import PROMPTS

Ask = Callable[..., Awaitable[dict[str, Any]]]  # TeacherClient.ask

ATTEMPTS = 3
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": ["A", "B", "tie"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": SCHEMA}}
SCORE = {"win": 1.0, "tie": 0.5, "loss": 0.0}
CONFIDENCE = 0.95


class NoVerdict(Exception):
    """No valid judgement after all attempts; the message holds none of the judge's words."""


def read(text: str) -> Row:
    """A reply's {reason, verdict}; ValueError (a short reason) if it is no judgement."""
    try:
        judgement = json.loads(text)
        jsonschema.validate(judgement, SCHEMA)
    except jsonschema.ValidationError as error:
        raise ValueError(f"{error.json_path} breaks `{error.validator}`") from error
    except ValueError as error:
        raise ValueError("not JSON") from error
    return judgement


async def judge(ask: Ask, first: list[Row], second: list[Row], reference: str, max_tokens: int) -> Row:
    """{reason, verdict} on the last answers of two conversations with the same requests, `first` being A."""
    exchanges = [
        {"input": one["input"], "A": one["output"], "B": other["output"]}
        for one, other in zip(first, second, strict=True)
    ]
    prompt = PROMPTS.render("judge_pair", exchanges=exchanges, reference=reference)
    sampling = {"temperature": 0.0, "top_p": 1.0, "max_tokens": max_tokens}
    faults = []
    for seed in range(ATTEMPTS):
        answer = await ask([{"role": "user", "content": prompt}], sampling, seed, response_format=FORMAT)
        try:
            return read(answer["text"])
        except ValueError as error:
            faults.append(str(error))
    raise NoVerdict(f"no judgement in {len(faults)} attempts: {'; '.join(faults)}")


def outcome(tuned_first: str, base_first: str) -> str:
    """Of the tuned model, from its verdicts as A and as B: win, loss or tie."""
    as_first = {"A": "win", "B": "loss", "tie": "tie"}[tuned_first]
    as_second = {"A": "loss", "B": "win", "tie": "tie"}[base_first]
    return as_first if as_first == as_second else "tie"


def summary(judgements: list[Row]) -> Row:
    """Of rows {id, turn, tuned_first, base_first, outcome}: counts, the share won (a tie is half) with its standard error and
    interval over questions, the sign test's p of wins against losses, and how far the judge follows the order.
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
