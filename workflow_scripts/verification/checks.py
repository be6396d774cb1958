"""Automatic checks that flag answers for review. They decide nothing."""

from statistics import mean
from typing import Any

from math_verify import parse, verify

from workflow_scripts.common.types import Conversation, Row, Seed
from workflow_scripts.verification.items import asks_seed

EXPRESSION_SECONDS = 20  # time limit for one expression; a check that takes longer flags nothing


def last_value(text: str) -> list[Any]:
    """The last number or expression of a text as `math_verify` parses it; empty without one."""
    return parse(text, parsing_timeout=EXPRESSION_SECONDS)


def differ(first: str, second: str) -> Row | None:
    """The values of two answers, if both end with a number or an expression and the values differ; None otherwise."""
    left, right = last_value(first), last_value(second)
    if not left or not right or verify(left, right, timeout_seconds=EXPRESSION_SECONDS):
        return None
    return {"values": [str(left[-1]), str(right[-1])]}


def seed_doubts(seed: Seed) -> dict[str, Row]:
    """Failed checks of a seed's answer: `reference` if the source's bare answer has another value."""
    reference = seed["meta"].get("reference")
    difference = differ(str(reference), seed["response"]) if reference and seed["response"] else None
    return {"reference": difference} if difference else {}


def conversation_doubts(row: Conversation, seed: Seed, low_score: float | None) -> dict[str, Row]:
    """Failed checks of a conversation: `reference`, `second_answer`, `low_score`.

    `reference` and `second_answer` compare the first answer, where the teacher wrote it to the seed's own question, with
    the source's bare answer and with the seed's answer. `low_score` lists the answers whose mean FLASK score is below
    the configured one.
    """
    doubts = {}
    first = row["conversation"][0]
    if row["provenance"]["first_answer"] == "teacher" and asks_seed(row):
        for name, other in (("reference", seed["meta"].get("reference")), ("second_answer", seed["response"])):
            if other and (difference := differ(str(other), first["output"])):
                doubts[name] = difference
    scored = row["provenance"]["scores"]
    if low_score is not None and scored:
        means = {answer["exchange"]: round(mean(answer["scores"].values()), 2) for answer in scored}
        if low := {number: value for number, value in means.items() if value < low_score}:
            doubts["low_score"] = {"means": low}
    return doubts
