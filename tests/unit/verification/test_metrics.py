"""Statistics with known results: error rates and their intervals, agreement, accuracy, remaining work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.verification import metrics
from workflow_scripts.verification.resolution import ResolutionRule, resolve_all

RULE = ResolutionRule("majority", frozenset({"correct"}), frozenset({"zoe"}))


def item(name, why="problem", field="physics", topic="Optics", kind="seed", answers=1, **more):
    talk = [{"input": "?", "output": "!"}] * answers
    return {
        "id": name,
        "kind": kind,
        "field": field,
        "topic": topic,
        "source": "S",
        "why": [why],
        "conversation": talk,
        **more,
    }


@pytest.mark.parametrize(
    ("found", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval(found, total, low, high):
    """The four examples of Newcombe (Statistics in Medicine 1998, 17, 857), by the score method."""
    assert metrics.share(found, total) == {
        "n": total, "found": found, "rate": round(found / total, 4), "low": low, "high": high,
    }  # fmt: skip


def test_a_share_of_nothing():
    assert metrics.share(0, 0)["rate"] is None


@given(st.integers(0, 50), st.integers(1, 50))
def test_an_interval_contains_its_rate(found, total):
    share = metrics.share(min(found, total), total)
    assert 0 <= share["low"] <= share["rate"] <= share["high"] <= 1


def test_states_of_items(decide):
    queue = [item(name) for name in ("open", "good", "bad", "split", "fixed", "final")] + [item("long", answers=2)]
    rows = [decide("open", "a", "correct")]
    rows += [decide("good", name, "correct") for name in "ab"] + [decide("bad", name, "wrong") for name in "ab"]
    rows += [decide("split", "a", "wrong"), decide("split", "b", "correct")]
    rows += [decide("fixed", "a", "wrong", corrected="So."), decide("fixed", "b", "wrong")]
    rows += [decide("final", "zoe", "minor_error")]
    rows += [decide("long", name, "correct") for name in "ab"] + [decide("long", "a", "correct", answer=2)]
    states = metrics.item_states(queue, resolve_all(rows, RULE), 2, RULE.adjudicators)
    assert {row["id"]: row["state"] for row in states} == {
        "open": "open", "good": "accepted", "bad": "rejected", "split": "disputed", "fixed": "corrected",
        "final": "rejected", "long": "open",
    }  # fmt: skip
    answers = {row["id"]: len(row["conversation"]) for row in queue}
    assert metrics.remaining_work(states, 2, 6, answers) == {
        "open": 2, "disputed": 1, "by_field": {"physics": 3}, "hours": (1 + 2 + 1) * 6 / 60,
    }  # fmt: skip


def test_minutes_are_per_answer(decide):
    rows = [decide("long", "a", "correct", answer=n, seconds=240) for n in (1, 2)]
    rows += [
        decide("x", "a", "correct", seconds=60),
        decide("x", "b", "wrong", seconds=60),
        decide("gone", "a", "wrong", seconds=9),
    ]
    assert metrics.minutes_per_answer(rows, {"long": 2, "x": 1}) == 1.0
    assert metrics.minutes_per_answer([decide("x", "a", "correct")], {"x": 1}) is None


def test_error_rates_exclude_gold_and_flagged_items(decide):
    queue = [item(f"p{n}", topic="Optics" if n < 6 else "Waves") for n in range(10)]
    queue += [item("doubted", why="reference"), item("known", why="gold", kind="gold", expected="wrong")]
    rows = [decide(f"p{n}", "a", "wrong" if n in (0, 7) else "minor_error" if n == 1 else "correct") for n in range(10)]
    rows += [decide("doubted", "a", "wrong"), decide("known", "a", "wrong")]
    rates = metrics.error_rates(metrics.item_states(queue, resolve_all(rows, RULE), 1, RULE.adjudicators))
    assert (rates["all"]["found"], rates["all"]["n"]) == (3, 10)
    assert {topic: (share["found"], share["n"]) for topic, share in rates["by_topic"].items()} == {
        "Optics": (2, 6),
        "Waves": (1, 4),
    }
    assert (rates["doubted_by_a_check"]["found"], rates["doubted_by_a_check"]["n"]) == (1, 1)
    assert rates["verdicts"] == {"correct": 7, "wrong": 2, "minor_error": 1}


def test_krippendorffs_example(decide):
    """Nominal data with missing values of Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C: 0.743."""
    table = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    }
    rows = [decide(str(n), name, v) for name, values in table.items() for n, v in enumerate(values) if v is not None]
    found = metrics.agreement(rows)
    assert found["krippendorff_alpha"] == pytest.approx(0.743, abs=5e-4)
    assert found["answers_with_two_or_more"] == 11


def test_a_table_with_known_kappa(decide):
    """20 both yes, 5 and 10 split, 15 both no: observed 0.70, expected 0.50, kappa 0.40."""
    verdicts = [("correct", "correct")] * 20 + [("correct", "wrong")] * 5 + [("wrong", "correct")] * 10
    verdicts += [("wrong", "wrong")] * 15
    rows = [
        decide(str(n), name, verdict)
        for n, pair in enumerate(verdicts)
        for name, verdict in zip("ab", pair, strict=True)
    ]
    assert metrics.agreement(rows)["pairs"] == [
        {"reviewers": ["a", "b"], "answers": 50, "same": 35, "cohen_kappa": 0.4}
    ]


def test_no_coefficient_if_all_verdicts_are_equal(decide):
    rows = [decide("x", name, "correct") for name in "ab"]
    found = metrics.agreement(rows)
    assert found["krippendorff_alpha"] is None and found["pairs"][0]["cohen_kappa"] is None


def test_reviewers_are_measured_on_gold_items(decide):
    queue = [
        item("k1", why="gold", kind="gold", expected="wrong"),
        item("k2", why="gold", kind="gold", expected="correct"),
        item("x"),
    ]
    rows = [
        decide("k1", "a", "minor_error", seconds=60), decide("k2", "a", "correct", seconds=180), decide("x", "a", "wrong"),
        decide("k1", "b", "correct"),
    ]  # fmt: skip
    first, second = metrics.reviewers(queue, rows, {"a": {"fields": ["physics"], "degree": "MSc"}})
    assert (first["items"], first["minutes_per_item"], first["degree"]) == (3, 2.0, "MSc")
    assert (first["gold_exact"]["found"], first["gold_fault_or_not"]["found"], first["gold_exact"]["n"]) == (1, 2, 2)
    assert (second["gold_fault_or_not"]["rate"], second["minutes_per_item"]) == (0.0, None)
