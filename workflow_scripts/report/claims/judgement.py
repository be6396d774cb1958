"""What a judge says of a claim, and the words of a verdict."""

from dataclasses import dataclass, field
from typing import Any

SHOWN = "shown"
NOT_SHOWN = "not shown"
CONTRADICTED = "contradicted"
NOT_MEASURABLE = "not measurable here"
VERDICTS = (SHOWN, NOT_SHOWN, CONTRADICTED, NOT_MEASURABLE)


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason (one sentence), what was measured ({name, value, unit}), and the names of the files that
    say so (keys of the command line of check_claims)."""

    verdict: str
    reason: str
    measured: list[dict[str, Any]] = field(default_factory=list)
    evidence: tuple[str, ...] = ()


def number(name: str, value: float | int | None, unit: str, digits: int = 1) -> dict[str, Any]:
    """One measured value; a float is rounded to `digits`."""
    return {"name": name, "value": round(value, digits) if isinstance(value, float) else value, "unit": unit}


def unmeasured(reason: str, evidence: tuple[str, ...] = ()) -> Judgement:
    """Nothing in this run says anything of the claim."""
    return Judgement(NOT_MEASURABLE, reason, [], evidence)


def by_size(
    holds: bool, count: int, full: int, measured: list[dict[str, Any]], evidence: tuple[str, ...], shown: str = ""
) -> Judgement:
    """The verdict of a claim about the whole data set: only a set of `full` conversations shows or contradicts it.

    `shown` is the reason where it holds; else the first of the measured values is.
    """
    if count < full:
        reason = f"{count:,} conversations are fewer than the {full:,} that the claim is about."
        return Judgement(NOT_SHOWN, reason, measured, evidence)
    first = f"{measured[0]['name']}, {measured[0]['value']:,} {measured[0]['unit']}"
    if holds:
        return Judgement(SHOWN, shown or f"As claimed: {first}.", measured, evidence)
    return Judgement(CONTRADICTED, f"Not as claimed: {first}.", measured, evidence)
