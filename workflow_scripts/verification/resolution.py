"""What several experts' decisions on one answer come to."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from workflow_scripts.common.types import Row
from workflow_scripts.verification.items import VERDICTS

RANK = {verdict: rank for rank, verdict in enumerate(VERDICTS)}


@dataclass(frozen=True)
class Rule:
    """How disagreement is resolved (`verification.resolve`, `accept` and `adjudicators` of the config)."""

    resolve: str
    accept: frozenset[str]
    adjudicators: frozenset[str]


@dataclass(frozen=True)
class Settled:
    """The outcome for one answer: `status` is accepted, rejected or disputed; `by` are the reviewers it rests on."""

    status: str
    verdict: str
    corrected: str | None
    by: tuple[str, ...]
    decisions: tuple[Row, ...]


def settle(decisions: list[Row], rule: Rule) -> Settled:
    """The outcome of the last words of several reviewers on one answer, at least one.

    An adjudicator's word, the latest if there are several, stands whatever the others said. Without one: `majority`
    takes what more than half say, accepted or not; `any_wrong_rejects` rejects what anyone would not accept;
    `adjudicator` takes what all say. What is left is disputed. A correction is taken from those who found the fault.
    """
    final = [row for row in decisions if row["reviewer"] in rule.adjudicators]
    if final:
        side = [max(final, key=lambda row: (row["at"] or "", row["reviewer"]))]
    else:
        good = [row for row in decisions if row["verdict"] in rule.accept]
        bad = [row for row in decisions if row["verdict"] not in rule.accept]
        if rule.resolve == "any_wrong_rejects":
            side = bad or good
        elif rule.resolve == "majority" and len(good) != len(bad):
            side = max(good, bad, key=len)
        elif good and bad:
            return Settled("disputed", _verdict(decisions), None, _names(decisions), tuple(decisions))
        else:
            side = good or bad
    verdict = _verdict(side)
    status = "accepted" if verdict in rule.accept else "rejected"
    # Where one reviewer's doubt is enough to reject, one reviewer's correction is not enough to accept.
    corrected = None if rule.resolve == "any_wrong_rejects" and not final else _correction(side)
    return Settled(status, verdict, corrected, _names(side), tuple(decisions))


def settle_all(decisions: Iterable[Row], rule: Rule) -> dict[str, dict[int, Settled]]:
    """The outcome for each item's answers, numbered from 1, of all decisions that count."""
    found: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in decisions:
        if row["counts"]:
            found[row["item"]][row["answer"]].append(row)
    return {
        item: {answer: settle(rows, rule) for answer, rows in sorted(answers.items())}
        for item, answers in found.items()
    }


def _verdict(side: list[Row]) -> str:
    """What most say; of two that are said as often, the worse."""
    counts = Counter(row["verdict"] for row in side)
    return max(counts, key=lambda verdict: (counts[verdict], RANK[verdict]))


def _correction(side: list[Row]) -> str | None:
    """The correction that most gave, of several the surest, then the latest; none for a question without sense."""
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
