"""Resolve several experts' decisions on one answer into one verdict."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from workflow_scripts.common.types import Row
from workflow_scripts.verification.items import VERDICTS

RANK = {verdict: rank for rank, verdict in enumerate(VERDICTS)}


@dataclass(frozen=True)
class ResolutionRule:
    """How disagreement is resolved: `verification.resolve`, `accept` and `adjudicators` of the configuration."""

    resolve: str
    accept: frozenset[str]
    adjudicators: frozenset[str]


@dataclass(frozen=True)
class Resolution:
    """The result for one answer: `status` is accepted, rejected or disputed; `by` are the decisive reviewers."""

    status: str
    verdict: str
    corrected: str | None
    by: tuple[str, ...]
    decisions: tuple[Row, ...]


def resolve(decisions: list[Row], rule: ResolutionRule) -> Resolution:
    """The resolution of one answer from the reviewers' last decisions on it, at least one.

    An adjudicator's decision, the latest of several, is final. Otherwise `majority` follows more than half of the
    reviewers, accepting or not; `any_wrong_rejects` rejects what any reviewer does not accept; `adjudicator` follows
    unanimous reviewers. Everything else is disputed. Only reviewers on the deciding side can contribute a correction.
    """
    final = [row for row in decisions if row["reviewer"] in rule.adjudicators]
    if final:
        side = [max(final, key=lambda row: (row["at"] or "", row["reviewer"]))]
    else:
        accepting = [row for row in decisions if row["verdict"] in rule.accept]
        rejecting = [row for row in decisions if row["verdict"] not in rule.accept]
        if rule.resolve == "any_wrong_rejects":
            side = rejecting or accepting
        elif rule.resolve == "majority" and len(accepting) != len(rejecting):
            side = max(accepting, rejecting, key=len)
        elif accepting and rejecting:
            return Resolution("disputed", _verdict(decisions), None, _names(decisions), tuple(decisions))
        else:
            side = accepting or rejecting
    verdict = _verdict(side)
    status = "accepted" if verdict in rule.accept else "rejected"
    # Where one reviewer is enough to reject, one reviewer's correction is not enough to accept.
    corrected = None if rule.resolve == "any_wrong_rejects" and not final else _correction(side)
    return Resolution(status, verdict, corrected, _names(side), tuple(decisions))


def resolve_all(decisions: Iterable[Row], rule: ResolutionRule) -> dict[str, dict[int, Resolution]]:
    """The resolution of each item's answers, numbered from 1, from all decisions that count."""
    by_item: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in decisions:
        if row["counts"]:
            by_item[row["item"]][row["answer"]].append(row)
    return {
        item: {answer: resolve(rows, rule) for answer, rows in sorted(answers.items())}
        for item, answers in by_item.items()
    }


def _verdict(side: list[Row]) -> str:
    """The most frequent verdict; in a tie the worse."""
    counts = Counter(row["verdict"] for row in side)
    return max(counts, key=lambda verdict: (counts[verdict], RANK[verdict]))


def _correction(side: list[Row]) -> str | None:
    """The most frequent correction, in a tie the most confident, then the latest; None for an incoherent question."""
    given = [row for row in side if row["corrected"] and row["verdict"] in ("minor_error", "wrong")]
    if not given:
        return None
    counts = Counter(" ".join(row["corrected"].split()) for row in given)
    best = max(
        given,
        key=lambda row: (
            counts[" ".join(row["corrected"].split())],
            row["confidence"] or 0,
            row["at"] or "",
            row["reviewer"],
        ),
    )
    return best["corrected"]


def _names(rows: list[Row]) -> tuple[str, ...]:
    return tuple(sorted(row["reviewer"] for row in rows))
