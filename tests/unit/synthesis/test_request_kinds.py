"""Kinds of requests by their words, and by what a seed or a technique says about them."""

import pytest

from workflow_scripts.synthesis.draft import begin_draft
from workflow_scripts.synthesis.request_kinds import KINDS, kind_of_opening, kind_of_text
from workflow_scripts.synthesis.techniques.instruction import replace_opening

EXAMPLES = {
    "code": [
        "Write a Python function that counts words.", "Fix the loop in this class.", "Give me a SQL query for all customers.",
        "SELECT name FROM cities: what is wrong?", "Fix this JavaScript line.", "Rewrite it in C++.", "Write a program that sorts names.",
    ],
    "mathematics": [
        "Calculate the area of a circle of radius 3.", "How many apples remain if 3 of 12 are eaten?", "Solve x + 2 = 7.",
        "Prove that the square root of 2 is irrational.", "What is the probability of two sixes in 4 throws?",
    ],
    "creative": [
        "Write a short story about a lighthouse keeper.", "Compose a haiku on rain.", "Tell me a joke about compilers.",
        "Create a dialogue between a river and a bridge.",
    ],
    "role_play": [
        "You are a ship's cook in 1820. What do you serve today?", "Act as a sceptical judge.", "Let us roleplay a job interview.",
        "Pretend you are a lighthouse.",
    ],
    "summary": ["Summarise the essay in five sentences.", "Write a brief summary of the text.", "Condense this into a paragraph."],
    None: [
        "Why does granite erode so slowly?", "Describe the life of Ada Lovelace.", "Design an exercise program for older people.",
        "How long do cats live?", "What is the difference between a list and a tuple in Python?", "What is a good structure for a story?", "Who was the captain of the ship in the story?",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in EXAMPLES.items() for text in texts])
def test_kind_of_a_text(kind, text):
    assert kind_of_text(text) == kind
    assert kind is None or kind in KINDS


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "explanation"),
        ({"meta": {"category": "coding"}}, "code"),
        ({"meta": {"category": "trivia"}}, "explanation"),
        ({"kind": "post", "meta": {"task": "complex_summary"}}, "summary"),
        ({"kind": "post", "meta": {"task": "argument"}}, "explanation"),
        ({"kind": "problem", "domain": "Math"}, "mathematics"),
        ({"kind": "problem", "domain": "Natural Science"}, "explanation"),
        ({"context": "def find(numbers): pass"}, "explanation"),
    ],
)
def test_kind_of_a_seed(make_seed, fields, kind):
    assert kind_of_opening(begin_draft(make_seed(**fields), 0)) == kind


def test_a_new_request_has_a_kind_of_its_own(make_seed):
    draft = begin_draft(make_seed(kind="problem", domain="Math", meta={"category": "coding"}), 0)
    replace_opening(draft, "lamini_topic", "Why do ballet shoes have flat tips?")
    assert kind_of_opening(draft) == "explanation"
    draft.steps.append({"name": "airoboros", "category": "writing"})
    assert kind_of_opening(draft) == "creative"
