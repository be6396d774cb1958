"""Which turns are valid, and the names of the faults of the others."""

import pytest

from workflow_scripts.synthesis.quality import answer_fault, first_question, follow_up_fault, last_sentence

TALK = [
    {
        "input": "Why does granite erode so slowly?",
        "output": "Its crystals interlock tightly, and water finds few ways in.",
    }
]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Why does granite resist water?", None),
        ("why is a crystal lattice so tight that water stays out?", None),
        ("", "empty"),
        ("Thank you! Why does granite last?", "praise"),
        ("Great, why does granite last?", "praise"),
        ("How does granite resist water?", "off_move"),
        ("Why does granite resist water.", "no_question"),
        ("Why does he go?", "refers_to_nothing"),
        ("Assistant: why does granite last?", "role_label"),
        ("Why does granite last?\nUser: what about crystals?", "role_label"),
        ("Why does granite erode so slowly??", "near_copy"),
        ("Why does granite, as an AI I ask, matter?", "self_reference"),
        ("Why does www.granite.org say crystals?", "url"),
    ],
)
def test_follow_ups(text, fault):
    assert follow_up_fault(text, TALK, opening="Why does") == fault


def test_the_words_of_the_opening_do_not_refer_to_the_conversation():
    talk = [{"input": "Explain the difference.", "output": "One is large."}]
    assert follow_up_fault("What is the difference between us?", talk, "What is the difference between") == (
        "refers_to_nothing"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Feldspar weathers first, quartz last.", None),
        (" \n", "empty"),
        ("I'm sorry, but I can't answer.", "refusal"),
        ("As an AI language model, I know stones.", "self_reference"),
        ("Read https://plums.org for more.", "url"),
        ("User: And then?", "role_label"),
        ("Its crystals interlock tightly, and water finds few ways in!", "near_copy"),
        ("No" + "o" * 40, "repeated_characters"),
        ("Its crystals interlock, and so water finds the", "truncated"),
        ("the stone is hard, so " * 8 + "it lasts.", "repetition"),
        ("the stone is hard, so " * 4 + "it lasts.", None),  # short enough to be intended
    ],
)
def test_answers(text, fault):
    assert answer_fault(text, TALK) == fault


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Why? And how? So.", "Why?"),
        ('"Why so?"', "Why so?"),
        ("“Why so?” she asked", "Why so?"),
        ("Nothing asked.", "Nothing asked."),
        ("", ""),
    ],
)
def test_first_question(text, question):
    assert first_question(text) == question


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
