"""FLASK labels of openings that a technique wrote, by the classifier that labels the seeds."""

from collections.abc import Callable

import numpy as np

from workflow_scripts.common.types import Conversation
from workflow_scripts.seeds.labels.classifier import Classifier
from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.synthesis.draft import LABELS, MAX_LABELLED_CHARS, SEED_OPENING


def unlabelled(row: Conversation) -> bool:
    """Whether a technique wrote the opening and a label of it is unknown."""
    provenance = row["provenance"]
    return provenance["opening"] != SEED_OPENING and not all(provenance[name] for name in LABELS)


def classify_openings(
    rows: list[Conversation], embed_function: Callable[[list[str]], np.ndarray]
) -> list[Conversation]:
    """The rows, with unknown labels of openings that a technique wrote filled in.

    `embed_function` converts n texts to unit vectors of shape (n, dimensions), with the model of the seeds' vectors.
    """
    numbers = [number for number, row in enumerate(rows) if unlabelled(row)]
    if not numbers:
        return rows
    openings = [rows[number]["conversation"][0]["input"][:MAX_LABELLED_CHARS] for number in numbers]
    found = Classifier(load_grid(), embed_function).classify(embed_function(openings))
    labelled = list(rows)
    for place, number in enumerate(numbers):
        provenance = rows[number]["provenance"]
        filled = {name: provenance[name] or getattr(found, name)[place] for name in LABELS}
        labelled[number] = {**rows[number], "provenance": {**provenance, **filled}}
    return labelled
