"""Disagreement resolved: by majority, by any doubt, by an adjudicator; and whose correction is taken."""

import pytest

from workflow_scripts.verification.resolution import Rule, settle, settle_all

NAMES = "abcdefgh"


def rule(resolve="majority", accept=("correct",), adjudicators=()):
    return Rule(resolve, frozenset(accept), frozenset(adjudicators))


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
    words = {"c": "correct", "w": "wrong", "i": "incoherent", "m": "minor_error"}
    rows = [decide("x", name, words[letter]) for name, letter in zip(NAMES, verdicts, strict=False)]
    found = {name: settle(rows, rule(name)).status for name in ("majority", "any_wrong_rejects", "adjudicator")}
    assert found == {"majority": majority, "any_wrong_rejects": any_wrong, "adjudicator": adjudicator}


def test_a_minor_error_may_be_accepted(decide):
    rows = [decide("x", "a", "minor_error"), decide("x", "b", "correct")]
    assert settle(rows, rule(accept=("correct", "minor_error"))).status == "accepted"


@pytest.mark.parametrize("resolve", ["majority", "any_wrong_rejects", "adjudicator"])
def test_an_adjudicators_word_is_final(decide, resolve):
    rows = [decide("x", "a", "wrong"), decide("x", "b", "wrong"), decide("x", "z", "correct")]
    found = settle(rows, rule(resolve, adjudicators=("z",)))
    assert (found.status, found.by) == ("accepted", ("z",))
    assert len(found.decisions) == 3


def test_of_two_adjudicators_the_later_is_heard(decide):
    rows = [decide("x", "y", "wrong", at="2026-02-01"), decide("x", "z", "correct", at="2026-01-01")]
    assert settle(rows, rule(adjudicators=("y", "z"))).status == "rejected"


def test_the_correction_that_most_gave(decide):
    rows = [
        decide("x", "a", "wrong", corrected="It is 5.", confidence=5),
        decide("x", "b", "wrong", corrected="It is  4."),
        decide("x", "c", "minor_error", corrected="It is 4."),
        decide("x", "d", "correct", corrected="no fault, no correction"),
    ]
    assert settle(rows, rule()).corrected == "It is 4."
    assert settle(rows, rule("any_wrong_rejects")).corrected is None


def test_of_corrections_given_once_the_surest(decide):
    rows = [
        decide("x", "a", "wrong", corrected="4", confidence=2),
        decide("x", "b", "wrong", corrected="5", confidence=4),
    ]
    assert settle(rows, rule()).corrected == "5"


def test_a_question_without_sense_has_no_correction(decide):
    assert settle([decide("x", "a", "incoherent", corrected="4")], rule()).corrected is None


def test_of_verdicts_given_as_often_the_worse(decide):
    assert settle([decide("x", "a", "minor_error"), decide("x", "b", "wrong")], rule()).verdict == "wrong"


def test_only_last_words_count(decide):
    rows = [decide("x", "a", "wrong", counts=False), decide("x", "a", "correct"), decide("x", "a", "wrong", answer=2)]
    found = settle_all(rows, rule())
    assert {answer: one.status for answer, one in found["x"].items()} == {1: "accepted", 2: "rejected"}
