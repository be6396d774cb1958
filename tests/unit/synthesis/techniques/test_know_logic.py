"""Know-Logic: the problem, its two solutions, and the judge."""

import json

import pytest

from workflow_scripts.synthesis.techniques.know_logic import FORMS, KnowLogic, final_answer, same_answer

PROBLEM = "Ada sits left of Ben, and Cleo sits between them. Who sits in the middle?"
FIRST = "1. Ada is left of Ben.\n2. Cleo is between the two.\n\nAnswer: Cleo"
SECOND = "Only one order fits the clues, Ada, Cleo, Ben.\n**Answer:** cleo."
OTHER = "The clues place Ben in the centre.\nAnswer: Ben"
RIGHT, WRONG = {"first_wrong_step": 0}, {"first_wrong_step": 2}


def test_a_problem_is_solved_twice_and_judged(apply, make_seed):
    seed = make_seed("Why does granite last?", "A wall.", "Old answer.", domain="Natural Science")
    work = apply(KnowLogic(), seed, f"Problem: {PROBLEM}", FIRST, SECOND, RIGHT, settings={"attempts": 2})
    assert work.kinds == ["instruction", "answer", "answer", "judge"]
    assert (
        "granite" in work.prompts[0] and "Natural Science" in work.prompts[0] and work.step["form"] in work.prompts[0]
    )
    assert (
        PROBLEM in work.prompts[1] and PROBLEM in work.prompts[2] and "Cleo is between the two" not in work.prompts[2]
    )
    assert work.requests[1]["seed"] != work.requests[2]["seed"]
    assert PROBLEM in work.prompts[3] and FIRST in work.prompts[3]
    assert not any("A wall" in prompt or "Old answer" in prompt for prompt in work.prompts)
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (PROBLEM, "", FIRST)
    assert work.step == {"name": "know_logic", "form": work.step["form"], "failed": []}
    labels = work.draft.opening, work.draft.kind, work.draft.domain, work.draft.difficulty
    assert labels == ("know_logic", "problem", None, None) and len(work.draft.skills) == 3
    assert work.draft.prompts == {"know_logic_problem", "know_logic_solve", "know_logic_again", "know_logic_judge"}


def test_an_independent_judge_checks_the_solution(apply, make_seed):
    asked = []

    async def ask_judge(messages, sampling, seed, response_format=None):
        asked.append(messages[-1]["content"])
        return {"text": json.dumps(RIGHT), "finish_reason": "stop"}

    work = apply(KnowLogic(), make_seed(), PROBLEM, FIRST, SECOND, settings={"attempts": 1}, ask_judge=ask_judge)
    assert work.error is None and work.kinds == ["instruction", "answer", "answer"]
    (prompt,) = asked
    assert PROBLEM in prompt and FIRST in prompt


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ((PROBLEM, FIRST, OTHER), "know_logic:disagreement"),
        ((PROBLEM, FIRST, SECOND, WRONG), "know_logic:wrong_step"),
        ((PROBLEM, "It is Cleo.", "It must be Cleo."), "answer:no_final_answer"),
        ((PROBLEM, FIRST, SECOND, {"a": 1}, {"first_wrong_step": -1}), "judge:malformed"),
        (("Yes, it is Cleo.", "Cleo is in the middle."), "instruction:answers"),
    ],
)
def test_another_attempt_is_another_problem(apply, make_seed, replies, reason):
    good = (f"{PROBLEM} Explain.", FIRST, SECOND, RIGHT)
    work = apply(KnowLogic(), make_seed(), *replies, *good, settings={"attempts": 2})
    assert work.error is None and work.step["failed"] == [reason] and work.draft.answer == FIRST
    assert work.prompts[0] != work.prompts[-4]  # another form
    seed = make_seed(response="Old answer.")
    work = apply(KnowLogic(), seed, *replies, settings={"attempts": 1})
    assert str(work.error) == "know_logic:unverified"
    assert (work.draft.instruction, work.draft.answer, work.draft.steps) == (seed["instruction"], "Old answer.", [])


def test_forms_depend_only_on_the_seed(apply, make_seed):
    def form(seed):
        return apply(KnowLogic(), seed, PROBLEM, FIRST, SECOND, RIGHT, settings={"attempts": 2}, http=False).step[
            "form"
        ]

    seeds = [make_seed(f"Why does granite {n} last?") for n in range(30)]
    forms = [form(seed) for seed in seeds]
    assert forms == [form(seed) for seed in seeds] and len(set(forms)) > len(FORMS) / 2


def test_the_last_answer_line_counts():
    assert final_answer("Answer: Ben? No.\n...\nAnswer: Cleo\n") == "Cleo"
    assert final_answer("So:\n**Final answer: 12**") == "12**"
    assert final_answer("The answer: is unknown") == final_answer("It is Cleo.") == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Cleo", "**cleo**.", True),
        ("the red box", "Red box", True),
        ("12", "12.0", True),
        ("twelve", "12", True),
        ("1,200 g", "1200 g", True),
        ("36 g", "36", True),
        ("36 g", "36 kg", False),
        ("1/2", "0.5", True),
        (r"$\boxed{\frac{1}{2}}$", ".5", True),
        ("x = 5", "5", True),
        ("−3", "-3", True),
        ("50%", "50 percent", True),
        ("12:30", "12:45", False),
        ("12:30", "12", False),
        ("not Ben", "Ben", False),
        ("1/0", "1/0", True),
        ("3", "4", False),
        ("", "", False),
        ("?", "?", False),
    ],
)
def test_answers_are_compared_by_meaning(one, other, same):
    assert same_answer(one, other) == same_answer(other, one) == same
