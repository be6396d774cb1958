"""The grid is FLASK's, complete and in its spelling."""

import pytest

from workflow_scripts.seeds.labels.grid import names

SKILLS = [
    "Logical Robustness",
    "Logical Correctness",
    "Logical Efficiency",
    "Commonsense Understanding",
    "Factuality",
    "Metacognition",
    "Insightfulness",
    "Completeness",
    "Comprehension",
    "Conciseness",
    "Readability",
    "Harmlessness",
]
DOMAINS = [
    "Language",
    "Culture",
    "Health",
    "History",
    "Natural Science",
    "Math",
    "Social Science",
    "Technology",
    "Coding",
    "Humanities",
]
DIFFICULTIES = ["simple lifestyle", "advanced lifestyle", "formal education", "major level", "expert level"]


def test_names_are_flasks(grid):
    assert (names(grid.skills), names(grid.domains), names(grid.difficulties)) == (SKILLS, DOMAINS, DIFFICULTIES)


@pytest.mark.parametrize("axis", ["skills", "domains", "difficulties"])
def test_each_label_has_a_meaning_and_enough_examples(grid, axis):
    labels = getattr(grid, axis)
    for label in labels:
        assert label.meaning.endswith(".") and "\n" not in label.meaning
        assert 6 <= len(label.examples) <= 24, label.name
        assert all(isinstance(example, str) and example.strip() for example in label.examples)
    examples = [example for label in labels for example in label.examples]
    assert len(set(examples)) == len(examples)  # an example of two labels would contradict itself
