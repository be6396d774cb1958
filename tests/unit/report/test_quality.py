"""The quality section: distributions, extremes, removals, agreement with experts."""

import pytest

from workflow_scripts.report.quality import agreement, deciles, removed, section


def conversation(name, score=None, measure=0.5, source="A", correctness=3):
    provenance = {"measures": {"score": measure}}
    if score is not None:
        provenance["judgement"] = {"mean": score, "scores": {"correctness": correctness}}
    return {
        "id": name,
        "source": source,
        "conversation": [{"input": "Why?", "output": "So."}],
        "provenance": provenance,
    }


def test_best_and_worst_do_not_overlap():
    rows = [conversation(str(number), float(number)) for number in range(1, 5)]
    found = section(None, None, rows, [])
    assert [score for score, _ in found["best"]] == [4.0, 3.0, 2.0] and [score for score, _ in found["worst"]] == [1.0]
    assert found["sources"] == [
        {"source": "A", "conversations": 4, "yield": None, "deciles": pytest.approx([1.3, 2.5, 3.7])}
    ]
    seeds = {"in": 9, "rejected": {}, "composition": [{"source": "A", "chosen": 8}]}
    assert section(seeds, None, rows, [])["sources"][0]["yield"] == 0.5


def test_without_a_judge_the_measures_count():
    found = section(None, None, [conversation("a", measure=0.2), conversation("b", measure=0.8, source="B")], [])
    assert [score for score, _ in found["best"]] == [0.8, 0.2] and found["worst"] == []
    assert found["agreement"] is None and deciles([0.2]) == [0.2] * 3 and deciles([]) == []


def test_each_filter_is_explained():
    rows = removed("seeds", {"in": 40, "rejected": {"url": 10, "other": 1}})
    assert rows[0] == {
        "stage": "seeds",
        "reason": "url",
        "rows": 10,
        "share": 25.0,
        "why": "The answer contains a link that the user did not give.",
    }
    assert rows[1]["why"] == ""


def test_agreement_with_experts():
    rows = [conversation(str(n), 3.0, correctness=n) for n in range(1, 6)]
    verdicts = ["wrong", "minor_error", "correct", "correct", "correct"]
    items = [{"id": str(n), "verdict": verdict} for n, verdict in enumerate(verdicts, 1)]
    assert agreement(rows, items) == {"sound": 3, "faulty": 2, "auc": 1.0}
    items[0]["verdict"], items[4]["verdict"] = "correct", "wrong"
    assert agreement(rows, items)["auc"] == pytest.approx((0 + 0 + 1 + 0 + 1 + 0) / 6)
    assert agreement(rows, items[:1]) is None
    assert agreement([conversation("1")], items) is None
