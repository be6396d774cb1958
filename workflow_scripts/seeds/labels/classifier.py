"""The grid's labels without a teacher: a support vector machine over sentence embeddings of our own examples.

It knows a seed by its subject and its wording, so domains come out well, skills and difficulty roughly; how well, is
measured by `tests/benchmarks/label_agreement.py`. Nearest centroid, nearest neighbours, logistic regression and linear
discriminants were tried on the same questions too; this did best.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workflow_scripts.seeds.labels.grid import Grid, Label, names

SKILLS = 3  # for each seed, as in FLASK


@dataclass(frozen=True)
class Labels:
    """Labels of n seeds. `confidence` holds n margins for each of domain, skills and difficulty: how far the
    classifier's score of the last label it gave is above that of the best label it did not give."""

    domain: list[str]
    skills: list[list[str]]  # three of each, the strongest first
    difficulty: list[str]
    confidence: dict[str, list[float]]


class Classifier:
    """Fitted, when it is made, on the examples and meanings of `grid`.

    `embed_function` turns n texts into unit vectors of shape (n, dimensions), by the model that the seeds' own
    vectors come from.
    """

    def __init__(self, grid: Grid, embed_function: Callable[[list[str]], np.ndarray]):
        self._axes = {
            "domain": _Axis(grid.domains, embed_function),
            "skills": _Axis(grid.skills, embed_function),
            "difficulty": _Axis(grid.difficulties, embed_function),
        }

    def classify(self, vectors: np.ndarray) -> Labels:
        """Labels of unit vectors, shape (n, dimensions); a row's labels do not depend on the other rows.

        ValueError if the vectors have other dimensions than the examples.
        """
        domain, domain_margin = self._axes["domain"].best(vectors, 1)
        skills, skills_margin = self._axes["skills"].best(vectors, SKILLS)
        difficulty, difficulty_margin = self._axes["difficulty"].best(vectors, 1)
        return Labels(
            domain=[label for (label,) in domain],
            skills=skills,
            difficulty=[label for (label,) in difficulty],
            confidence={"domain": domain_margin, "skills": skills_margin, "difficulty": difficulty_margin},
        )


class _Axis:
    """One axis of the grid."""

    def __init__(self, labels: tuple[Label, ...], embed_function: Callable[[list[str]], np.ndarray]):
        from sklearn.svm import SVC

        texts = [(text, place) for place, label in enumerate(labels) for text in (label.meaning, *label.examples)]
        self._names = np.array(names(labels))
        self._model = SVC(C=10).fit(embed_function([text for text, _ in texts]), [place for _, place in texts])

    def best(self, vectors: np.ndarray, count: int) -> tuple[list[list[str]], list[float]]:
        """The `count` labels with the highest scores, best first, and the margin below them."""
        if not len(vectors):
            return [], []
        scores = self._model.decision_function(vectors)
        order = np.argsort(-scores, axis=1, kind="stable")
        ranked = np.take_along_axis(scores, order, axis=1)
        return self._names[order[:, :count]].tolist(), (ranked[:, count - 1] - ranked[:, count]).tolist()
