"""Automatic checks that say where an expert should look; none of them decides anything."""

from statistics import mean
from typing import Any

from math_verify import parse, verify

from workflow_scripts.common.types import Row
from workflow_scripts.verification.items import question

SECONDS = 20  # for one expression; a check that takes longer says nothing


def last_value(text: str) -> list[Any]:
    """The number or expression that a text ends on, as `math_verify` reads it; empty if there is none."""
    return parse(text, parsing_timeout=SECONDS)


def differ(one: str, other: str) -> Row | None:
    """What two answers come to, if both come to a number or an expression and not to the same; None otherwise."""
    left, right = last_value(one), last_value(other)
    if not left or not right or verify(left, right, timeout_seconds=SECONDS):
        return None
    return {"values": [str(left[-1]), str(right[-1])]}


def seed_doubts(seed: Row) -> dict[str, Row]:
    """Checks that doubt a seed's answer: `reference`, where the source's bare answer is another one."""
    reference = seed["meta"].get("reference")
    found = differ(str(reference), seed["response"]) if reference and seed["response"] else None
    return {"reference": found} if found else {}


def conversation_doubts(row: Row, seed: Row, low_score: float | None) -> dict[str, Row]:
    """Checks that doubt a conversation: `reference`, `second_answer`, `low_score`.

    The first two look at the first answer, where the teacher wrote it to the seed's own question: it comes to another
    value than the source's bare answer, or than the seed's answer. `low_score` is a mean of FLASK's scores, of any
    answer, below the config's.
    """
    found = {}
    first = row["conversation"][0]
    if row["provenance"]["first_answer"] == "teacher" and first["input"] == question(seed):
        for name, other in (("reference", seed["meta"].get("reference")), ("second_answer", seed["response"])):
            if other and (difference := differ(str(other), first["output"])):
                found[name] = difference
    scored = row["provenance"]["scores"]
    if low_score is not None and scored:
        means = {answer["exchange"]: round(mean(answer["scores"].values()), 2) for answer in scored}
        if low := {number: value for number, value in means.items() if value < low_score}:
            found["low_score"] = {"means": low}
    return found
