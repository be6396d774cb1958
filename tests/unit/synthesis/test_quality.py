"""Which turns are valid, and the names of the faults of the others."""

from pathlib import Path

import pytest
import yaml

from workflow_scripts.synthesis.forms import form, has_recap
from workflow_scripts.synthesis.quality import answer_fault, first_sentence, follow_up_fault, last_sentence

CASES = yaml.safe_load((Path(__file__).parent / "follow_ups.yaml").read_text(encoding="utf-8"))
TALK = [
    {
        "input": "Why does granite erode so slowly?",
        "output": "Its crystals interlock tightly, and water finds few ways in.",
    }
]
LENGTHS = {"min_chars": 50, "max_chars": 260}


def cases(group):
    return [
        (name, CASES["conversations"][conversation], text)
        for name, texts in CASES[group].items()
        for conversation, same in texts.items()
        for text in same
    ]


def test_there_are_twenty_of_each():
    numbers = {name: sum(map(len, texts.values())) for group in ("good", "bad") for name, texts in CASES[group].items()}
    assert set(numbers.values()) == {20} and set(CASES["bad"]) == {
        "role_label", "quoted", "praise", "multi_line", "refers_to_nothing", "asked_before", "near_copy", "too_short", "too_long",
        "no_request",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "conversation", "text"), cases("good"))
def test_every_released_form_is_valid(name, conversation, text):
    assert follow_up_fault(text, conversation, **LENGTHS) is None
    assert form(text) == name.removeprefix("recap_")
    assert has_recap(text) or name != "recap_question"


@pytest.mark.parametrize(("fault", "conversation", "text"), cases("bad"))
def test_every_fault_is_found(fault, conversation, text):
    assert follow_up_fault(text, conversation, **LENGTHS) == fault


@pytest.mark.parametrize(
    "text",
    [
        "Why does the granite of www.granite.org have such large crystals?",
        "How would a language model explain that the crystals interlock so tightly?",
        "I'm sorry for the crystals, but I can't see why they interlock so tightly?",
        "Great Britain has granite too: how do its crystals interlock?",
    ],
)
def test_rules_for_answers_do_not_apply_to_users(text):
    assert follow_up_fault(text, TALK, **LENGTHS) is None


def test_empty_and_repeated_characters():
    assert follow_up_fault(" ", TALK, **LENGTHS) == "empty"
    assert follow_up_fault("Why do crystals " + "o" * 60 + "?", TALK, **LENGTHS) == "repeated_characters"


def test_lengths_are_inclusive():
    text = "How do the crystals interlock?"
    assert follow_up_fault(text, TALK, min_chars=len(text), max_chars=len(text)) is None
    assert follow_up_fault(text, TALK, min_chars=len(text) + 1, max_chars=99) == "too_short"
    assert follow_up_fault(text, TALK, min_chars=1, max_chars=len(text) - 1) == "too_long"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Feldspar weathers first, quartz last.", None),
        (" \n", "empty"),
        ("I'm sorry, but I can't answer.", "refusal"),
        ("As an AI language model, I know stones.", "self_reference"),
        ("Read https://plums.org for more.", "url"),
        ("User: And then?", "role_label"),
        ("Teacher: What is it?\nStudent: Granite.", None),  # a dialogue
        ("Its crystals interlock tightly, and water finds few ways in!", "near_copy"),
        ("No" + "o" * 40, "repeated_characters"),
        ("\x1b[31mFeldspar\x1b[0m weathers first.", "ansi_escape"),
        ("Feldspar weathers\0 first.", "broken_unicode"),
        ("Its crystals interlock, and so water finds the", "truncated"),
        ("the stone is hard, so " * 8 + "it lasts.", "repetition"),
        ("the stone is hard, so " * 4 + "it lasts.", None),  # short enough to be intended
        ("The hill is a path. " * 4, "repetition"),
        ("1. They value the arts.\n2. They value the arts.\n3. They value the arts.\n4. They like soup.", "repetition"),
        (
            "Row the boat home.\nThe oars are wet.\nRow the boat home.\nThe wind is cold.\nRow the boat home.\nWe rest.\nAll is well now.",
            None,
        ),
    ],
)
def test_answers(text, fault):
    assert answer_fault(text, TALK) == fault


def test_a_link_that_the_user_gave_is_not_the_answers():
    answer = "The page https://plums.org describes how feldspar weathers."
    assert answer_fault(answer, [*TALK, {"input": "What does https://plums.org say?", "output": ""}]) is None
    assert answer_fault(answer, [*TALK, {"input": "What does it say?", "output": ""}]) == "url"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Thr", "One. Two!"),
        ("It is 3.14 and more", ""),
        ('He said "no." Then', 'He said "no."'),
        ("One.", "One."),
        ("No end", ""),
    ],
)
def test_last_sentence(text, expected):
    assert last_sentence(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Why? And how? So.", "Why?"),
        ("Explain it. It is hard.", "Explain it."),
        ("Is it 3.14 metres high?\n\nIt is.", "Is it 3.14 metres high?"),
        ("No end\nMore", "No end"),
        ("Expand on the lattice:\n\nIt is tight.", "Expand on the lattice."),
        ("", ""),
    ],
)
def test_first_sentence(text, expected):
    assert first_sentence(text) == expected
