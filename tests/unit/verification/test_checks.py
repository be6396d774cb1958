"""Automatic checks: different numbers, different answers, low scores; nothing is flagged without a comparison."""

import pytest

from workflow_scripts.verification.checks import conversation_doubts, differ, seed_doubts


@pytest.mark.parametrize(
    ("first", "second", "doubted"),
    [
        ("36", "Its mass is 36 g.", False),
        ("36", "Its mass is 63 g.", True),
        ("1/4", "It comes to $0.25$.", False),
        (r"\frac{1}{4}", "It comes to 0.5", True),
        ("Paris", "It is Paris.", False),
        ("36", "No number is given.", False),
    ],
)
def test_values_are_compared_mathematically(first, second, doubted):
    assert bool(differ(first, second)) == doubted


def test_a_seed_is_compared_with_its_bare_answer(problem):
    right, wrong = (problem(1, answer=f"So it is {n} m.", meta={"reference": "4"}) for n in (4, 5))
    assert seed_doubts(right) == {} and seed_doubts(problem(1)) == {}
    assert seed_doubts(wrong) == {"reference": {"values": ["4", "5"]}}


def test_a_different_second_answer(problem, grow):
    seed = problem(1, answer="So it is 4 m.")
    assert conversation_doubts(grow(seed), seed, None) == {}
    assert conversation_doubts(grow(seed, first_answer="teacher", answer="I get 4."), seed, None) == {}
    doubts = conversation_doubts(grow(seed, first_answer="teacher", answer="I get 40."), seed, None)
    assert doubts == {"second_answer": {"values": ["4", "40"]}}


def test_a_rewritten_question_has_no_second_answer(problem, grow):
    seed = problem(1, answer="So it is 4 m.")
    talk = grow(seed, first_answer="teacher", answer="I get 40.", opening="lamini_topic")
    assert conversation_doubts(talk, seed, None) == {}


def test_a_low_score(problem, grow):
    seed = problem(1)
    talk = grow(seed, scores=[{"exchange": 1, "scores": {"a": 5, "b": 4}}, {"exchange": 2, "scores": {"a": 2, "b": 3}}])
    assert conversation_doubts(talk, seed, None) == {} and conversation_doubts(talk, seed, 2.5) == {}
    assert conversation_doubts(talk, seed, 3) == {"low_score": {"means": {2: 2.5}}}
