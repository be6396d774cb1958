"""Scores without a teacher, by two small models; rough, and meant for ranking within a source and a cell of labels.

Complexity is a support vector regression on embeddings of the examples of FLASK's difficulties (flask.yaml). Quality is
a ridge regression of the grades in examples.yaml on properties of the answer, because embeddings represent the subject
of an answer, not whether it is good.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.seeds.labels.grid import Grid

EXAMPLES = package_file("seeds/scores/examples.yaml")
LOWEST, HIGHEST = 1.0, 6.0
LONG_CHARS = 1600  # about the mean answer of the released file; longer answers earn nothing more
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
CONTENT = re.compile(r"[^\W\d_]{5,}")
CONNECTIVE = re.compile(
    r"\b(?:because|therefore|since|so that|however|although|while|for example|for instance|such as|first|then|thus|hence|which means|in contrast|if)\b",
    re.IGNORECASE,
)
VAGUE = re.compile(
    r"\b(?:it depends|various|many things|several ways|a lot of|important|good|nice|great|stuff|things|etc|and so on|very)\b",
    re.IGNORECASE,
)


def features(request: str, answer: str) -> list[float]:
    """Properties of an answer, each from 0 to 1: length, distinct words, relation to the request, reasons, detail, vagueness."""
    words = [word.casefold() for word in WORD.findall(answer)]
    count = max(len(words), 1)
    grams = list(zip(words, words[1:], words[2:], strict=False))
    asked, content = ({word.casefold() for word in CONTENT.findall(text)} for text in (request, answer))
    capitals = len(re.findall(r"(?<=[a-z,;] )[A-Z]\w+|\d+", answer))
    return [
        min(np.log1p(len(answer)) / np.log1p(LONG_CHARS), 1.0),
        len(set(grams)) / max(len(grams), 1) if grams else 0.0,
        len(asked & content) / max(len(asked), 1),
        min(len(CONNECTIVE.findall(answer)) / count * 25, 1.0),
        min(capitals / count * 10, 1.0),
        min(len(content) / count * 1.5, 1.0),
        min(len(VAGUE.findall(answer)) / count * 10, 1.0),
    ]


class Scorer:
    """Complexity and quality, fitted on the examples of the package."""

    def __init__(self, grid: Grid, embed_function: Callable[[list[str]], np.ndarray]):
        from sklearn.linear_model import Ridge
        from sklearn.svm import SVR

        pairs = [
            (text, level) for level, label in enumerate(grid.difficulties) for text in (label.meaning, *label.examples)
        ]
        step = (HIGHEST - LOWEST) / (len(grid.difficulties) - 1)
        self._complexity = SVR(C=10).fit(
            embed_function([text for text, _ in pairs]), [LOWEST + step * level for _, level in pairs]
        )
        examples = read_yaml(EXAMPLES)
        self._quality = Ridge(alpha=0.3).fit(
            [features(asked, answer) for _, asked, answer in examples], [grade for grade, _, _ in examples]
        )

    def complexity(self, vectors: np.ndarray) -> np.ndarray:
        """Complexity of the requests with these unit vectors, 1 to 6, shape (rows,)."""
        if not len(vectors):
            return np.zeros(0)
        return np.clip(self._complexity.predict(vectors), LOWEST, HIGHEST)

    def quality(self, requests: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        """Quality of the answers, 1 to 6, shape (rows,); NaN without an answer."""
        present = [row for row, answer in enumerate(answers) if answer.strip()]
        result = np.full(len(answers), np.nan)
        if present:
            rows = [features(requests[row], answers[row]) for row in present]
            result[present] = np.clip(self._quality.predict(rows), LOWEST, HIGHEST)
        return result
