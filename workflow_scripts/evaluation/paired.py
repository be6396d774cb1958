"""Paired comparison of two models on the same documents: mean difference, interval, p-value, significance.

Both models answer the same documents, so the relevant variance is that of the differences, which is smaller than that of
two independent samples (Miller, Adding Error Bars to Evals, arXiv 2411.00640, §4.2). The standard error and the interval are
those of SciPy's paired t-test. If every item is 0 or 1, the p-value is that of McNemar's exact test: the probability of such
an uneven split of the items on which the models disagree. A model has several scores, so its p-values are adjusted by the
method of Benjamini and Hochberg before a difference is called "beyond noise".
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from scipy import stats

from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import suites

LEVEL = 0.05  # false discovery rate of the differences called beyond noise
CONFIDENCE = 0.95


def compare(base: np.ndarray, tuned: np.ndarray) -> Row:
    """Difference (tuned − base) of two models' item results: float arrays of the same documents in the same order.

    {documents, base, tuned, difference, stderr, low, high, gained, lost, test, p}. `gained` and `lost` are the numbers of
    items that only `tuned` or only `base` has correct, None unless all items are 0 or 1. With a single item stderr, low and
    high are NaN. ValueError if the arrays are empty or differ in length.
    """
    if base.shape != tuned.shape or not len(base):
        raise ValueError(f"not the same documents: {base.shape} and {tuned.shape}")
    differences = tuned - base
    row: Row = {
        "documents": len(base),
        "base": float(base.mean()),
        "tuned": float(tuned.mean()),
        "difference": float(differences.mean()),
    }
    if len(base) == 1:
        row |= {"stderr": math.nan, "low": math.nan, "high": math.nan}
        p = 1.0
    elif np.ptp(differences) == 0:  # equal differences: the t-test would divide by zero
        row |= {"stderr": 0.0, "low": row["difference"], "high": row["difference"]}
        p = 1.0  # no evidence of the spread
    else:
        result = stats.ttest_rel(tuned, base)
        interval = result.confidence_interval(CONFIDENCE)
        row |= {
            "stderr": float(differences.std(ddof=1) / math.sqrt(len(base))),
            "low": float(interval.low),
            "high": float(interval.high),
        }
        p = float(result.pvalue)
    if np.isin(base, (0, 1)).all() and np.isin(tuned, (0, 1)).all():
        gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
        disagree = gained + lost
        p = float(stats.binomtest(gained, disagree, 0.5).pvalue) if disagree else 1.0
        return row | {"gained": gained, "lost": lost, "test": "McNemar, exact", "p": p}
    return row | {"gained": None, "lost": None, "test": "paired t", "p": p}


def adjust(p_values: list[float]) -> list[float]:
    """The p-values adjusted by the method of Benjamini and Hochberg, in the given order."""
    return [float(p) for p in stats.false_discovery_control(p_values, method="bh")] if p_values else []


def combine(rows: list[Row], weights: list[float], questions: Sequence[Hashable] | None = None) -> Row:
    """The difference of a suite's average, combined from the comparisons of its tasks as in `suites.average`.

    {difference, stderr, low, high, p} by the normal distribution. If a task has no standard error, or if all differences are
    equal and not zero, stderr, low and high are NaN and p is 1.
    """
    difference, stderr = suites.average(
        [row["difference"] for row in rows], [row["stderr"] for row in rows], weights, questions
    )
    if stderr is None or math.isnan(stderr) or (stderr == 0 and difference != 0):
        return {"difference": difference, "stderr": math.nan, "low": math.nan, "high": math.nan, "p": 1.0}
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * stderr
    p = float(2 * stats.norm.sf(abs(difference) / stderr)) if stderr else 1.0
    return {"difference": difference, "stderr": stderr, "low": difference - half, "high": difference + half, "p": p}


def mean_with_interval(values: list[float], name: str, least: float, most: float) -> Row:
    """{name: mean, stderr, low, high} with a 95 % interval, Student's t, within the limits of the scale.

    The mean of no values is None, as are the others with fewer than two values.
    """
    mean = math.fsum(values) / len(values) if values else None
    if mean is None or len(values) < 2:
        return {name: mean, "stderr": None, "low": None, "high": None}
    stderr = float(stats.sem(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stderr)
    return {name: mean, "stderr": stderr, "low": max(mean - half, least), "high": min(mean + half, most)}
