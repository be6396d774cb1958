"""Losses of two models on the same held-out answers, compared by exchange."""

import math
from collections import defaultdict
from typing import Any

from scipy import stats

from workflow_scripts.common.types import Row

FEWEST = 3  # pairs below which no interval is told


def compared(name: str, base: list[Row], tuned: list[Row]) -> list[Row]:
    """One row an exchange (and one for all of them): loss of base and tuned model on the same answers, and the paired
    difference with its 95 % interval (Student's t over conversations).

    A loss is nats a token: an answer's summed loss by its tokens, averaged over the conversations that have such an
    exchange. The row of all exchanges takes a conversation's tokens together.
    """
    pairs: dict[int | None, dict[str, list[float]]] = defaultdict(dict)
    ours = {(row["id"], row["exchange"]): row for row in tuned}
    whole: dict[str, list[float]] = {}
    for row in base:
        other = ours.get((row["id"], row["exchange"]))
        if other is None:
            continue
        pairs[row["exchange"]][row["id"]] = [row["loss"] / row["tokens"], other["loss"] / other["tokens"]]
        sums = whole.setdefault(row["id"], [0.0, 0.0, 0.0])
        for place, value in enumerate((row["tokens"], row["loss"], other["loss"])):
            sums[place] += value
    pairs[None] = {talk: [before / tokens, after / tokens] for talk, (tokens, before, after) in whole.items()}
    order = [*sorted(number for number in pairs if number is not None), None]
    return [{"model": name, "exchange": number, **paired(list(pairs[number].values()))} for number in order]


def paired(values: list[list[float]]) -> Row:
    """Means of both sides, their difference (tuned minus base) and its interval; None where there are too few pairs."""
    before, after = ([pair[side] for pair in values] for side in (0, 1))
    result: dict[str, Any] = {
        "conversations": len(values),
        "base": sum(before) / len(values),
        "tuned": sum(after) / len(values),
        "low": None,
        "high": None,
    }
    result["difference"] = result["tuned"] - result["base"]
    if len(values) >= FEWEST:
        low, high = stats.ttest_rel(after, before).confidence_interval(0.95)
        if math.isfinite(low) and math.isfinite(high):
            result |= {"low": float(low), "high": float(high)}
    return result
