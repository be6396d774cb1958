"""Orca: themes, the questions they are used for, and the explained answer."""

import pytest

from workflow_scripts.synthesis.draft import begin_draft
from workflow_scripts.synthesis.techniques.orca import THEMES, Orca, is_multiple_choice

CHOICE = "Which rock is igneous?\nA) Granite\nB) Marble\nC) Slate"
ANSWER = "Granite freezes out of melt, which is what igneous means."


def drawn(apply, seeds):
    return {apply(Orca(), seed, ANSWER, http=False).step["theme"] for seed in seeds}


def test_there_are_sixteen_themes_two_of_them_for_multiple_choice():
    assert len(THEMES) == len({theme["name"] for theme in THEMES}) == len({theme["message"] for theme in THEMES}) == 16
    assert [theme["name"] for theme in THEMES if theme["only_multiple_choice"]] == [
        "options_for_a_child",
        "options_with_background",
    ]
    assert [theme["name"] for theme in THEMES if not theme["message"]] == ["empty"]


def test_multiple_choice_themes_are_used_for_multiple_choice_only(apply, make_seed):
    plain = drawn(apply, [make_seed(f"Why does granite number {n} last?") for n in range(120)])
    choices = drawn(apply, [make_seed(f"{n}. {CHOICE}") for n in range(12)])
    assert choices == {theme["name"] for theme in THEMES if theme["only_multiple_choice"]}
    assert plain == {theme["name"] for theme in THEMES} - choices


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHOICE, True),
        ("Pick one: (A) granite (B) marble", True),
        ("Pick one.\nA. Granite\nB. Marble", True),
        ("Which?\nA: granite\nB: marble\nC: slate", True),
        ("Continue.\nA: How are you?\nB: Fine.", False),
        ("Is vitamin A. or rather B. needed for sight?", False),
        ("Why does granite last?", False),
    ],
)
def test_multiple_choice_is_detected_in_the_text(make_seed, text, expected):
    assert is_multiple_choice(begin_draft(make_seed(text), 0)) == expected
    assert is_multiple_choice(begin_draft(make_seed("Which is it?", text), 0)) == expected


def test_multiple_choice_is_detected_by_category_if_the_opening_is_the_seeds(make_seed):
    draft = begin_draft(make_seed(meta={"category": "multiple_choice"}), 0)
    assert is_multiple_choice(draft)
    draft.instruction, draft.opening = "What is basalt?", "lamini_topic"
    assert not is_multiple_choice(draft)


def test_the_answer_is_explained_under_the_message(apply, make_seed):
    seed = make_seed(CHOICE, "", "A) Granite")
    work = apply(Orca(), seed, ANSWER)
    system, user = work.requests[0]["messages"]
    theme = next(theme for theme in THEMES if theme["name"] == work.step["theme"])
    assert "expert" in system["content"]
    assert work.draft.question == f"{theme['message']}\n\n{CHOICE}"  # the message is part of the conversation
    assert user["content"].startswith(work.draft.question)
    assert "A) Granite" in user["content"].removeprefix(work.draft.question)
    assert (work.draft.answer, work.draft.instruction, work.draft.opening) == (ANSWER, CHOICE, "seed")
    assert work.step == {"name": "orca", "theme": theme["name"], "known_answer": True}
    assert work.kinds == ["answer"] and work.draft.prompts == {"expert", "orca_answer"}


def test_without_a_known_answer_the_prompt_is_the_question(apply, make_seed):
    work = apply(Orca(), make_seed(kind="post", context="An essay."), ANSWER)
    assert work.requests[0]["messages"][1]["content"] == work.draft.question
    assert work.step["known_answer"] is False


def test_a_reference_is_used_only_with_the_seeds_own_question(apply, make_seed):
    seed = make_seed("How much is 6 times 7?", meta={"reference": "forty-two"})
    assert "forty-two" in apply(Orca(), seed, ANSWER).prompts[0]
    draft = begin_draft(seed, 0)
    draft.instruction, draft.opening = "How much is 6 times 8?", "evol_instruct"
    assert "forty-two" not in apply(Orca(), seed, ANSWER, draft=draft).prompts[0]


def test_the_empty_theme_leaves_the_request_as_it_is(apply, make_seed):
    works = (apply(Orca(), make_seed(f"Why does granite {n} last?"), ANSWER, http=False) for n in range(200))
    work = next(work for work in works if work.step["theme"] == "empty")
    assert work.draft.preface == "" and work.draft.question == work.draft.instruction


def test_an_answer_that_repeats_the_known_one_is_retried(apply, make_seed):
    known = "Its crystals interlock, and water finds few ways in."
    work = apply(Orca(), make_seed(response=known), known, ANSWER)
    assert work.draft.answer == ANSWER and work.faults == {"answer:near_copy": 1}
    work = apply(Orca(), make_seed(response=known), known, known)
    assert str(work.error) == "answer:near_copy" and work.draft.answer == known and not work.draft.steps
