"""Review statistics: error rates, agreement, accuracy on gold items, times, and remaining work."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import median

from nltk.metrics.agreement import AnnotationTask
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from workflow_scripts.common.types import Row
from workflow_scripts.verification.resolution import Resolution

# The card of LDJnr/Verified-Camel: "Roughly 30-40% of the originally curated data from CamelAI was found to have atleast
# minor errors and/or incoherent questions (as determined by experts in said field)".
PUBLISHED = {"low": 0.3, "high": 0.4, "source": "card of LDJnr/Verified-Camel, of CamelAI's problems"}
# Selected without looking at the answer, so their error rate estimates that of all items; flagged items are biased.
UNBIASED = {"problem", "conversation"}


def share(found: int, total: int) -> Row:
    """`found` of `total` as a rate with Wilson's 95 % confidence interval; rate and bounds are None for a total of 0."""
    if not total:
        return {"n": 0, "found": 0, "rate": None, "low": None, "high": None}
    interval = binomtest(found, total).proportion_ci(0.95, method="wilson")
    values = {"rate": found / total, "low": float(interval.low), "high": float(interval.high)}
    return {"n": total, "found": found, **{name: round(value, 4) for name, value in values.items()}}


def item_states(
    queue: list[Row],
    resolutions: dict[str, dict[int, Resolution]],
    reviewers_per_item: int,
    adjudicators: frozenset[str],
) -> list[Row]:
    """Each queued item with its `state`: open, disputed, accepted, corrected or rejected.

    `reviewers` counts the reviewers who judged all answers of the item. The item is open below `reviewers_per_item`,
    unless an adjudicator judged all answers. `verdict` is the first that is not `correct`, None if an answer has none.
    """
    rows = []
    for item in queue:
        answers = resolutions.get(item["id"], {})
        numbers = range(1, len(item["conversation"]) + 1)
        names = [{row["reviewer"] for row in answers[n].decisions} if n in answers else set() for n in numbers]
        complete = set.intersection(*names)
        resolved = [answers[n] for n in numbers if n in answers]
        if any(resolution.status == "disputed" for resolution in resolved):
            state = "disputed"
        elif len(complete) < reviewers_per_item and not complete & adjudicators:
            state = "open"
        elif any(resolution.corrected for resolution in resolved):
            state = "corrected"
        else:
            state = "rejected" if any(resolution.status == "rejected" for resolution in resolved) else "accepted"
        columns = ("id", "kind", "field", "topic", "source", "why")
        faults = [resolution.verdict for resolution in resolved if resolution.verdict != "correct"]
        verdict = (faults[0] if faults else "correct") if len(resolved) == len(numbers) else None
        rows.append(
            {**{name: item[name] for name in columns}, "reviewers": len(complete), "state": state, "verdict": verdict}
        )
    return rows


def error_rates(states: list[Row]) -> Row:
    """Shares of faulty items (at least a minor error) among the items with a verdict, by field, topic and source.

    Gold items and disputed items are excluded. Items selected only by an automatic check have a share of their own.
    """
    decided = [row for row in states if row["verdict"] and row["state"] != "disputed" and row["kind"] != "gold"]
    unbiased = [row for row in decided if UNBIASED & set(row["why"])]
    doubted = [row for row in decided if set(row["why"]) - UNBIASED]

    def faulty(rows: list[Row]) -> Row:
        return share(sum(row["verdict"] != "correct" for row in rows), len(rows))

    def by(name: str) -> dict[str, Row]:
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in unbiased:
            groups[row[name]].append(row)
        return {value: faulty(rows) for value, rows in sorted(groups.items())}

    return {
        "all": faulty(unbiased),
        "by_field": by("field"),
        "by_topic": by("topic"),
        "by_source": by("source"),
        "doubted_by_a_check": faulty(doubted),
        "verdicts": dict(Counter(row["verdict"] for row in unbiased).most_common()),
        "published": PUBLISHED,
    }


def agreement(decisions: Iterable[Row]) -> Row:
    """Krippendorff's alpha (nominal, by NLTK) over all counting verdicts, and Cohen's kappa (scikit-learn) of each pair.

    A coefficient is None if no answer has two verdicts, or if all verdicts are equal: chance then explains the agreement.
    """
    verdicts: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for row in decisions:
        if row["counts"]:
            verdicts[row["item"], row["answer"]][row["reviewer"]] = row["verdict"]
    shared = {unit: by_name for unit, by_name in verdicts.items() if len(by_name) > 1}
    labels = {verdict for by_name in shared.values() for verdict in by_name.values()}
    alpha = None
    if len(labels) > 1:
        triples = [(name, unit, verdict) for unit, by_name in shared.items() for name, verdict in by_name.items()]
        alpha = round(AnnotationTask(triples).alpha(), 4)
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for _, by_name in sorted(shared.items()):
        names = sorted(by_name)
        for place, first in enumerate(names):
            for second in names[place + 1 :]:
                pairs[first, second].append((by_name[first], by_name[second]))
    return {
        "answers_with_two_or_more": len(shared),
        "krippendorff_alpha": alpha,
        "pairs": [_pair(names, values) for names, values in sorted(pairs.items())],
    }


def _pair(names: tuple[str, str], verdicts: list[tuple[str, str]]) -> Row:
    left, right = zip(*verdicts, strict=True)
    kappa = round(float(cohen_kappa_score(left, right)), 4) if len({*left, *right}) > 1 else None
    same = sum(first == second for first, second in verdicts)
    return {"reviewers": list(names), "answers": len(verdicts), "same": same, "cohen_kappa": kappa}


def reviewers(queue: list[Row], decisions: Iterable[Row], profiles: dict[str, Row]) -> list[Row]:
    """A row for each reviewer: number of items, median minutes per item, and accuracy on gold items.

    `gold_exact` is the share of correct verdicts, `gold_fault_or_not` the share of correct judgements whether there is a
    fault at all.
    """
    expected = {item["id"]: item["expected"] for item in queue if item["kind"] == "gold"}
    rows = []
    by_reviewer: dict[str, list[Row]] = defaultdict(list)
    for row in decisions:
        if row["counts"]:
            by_reviewer[row["reviewer"]].append(row)
    for name, own in sorted(by_reviewer.items()):
        times = {row["item"]: row["seconds"] for row in own if row["seconds"] is not None}
        gold = [(row["verdict"], expected[row["item"]]) for row in own if row["item"] in expected]
        rows.append(
            {
                "reviewer": name,
                "fields": profiles.get(name, {}).get("fields"),
                "degree": profiles.get(name, {}).get("degree"),
                "items": len({row["item"] for row in own}),
                "minutes_per_item": round(median(times.values()) / 60, 2) if times else None,
                "gold_exact": share(sum(verdict == right for verdict, right in gold), len(gold)),
                "gold_fault_or_not": share(
                    sum((verdict == "correct") == (right == "correct") for verdict, right in gold), len(gold)
                ),
            }
        )
    return rows


def minutes_per_answer(decisions: Iterable[Row], answers: dict[str, int]) -> float | None:
    """The median minutes per answer over items and reviewers; None if no time was recorded.

    `answers` is the number of answers of each item.
    """
    times = {
        (row["item"], row["reviewer"]): row["seconds"] / answers[row["item"]]
        for row in decisions
        if row["counts"] and row["seconds"] is not None and row["item"] in answers
    }
    return median(times.values()) / 60 if times else None


def remaining_work(states: list[Row], reviewers_per_item: int, minutes: float, answers: dict[str, int]) -> Row:
    """Open and disputed items, by field, and the expert hours that they need at `minutes` per answer.

    An open item needs its missing reviewers, a disputed one an adjudicator. `answers` is the number of answers of each
    item.
    """
    todo = [row for row in states if row["state"] in ("open", "disputed") and row["kind"] != "gold"]
    judgements = sum(
        answers[row["id"]] * (1 if row["state"] == "disputed" else reviewers_per_item - row["reviewers"])
        for row in todo
    )
    return {
        "open": sum(row["state"] == "open" for row in todo),
        "disputed": sum(row["state"] == "disputed" for row in todo),
        "by_field": dict(Counter(row["field"] for row in todo).most_common()),
        "hours": round(judgements * minutes / 60, 1),
    }
