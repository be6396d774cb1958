"""What the experts' work tells: error rates, agreement, the reviewers' own accuracy, time, and what is left to do."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import median

from nltk.metrics.agreement import AnnotationTask
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from workflow_scripts.common.types import Row
from workflow_scripts.verification.resolution import Settled

# The card of LDJnr/Verified-Camel: "Roughly 30-40% of the originally curated data from CamelAI was found to have atleast
# minor errors and/or incoherent questions (as determined by experts in said field)".
PUBLISHED = {"low": 0.3, "high": 0.4, "source": "card of LDJnr/Verified-Camel, of CamelAI's problems"}
# Chosen without a look at the answer, so that their rate is one of the whole; what a check doubted is not.
UNBIASED = {"problem", "conversation"}


def share(found: int, total: int) -> Row:
    """A share with its 95 % interval by Wilson's score; None of nothing."""
    if not total:
        return {"n": 0, "found": 0, "rate": None, "low": None, "high": None}
    interval = binomtest(found, total).proportion_ci(0.95, method="wilson")
    values = {"rate": found / total, "low": float(interval.low), "high": float(interval.high)}
    return {"n": total, "found": found, **{name: round(value, 4) for name, value in values.items()}}


def item_states(
    queue: list[Row], settled: dict[str, dict[int, Settled]], wanted: int, final: frozenset[str]
) -> list[Row]:
    """Each item of the queue with how far it is: `state` is open, disputed, accepted, corrected or rejected.

    `reviewers` counts those who judged all its answers; it is open below `wanted` of them, unless one of `final`, the
    adjudicators, has judged all. `verdict` is the worst of its answers, None where one is not judged.
    """
    rows = []
    for item in queue:
        answers = settled.get(item["id"], {})
        numbers = range(1, len(item["conversation"]) + 1)
        who = [{row["reviewer"] for row in answers[n].decisions} if n in answers else set() for n in numbers]
        whole = set.intersection(*who)
        outcome = [answers[n] for n in numbers if n in answers]
        if any(one.status == "disputed" for one in outcome):
            state = "disputed"
        elif len(whole) < wanted and not whole & final:
            state = "open"
        elif any(one.corrected for one in outcome):
            state = "corrected"
        else:
            state = "rejected" if any(one.status == "rejected" for one in outcome) else "accepted"
        kept = ("id", "kind", "field", "topic", "source", "why")
        faults = [one.verdict for one in outcome if one.verdict != "correct"]
        verdict = (faults[0] if faults else "correct") if len(outcome) == len(numbers) else None
        rows.append(
            {**{name: item[name] for name in kept}, "reviewers": len(whole), "state": state, "verdict": verdict}
        )
    return rows


def error_rates(states: list[Row]) -> Row:
    """Shares of items with any fault (as little as a minor error) among those with a verdict, by field, topic, source.

    Blind items are left out, and of the others what was chosen because a check doubted it; that has a share of its own.
    """
    decided = [row for row in states if row["verdict"] and row["state"] != "disputed" and row["kind"] != "gold"]
    fair = [row for row in decided if UNBIASED & set(row["why"])]
    doubted = [row for row in decided if set(row["why"]) - UNBIASED]

    def faulty(rows: list[Row]) -> Row:
        return share(sum(row["verdict"] != "correct" for row in rows), len(rows))

    def by(name: str) -> dict[str, Row]:
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in fair:
            groups[row[name]].append(row)
        return {value: faulty(rows) for value, rows in sorted(groups.items())}

    return {
        "all": faulty(fair),
        "by_field": by("field"),
        "by_topic": by("topic"),
        "by_source": by("source"),
        "doubted_by_a_check": faulty(doubted),
        "verdicts": dict(Counter(row["verdict"] for row in fair).most_common()),
        "published": PUBLISHED,
    }


def agreement(decisions: Iterable[Row]) -> Row:
    """Krippendorff's alpha (nominal) over all verdicts that count, by NLTK, and Cohen's kappa of each pair, by scikit-learn.

    A coefficient is None where no answer has two verdicts, or where there is but one verdict and chance explains all.
    """
    counting = [row for row in decisions if row["counts"]]
    units: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for row in counting:
        units[row["item"], row["answer"]][row["reviewer"]] = row["verdict"]
    shared = {unit: said for unit, said in units.items() if len(said) > 1}
    labels = {verdict for said in shared.values() for verdict in said.values()}
    alpha = None
    if len(labels) > 1:
        triples = [(name, unit, verdict) for unit, said in shared.items() for name, verdict in said.items()]
        alpha = round(AnnotationTask(triples).alpha(), 4)
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for _, said in sorted(shared.items()):
        names = sorted(said)
        for place, one in enumerate(names):
            for other in names[place + 1 :]:
                pairs[one, other].append((said[one], said[other]))
    return {
        "answers_with_two_or_more": len(shared),
        "krippendorff_alpha": alpha,
        "pairs": [_pair(names, verdicts) for names, verdicts in sorted(pairs.items())],
    }


def _pair(names: tuple[str, str], verdicts: list[tuple[str, str]]) -> Row:
    left, right = zip(*verdicts, strict=True)
    kappa = round(float(cohen_kappa_score(left, right)), 4) if len({*left, *right}) > 1 else None
    same = sum(one == other for one, other in verdicts)
    return {"reviewers": list(names), "answers": len(verdicts), "same": same, "cohen_kappa": kappa}


def reviewers(queue: list[Row], decisions: Iterable[Row], profiles: dict[str, Row]) -> list[Row]:
    """Each reviewer by pseudonym: items, minutes an item (median), and on gold items how often the verdict was the right
    one, and how often it was right about whether there is a fault at all."""
    expected = {item["id"]: item["expected"] for item in queue if item["kind"] == "gold"}
    rows = []
    said: dict[str, list[Row]] = defaultdict(list)
    for row in decisions:
        if row["counts"]:
            said[row["reviewer"]].append(row)
    for name, own in sorted(said.items()):
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
    """The median minutes that an answer took, over items and reviewers; None where no time is on record."""
    times = {
        (row["item"], row["reviewer"]): row["seconds"] / answers[row["item"]]
        for row in decisions
        if row["counts"] and row["seconds"] is not None and row["item"] in answers
    }
    return median(times.values()) / 60 if times else None


def left(states: list[Row], wanted: int, minutes: float, answers: dict[str, int]) -> Row:
    """What is still to be done: open and disputed items by field, and hours, at `minutes` an answer.

    An open item needs as many more reviewers as it lacks, a disputed one an adjudicator. `answers` are numbers of
    answers by item.
    """
    todo = [row for row in states if row["state"] in ("open", "disputed") and row["kind"] != "gold"]
    work = sum(answers[row["id"]] * (1 if row["state"] == "disputed" else wanted - row["reviewers"]) for row in todo)
    return {
        "open": sum(row["state"] == "open" for row in todo),
        "disputed": sum(row["state"] == "disputed" for row in todo),
        "by_field": dict(Counter(row["field"] for row in todo).most_common()),
        "hours": round(work * minutes / 60, 1),
    }
