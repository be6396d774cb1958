"""The judge: both orders, ties, invalid judgements, statistics."""

import asyncio
import json

import numpy as np
import pytest

from workflow_scripts.evaluation.judge import (
    ATTEMPTS,
    SAMPLING,
    SCHEMA,
    agreement_with_grades,
    grade,
    grade_summary,
    judge,
    outcome,
    summary,
)
from workflow_scripts.evaluation.judge_answers import unjudged
from workflow_scripts.teacher.structured import InvalidReply, parse_reply


@pytest.mark.parametrize(
    ("tuned_first", "reference_first", "expected"),
    [("A", "B", "win"), ("B", "A", "loss"), ("A", "A", "tie"), ("B", "B", "tie"), ("tie", "B", "tie"), ("A", "tie", "tie"), ("tie", "tie", "tie")],
)  # fmt: skip
def test_a_win_is_a_win_in_both_orders(tuned_first, reference_first, expected):
    assert outcome(tuned_first, reference_first) == expected


@pytest.mark.parametrize(
    "text", ["A", '{"verdict": "A"}', '{"reason": "x", "verdict": "C"}', "[]", '{"reason": 1, "verdict": "A"}']
)
def test_an_invalid_judgement_is_an_error(text):
    with pytest.raises(ValueError):
        parse_reply(text, SCHEMA)


def replies(*texts):
    """An `ask` that returns these texts in turn, and the list of its prompts and seeds."""
    left, asked = list(texts), []

    async def ask(messages, sampling, seed, response_format=None):
        asked.append((messages[0]["content"], seed))
        return {"text": left.pop(0), "finish_reason": "stop"}

    return ask, asked


TURNS = [{"input": "Why?", "output": "Because one."}, {"input": "And then?", "output": "Then two."}]
OTHER = [{"input": "Why?", "output": "Because three."}, {"input": "And then?", "output": "Then four."}]


def test_the_judge_sees_both_answers_and_is_asked_again_after_an_invalid_reply():
    ask, asked = replies("I think A", json.dumps({"reason": "clearer", "verdict": "B"}))
    assert asyncio.run(judge(ask, TURNS, OTHER, "Two.", SAMPLING)) == {"reason": "clearer", "verdict": "B"}
    assert [seed for _, seed in asked] == [0, 1]
    prompt = asked[0][0]
    assert prompt.index("Then two.") < prompt.index("Then four.") and "last answer" in prompt
    assert "<reference>\nTwo.\n</reference>" in prompt


def test_a_judge_without_a_valid_judgement_is_an_error():
    ask, _ = replies(*["no"] * ATTEMPTS)
    with pytest.raises(InvalidReply, match="no valid judgement in 3 attempts: not JSON"):
        asyncio.run(judge(ask, TURNS[:1], OTHER[:1], "", SAMPLING))


def judged(*verdicts):
    """Judgements of two turns of each question."""
    return [
        {
            "id": str(number // 2),
            "turn": number % 2 + 1,
            "tuned_first": first,
            "reference_first": second,
            "outcome": outcome(first, second),
        }
        for number, (first, second) in enumerate(verdicts)
    ]


def test_counts_share_and_standard_error_of_a_known_case():
    made = summary(judged(("A", "B"), ("A", "B"), ("A", "A"), ("tie", "tie"), ("B", "A"), ("A", "B")))
    # A win and a loss, or two ties, are a tied question.
    assert (made["questions"], made["judgements"]) == (3, 6)
    assert (made["wins"], made["ties"], made["losses"]) == (1, 2, 0)
    # Questions: 1, 0.5, 0.5; mean 2/3, variance 1/12, standard error sqrt(1/36).
    assert made["share"] == pytest.approx(2 / 3) and made["stderr"] == pytest.approx(1 / 6)
    assert (made["low"], made["high"]) == (0, 1)  # Student's t of two degrees of freedom is 4.3
    assert made["p"] == 1  # one question won, none lost
    assert made["agreement"] == pytest.approx(5 / 6)


def test_a_judge_that_always_prefers_the_first_answer():
    made = summary(judged(*[("A", "A")] * 8))
    assert (made["share"], made["ties"], made["p"], made["first_preferred"], made["agreement"]) == (0.5, 4, 1, 1, 0)


def test_two_turns_of_a_question_are_one_observation():
    """Equal models whose second turn repeats the first: counted by turn, 10 questions would be 20 independent wins."""
    rng = np.random.default_rng(3)
    verdicts = np.array([("A", "B"), ("B", "A")])
    runs = 400
    alarms = sum(summary(judged(*verdicts[np.repeat(rng.integers(0, 2, 40), 2)]))["p"] < 0.05 for _ in range(runs))
    assert alarms / runs < 0.06


def test_a_summary_without_judgements():
    """For example if the judge's server refused all of them; a NaN could not be written to stats.json."""
    for made, name in ((summary([]), "share"), (grade_summary([]), "mean")):
        assert made["questions"] == 0 and made[name] is None and made["low"] is None


def test_a_rejected_answer_carries_its_text():
    pair = {
        "model": "capybara",
        "reference": "base",
        "id": "q1",
        "category": "writing",
        "turn": 2,
        "other": OTHER,
        "conversation": TURNS,
        "correct": "",
    }
    assert unjudged(pair, "no valid judgement") == {
        "id": "q1",
        "reason": "no_judgement",
        "evidence": "no valid judgement",
        "source": "capybara",
        "conversation": TURNS,
        "provenance": {"model": "capybara", "reference": "base", "category": "writing", "turn": 2},
    }


def test_a_grade_is_given_with_the_reference():
    ask, asked = replies(json.dumps({"reason": "wrong", "grade": 11}), json.dumps({"reason": "wrong", "grade": 2}))
    assert asyncio.run(grade(ask, TURNS, "Two.", SAMPLING)) == {"reason": "wrong", "grade": 2}
    assert "<reference>\nTwo.\n</reference>" in asked[0][0] and asked[0][0].index("Because one.") < asked[0][0].index(
        "Then two."
    )


def test_the_grades_of_a_question_are_one_observation():
    grades = [{"id": str(number), "turn": turn, "grade": 4 + 2 * turn + number} for number in (0, 1) for turn in (1, 2)]
    made = grade_summary(grades)
    assert (made["questions"], made["grades"], made["mean"]) == (2, 4, 7.5)
    assert made["stderr"] == pytest.approx(0.5) and made["high"] == 10


def test_agreement_of_verdicts_and_grades():
    judgements = [
        {"model": "capybara", "reference": "base", "id": str(number), "turn": 1, "outcome": outcome}
        for number, outcome in enumerate(("win", "win", "loss", "tie"))
    ]
    given = {"capybara": (8, 5, 5, 9), "base": (3, 6, 5, 1)}
    grades = [
        {"model": model, "id": str(number), "turn": 1, "grade": value}
        for model, values in given.items()
        for number, value in enumerate(values)
    ]
    assert agreement_with_grades(judgements, grades) == {"judgements": 3, "share": 0.5}
    assert agreement_with_grades([], grades) == {"judgements": 0, "share": None}
