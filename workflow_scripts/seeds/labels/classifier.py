"""FLASK labels without a teacher: a support vector machine on sentence embeddings of our own examples.

Embeddings represent the subject and the wording of a seed, so domains are accurate, skills and difficulty approximate;
`tests/benchmarks/label_agreement.py` measures the agreement. Of nearest centroid, nearest neighbours, logistic
regression, linear discriminants and this model, this one agreed best on the same questions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workflow_scripts.seeds.labels.grid import SKILLS, Grid, Label, names

# Logistic regression of a right domain on its margin, fitted on MMLU's validation questions by
# tests/benchmarks/label_agreement.py --split validation.
INTERCEPT, SLOPE = -1.32, 2.07


def domain_probability(margins: np.ndarray) -> np.ndarray:
    """The probability that a domain with this margin is right, 0 to 1, same shape."""
    probability: np.ndarray = 1 / (1 + np.exp(-(INTERCEPT + SLOPE * margins)))
    return probability


@dataclass(frozen=True)
class Labels:
    """Labels of n seeds.

    `confidence` has n margins for each of domain, skills and difficulty: the score of the last chosen label minus the
    score of the best label that was not chosen. `probability` is the estimated probability that the domain is right.
    """

    domain: list[str]
    skills: list[list[str]]  # three per seed, highest score first
    difficulty: list[str]
    confidence: dict[str, list[float]]
    probability: list[float]


class Classifier:
    """A classifier fitted on the examples and descriptions of `grid`.

    `embed_function` converts n texts to unit vectors of shape (n, dimensions), with the model of the seeds' vectors.
    """

    def __init__(self, grid: Grid, embed_function: Callable[[list[str]], np.ndarray]):
        self._axes = {
            "domain": _Axis(grid.domains, embed_function),
            "skills": _Axis(grid.skills, embed_function),
            "difficulty": _Axis(grid.difficulties, embed_function),
        }

    def classify(self, vectors: np.ndarray) -> Labels:
        """Labels of unit vectors, shape (n, dimensions). The labels of a row do not depend on other rows.

        ValueError if the dimensions differ from those of the examples.
        """
        domain, domain_margin = self._axes["domain"].best(vectors, 1)
        skills, skills_margin = self._axes["skills"].best(vectors, SKILLS)
        difficulty, difficulty_margin = self._axes["difficulty"].best(vectors, 1)
        return Labels(
            domain=[label for (label,) in domain],
            skills=skills,
            difficulty=[label for (label,) in difficulty],
            confidence={"domain": domain_margin, "skills": skills_margin, "difficulty": difficulty_margin},
            probability=domain_probability(np.array(domain_margin)).round(3).tolist(),
        )


class _Axis:
    """The classifier of one axis of the grid."""

    def __init__(self, labels: tuple[Label, ...], embed_function: Callable[[list[str]], np.ndarray]):
        from sklearn.svm import SVC

        texts = [(text, place) for place, label in enumerate(labels) for text in (label.meaning, *label.examples)]
        self._names = np.array(names(labels))
        self._model = SVC(C=10).fit(embed_function([text for text, _ in texts]), [place for _, place in texts])

    def best(self, vectors: np.ndarray, count: int) -> tuple[list[list[str]], list[float]]:
        """The `count` labels with the highest scores, best first, and the margin to the next label."""
        if not len(vectors):
            return [], []
        scores = self._model.decision_function(vectors)
        order = np.argsort(-scores, axis=1, kind="stable")
        ranked = np.take_along_axis(scores, order, axis=1)
        return self._names[order[:, :count]].tolist(), (ranked[:, count - 1] - ranked[:, count]).tolist()
