"""The questions of several turns in resources/: number, categories, turns, valid checks."""

from collections import Counter
from pathlib import Path

from workflow_scripts.evaluation.answer_questions import read_questions
from workflow_scripts.evaluation.checks import passes

QUESTIONS = read_questions(Path("resources/multi_turn/questions.jsonl"))
CATEGORIES = {"writing", "roleplay", "reasoning", "mathematics", "coding", "extraction", "science", "recall"}


def test_there_are_eighty_questions_in_eight_categories_with_two_or_four_turns():
    counts = Counter(row["category"] for row in QUESTIONS)
    assert set(counts) == CATEGORIES | {"summary"} and all(counts[name] >= 10 for name in CATEGORIES)
    turns = Counter(len(row["turns"]) for row in QUESTIONS)
    assert set(turns) == {2, 4} and turns[4] >= 20
    assert len({row["turns"][0] for row in QUESTIONS}) == len(QUESTIONS)


def test_mathematics_and_code_have_a_reference_for_every_turn():
    for row in QUESTIONS:
        if row["category"] in ("mathematics", "coding"):
            assert len(row["references"]) == len(row["turns"]), row["id"]


def test_references_pass_the_checks_of_content():
    """A reference is terse, so limits of length and names of functions in later turns are not required of it."""
    for row in QUESTIONS:
        if row["category"] in ("mathematics", "reasoning"):
            for reference, checks in zip(row["references"], row["checks"], strict=False):
                assert all(passes(check, reference) for check in checks), (row["id"], reference)


def test_the_texts_to_summarise_are_long_and_contain_their_facts():
    texts = [row for row in QUESTIONS if row["category"] == "summary"]
    assert len(texts) >= 8
    for row in texts:
        assert len(row["turns"][0].split()) > 230
        facts = [check for check in row["checks"][0] if "contains" in check]
        assert len(facts) >= 7 and all(passes(check, row["turns"][0]) for check in facts), row["id"]
