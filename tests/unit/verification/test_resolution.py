"""Disagreement is resolved by majority, by any rejection or by an adjudicator; and which correction is used."""

import pytest

from workflow_scripts.verification.resolution import ResolutionRule, resolve, resolve_all

NAMES = "abcdefgh"


def rule(method="majority", accept=("correct",), adjudicators=()):
    return ResolutionRule(method, frozenset(accept), frozenset(adjudicators))


@pytest.mark.parametrize(
    ("verdicts", "majority", "any_wrong", "adjudicator"),
    [
        ("c", "accepted", "accepted", "accepted"),
        ("cc", "accepted", "accepted", "accepted"),
        ("cw", "disputed", "rejected", "disputed"),
        ("ccw", "accepted", "rejected", "disputed"),
        ("cww", "rejected", "rejected", "disputed"),
        ("wi", "rejected", "rejected", "rejected"),
        ("cm", "disputed", "rejected", "disputed"),
    ],
)
def test_rules(decide, verdicts, majority, any_wrong, adjudicator):
    names = {"c": "correct", "w": "wrong", "i": "incoherent", "m": "minor_error"}
    rows = [decide("x", name, names[letter]) for name, letter in zip(NAMES, verdicts, strict=False)]
    found = {name: resolve(rows, rule(name)).status for name in ("majority", "any_wrong_rejects", "adjudicator")}
    assert found == {"majority": majority, "any_wrong_rejects": any_wrong, "adjudicator": adjudicator}


def test_a_minor_error_may_be_accepted(decide):
    rows = [decide("x", "a", "minor_error"), decide("x", "b", "correct")]
    assert resolve(rows, rule(accept=("correct", "minor_error"))).status == "accepted"


@pytest.mark.parametrize("method", ["majority", "any_wrong_rejects", "adjudicator"])
def test_an_adjudicators_decision_is_final(decide, method):
    rows = [decide("x", "a", "wrong"), decide("x", "b", "wrong"), decide("x", "z", "correct")]
    found = resolve(rows, rule(method, adjudicators=("z",)))
    assert (found.status, found.by) == ("accepted", ("z",))
    assert len(found.decisions) == 3


def test_of_two_adjudicators_the_later_decides(decide):
    rows = [decide("x", "y", "wrong", at="2026-02-01"), decide("x", "z", "correct", at="2026-01-01")]
    assert resolve(rows, rule(adjudicators=("y", "z"))).status == "rejected"


def test_the_most_frequent_correction(decide):
    rows = [
        decide("x", "a", "wrong", corrected="It is 5.", confidence=5),
        decide("x", "b", "wrong", corrected="It is  4."),
        decide("x", "c", "minor_error", corrected="It is 4."),
        decide("x", "d", "correct", corrected="no fault, no correction"),
    ]
    assert resolve(rows, rule()).corrected == "It is 4."
    assert resolve(rows, rule("any_wrong_rejects")).corrected is None


def test_of_equally_frequent_corrections_the_most_confident(decide):
    rows = [
        decide("x", "a", "wrong", corrected="4", confidence=2),
        decide("x", "b", "wrong", corrected="5", confidence=4),
    ]
    assert resolve(rows, rule()).corrected == "5"


def test_an_incoherent_question_has_no_correction(decide):
    assert resolve([decide("x", "a", "incoherent", corrected="4")], rule()).corrected is None


def test_of_equally_frequent_verdicts_the_worse(decide):
    assert resolve([decide("x", "a", "minor_error"), decide("x", "b", "wrong")], rule()).verdict == "wrong"


def test_only_last_decisions_count(decide):
    rows = [decide("x", "a", "wrong", counts=False), decide("x", "a", "correct"), decide("x", "a", "wrong", answer=2)]
    found = resolve_all(rows, rule())
    assert {answer: resolution.status for answer, resolution in found["x"].items()} == {1: "accepted", 2: "rejected"}
