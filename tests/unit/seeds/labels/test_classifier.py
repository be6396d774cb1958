"""The offline classifier, with the real embedding model."""

import numpy as np
import pytest

from workflow_scripts.seeds.labels.grid import names

# None of these is an example in the grid.
CLEAR = [
    ("Write a JavaScript function that sorts an array of objects by their date.", "Coding", "Logical Efficiency"),
    ("Compute the integral of x cubed between 0 and 2.", "Math", "Logical Correctness"),
    ("Which foods are rich in iron, and who is at risk of anaemia?", "Health", "Factuality"),
    ("How did the Persian Wars change Athens?", "History", "Factuality"),
    ("What is the boiling point of ethanol, and why is it lower than water's?", "Natural Science", "Factuality"),
    ("Write a sonnet about the sea in winter.", "Language", "Insightfulness"),
    ("Suggest a menu for a Mexican dinner party.", "Culture", "Commonsense Understanding"),
    ("Explain how tariffs affect domestic producers and consumers.", "Social Science", "Completeness"),
    ("How does a jet engine produce thrust?", "Technology", "Completeness"),
    ("What does Aristotle mean by virtue?", "Humanities", "Factuality"),
    ("Sum up the following article in two sentences.", "Language", "Conciseness"),
    ("Translate this sentence from Italian into English and keep its tone.", "Language", "Comprehension"),
]


@pytest.fixture(scope="module")
def vectors(embed_texts):
    return embed_texts([text for text, _, _ in CLEAR])


def test_clear_domains(classifier, vectors):
    """At most one error: the thrust of a jet engine is close to physics."""
    found = classifier.classify(vectors).domain
    wrong = [row for row in zip(CLEAR, found, strict=True) if row[0][1] != row[1]]
    assert len(wrong) <= 1, wrong


def test_most_clear_skills_are_among_the_three(classifier, vectors):
    found = classifier.classify(vectors).skills
    hits = [skill in three for (_, _, skill), three in zip(CLEAR, found, strict=True)]
    assert sum(hits) >= 9, [row for row, hit in zip(zip(CLEAR, found, strict=True), hits, strict=True) if not hit]


def test_difficulty_rises(classifier, grid, embed_texts):
    texts = [
        "What colour is the grass?",
        "How do I get rid of moths in my wardrobe?",
        "Explain how a plant cell differs from an animal cell.",
        "Prove that a compact subset of a Hausdorff space is closed.",
        "A 61-year-old man presents with refractory ventricular tachycardia after ablation. How is he managed?",
    ]
    assert classifier.classify(embed_texts(texts)).difficulty == names(grid.difficulties)


def test_three_different_skills_and_a_margin_for_each_label(classifier, grid, vectors):
    labels = classifier.classify(vectors)
    assert all(len(set(three)) == 3 and set(three) <= set(names(grid.skills)) for three in labels.skills)
    assert {name: len(margins) for name, margins in labels.confidence.items()} == {
        "domain": len(CLEAR),
        "skills": len(CLEAR),
        "difficulty": len(CLEAR),
    }
    assert all(margin >= 0 for margins in labels.confidence.values() for margin in margins)


def test_a_rows_labels_do_not_depend_on_the_others(classifier, vectors):
    whole = classifier.classify(vectors)
    order = np.random.default_rng(0).permutation(len(vectors))
    shuffled = classifier.classify(vectors[order])
    for at, row in enumerate(order):
        alone = classifier.classify(vectors[row : row + 1])
        for labels, place in ((shuffled, at), (alone, 0)):
            assert labels.domain[place] == whole.domain[row]
            assert labels.skills[place] == whole.skills[row]
            assert labels.difficulty[place] == whole.difficulty[row]


def test_no_rows_and_wrong_dimensions(classifier):
    labels = classifier.classify(np.empty((0, 384), dtype=np.float32))
    assert (labels.domain, labels.skills, labels.difficulty) == ([], [], [])
    with pytest.raises(ValueError, match="features"):
        classifier.classify(np.ones((2, 3), dtype=np.float32))
