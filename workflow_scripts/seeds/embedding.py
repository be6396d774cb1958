"""Sentence embeddings of seeds with any sentence-transformers model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

PIECE_CHARS = 1000  # about 250 tokens, the input length of the embedded model; it truncates longer texts silently
MAX_PIECES = 8


def load_embedder(model: str) -> Any:
    """A `SentenceTransformer` from `package:NAME/FOLDER`, a local folder or a hub name; on a GPU if there is one."""
    from sentence_transformers import SentenceTransformer

    from workflow_scripts.common.model_location import local_model

    return SentenceTransformer(str(local_model(model) or model))


def pieces(text: str) -> list[str]:
    """The first `MAX_PIECES` pieces of a text, each of at most `PIECE_CHARS` characters; [""] for an empty text."""
    return [text[start : start + PIECE_CHARS] for start in range(0, max(len(text), 1), PIECE_CHARS)][:MAX_PIECES]


def embed(model: Any, texts: Sequence[str], batch_size: int = 32) -> np.ndarray:
    """Unit vectors, float32, shape (texts, dimensions): the mean of a text's pieces weighted by their length.

    airoboros does the same with pieces of 512 tokens (github.com/jondurbin/airoboros).
    """
    cut = [pieces(text) for text in texts]
    flat = [piece for parts in cut for piece in parts]
    vectors = model.encode(flat, batch_size=batch_size, show_progress_bar=False, normalize_embeddings=True)
    owner = np.repeat(np.arange(len(cut)), [len(parts) for parts in cut])
    weights = np.array([max(len(piece), 1) for piece in flat], dtype=np.float32)
    means = np.zeros((len(cut), vectors.shape[1]), dtype=np.float32)
    np.add.at(means, owner, vectors * weights[:, None])
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
