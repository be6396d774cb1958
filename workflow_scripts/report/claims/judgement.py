"""The verdict on a claim, with its reason and measurements."""

from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.common.plural import counted

SHOWN = "shown"
NOT_SHOWN = "not shown"
CONTRADICTED = "contradicted"
NOT_MEASURABLE = "not measurable here"
VERDICTS = (SHOWN, NOT_SHOWN, CONTRADICTED, NOT_MEASURABLE)


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason (one sentence) and measurements ({name, value, unit}).

    `evidence` names the files that contain the measurements, as command line options of check_claims.
    """

    verdict: str
    reason: str
    measured: list[dict[str, Any]] = field(default_factory=list)
    evidence: tuple[str, ...] = ()


def number(name: str, value: float | str | None, unit: str, digits: int = 1) -> dict[str, Any]:
    """A measurement; a float is rounded to `digits`."""
    return {"name": name, "value": round(value, digits) if isinstance(value, float) else value, "unit": unit}


def with_unit(value: float | int | str | None, unit: str) -> str:
    """A measured value as text, with thousands separators and its unit: `1 item`, `1,234 items`, `34.5 %`."""
    text = "none" if value is None else value if isinstance(value, str) else f"{value:,}"
    return f"{text} {unit.removesuffix('s') if value == 1 and isinstance(value, int) else unit}".strip()


def unmeasured(reason: str, evidence: tuple[str, ...] = ()) -> Judgement:
    """The judgement of a claim that this run has no measurement for."""
    return Judgement(NOT_MEASURABLE, reason, [], evidence)


def by_size(
    holds: bool, count: int, full: int, measured: list[dict[str, Any]], evidence: tuple[str, ...], shown: str = ""
) -> Judgement:
    """The judgement of a claim about the whole dataset: only one of at least `full` conversations shows or contradicts it.

    `shown` is the reason if the claim holds; by default it is the first measurement.
    """
    if count < full:
        reason = f"The claim needs at least {full:,} conversations; this run has {counted(count, 'conversation')}."
        return Judgement(NOT_SHOWN, reason, measured, evidence)
    first = f"{measured[0]['name']}: {with_unit(measured[0]['value'], measured[0]['unit'])}"
    if holds:
        return Judgement(SHOWN, shown or f"As claimed: {first}.", measured, evidence)
    return Judgement(CONTRADICTED, f"Not as claimed: {first}.", measured, evidence)
