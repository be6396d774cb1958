"""Sentence embeddings of seeds with any sentence-transformers model."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.errors import UserError

PIECE_CHARS = 1000  # about 250 tokens, the input length of the embedded model; it truncates longer texts silently
MAX_PIECES = 8
MAX_CONTEXT_CHARS = 1000  # of a context, embedded after the whole request


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


def embedded_text(seeds: pa.Table) -> pa.Array:
    """The text to embed of each seed: the request and the first `MAX_CONTEXT_CHARS` characters of its context."""
    context = pc.utf8_slice_codeunits(seeds["context"], 0, MAX_CONTEXT_CHARS)
    return pc.utf8_trim_whitespace(pc.binary_join_element_wise(seeds["instruction"], context, "\n")).combine_chunks()


def vectors(seeds: pa.Table, embed_function: Callable[[list[str]], np.ndarray], dimensions: int) -> np.ndarray:
    """Unit vectors of the seeds, float32, shape (rows, dimensions): stored ones, computed for rows without one."""
    stored = seeds["embedding"].combine_chunks()
    has = stored.is_valid().to_numpy(zero_copy_only=False)
    result = np.empty((seeds.num_rows, dimensions), dtype=np.float32)
    if has.any():
        flat = pc.list_flatten(stored.drop_null()).to_numpy(zero_copy_only=False)
        if len(flat) != has.sum() * dimensions:
            raise UserError(
                f"the seeds' embeddings have {len(flat) / has.sum():g} dimensions, the embedding model's {dimensions}: "
                "they come from another model. Delete seeds/embedded.parquet and run again."
            )
        result[has] = flat.reshape(-1, dimensions)
    if not has.all():
        result[~has] = embed_function(embedded_text(seeds.filter(pa.array(~has))).to_pylist())
    return result
