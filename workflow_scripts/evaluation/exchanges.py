"""Comparison of two models' losses on the same held-out answers, per exchange."""

import math
from collections import defaultdict
from typing import Any

from scipy import stats

from workflow_scripts.common.types import Row

MIN_PAIRS = 3  # for an interval


def compare_losses(name: str, base: list[Row], tuned: list[Row]) -> list[Row]:
    """One row per exchange, and one for all exchanges (`exchange` None): losses on the same answers, paired difference.

    Losses are in nats per token: the summed loss of an answer divided by its tokens, averaged over conversations. For all
    exchanges, the tokens of a conversation are pooled. The difference (tuned − base) has a 95 % interval, Student's t over
    conversations.
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
    return [{"model": name, "exchange": number, **paired_difference(list(pairs[number].values()))} for number in order]


def paired_difference(values: list[list[float]]) -> Row:
    """Both means, their difference (tuned − base) and its interval, None with fewer than `MIN_PAIRS` pairs."""
    before, after = ([pair[side] for pair in values] for side in (0, 1))
    result: dict[str, Any] = {
        "conversations": len(values),
        "base": sum(before) / len(values),
        "tuned": sum(after) / len(values),
        "low": None,
        "high": None,
    }
    result["difference"] = result["tuned"] - result["base"]
    if len(values) >= MIN_PAIRS:
        low, high = stats.ttest_rel(after, before).confidence_interval(0.95)
        if math.isfinite(low) and math.isfinite(high):
            result |= {"low": float(low), "high": float(high)}
    return result
