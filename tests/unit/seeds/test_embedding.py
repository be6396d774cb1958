"""Pieces of texts and the weighted mean of their vectors, with a fake model that encodes letters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.seeds.embedding import MAX_PIECES, PIECE_CHARS, embed, load_embedder, pieces


class Letters:
    """Encodes a text as the unit vector of its first letter, one dimension per letter."""

    def __init__(self):
        self.batches = []

    def encode(self, texts, batch_size, show_progress_bar, normalize_embeddings):
        assert normalize_embeddings and not show_progress_bar
        self.batches.append((list(texts), batch_size))
        return np.array([[float(text[:1] == letter) for letter in "abc"] for text in texts], np.float32)


@given(st.text(max_size=3 * PIECE_CHARS))
def test_pieces_hold_all_of_a_text(text):
    cut = pieces(text)
    assert "".join(cut) == text
    assert all(len(piece) == PIECE_CHARS for piece in cut[:-1])
    assert 0 < len(cut[-1]) <= PIECE_CHARS or cut == [""]


def test_only_the_first_pieces_of_a_long_text_are_used():
    text = "".join(chr(97 + number) * PIECE_CHARS for number in range(MAX_PIECES + 2))
    assert pieces(text) == [chr(97 + number) * PIECE_CHARS for number in range(MAX_PIECES)]


def test_the_mean_of_the_pieces_weighted_by_their_length():
    text = "a" * PIECE_CHARS + "b" * (PIECE_CHARS // 4)
    vectors = embed(Letters(), [text, "c", "a" * (2 * PIECE_CHARS)])
    assert vectors.dtype == np.float32
    expected = np.array([1, 0.25, 0]) / np.linalg.norm([1, 0.25, 0])
    assert vectors == pytest.approx(np.array([expected, [0, 0, 1], [1, 0, 0]]))


def test_all_texts_go_to_the_model_at_once():
    model = Letters()
    embed(model, ["a" * (PIECE_CHARS + 1), "", "b"], batch_size=7)
    assert model.batches == [(["a" * PIECE_CHARS, "a", "", "b"], 7)]


@given(st.lists(st.text("abc", max_size=3 * PIECE_CHARS), min_size=1, max_size=4))
def test_vectors_have_unit_length(texts):
    vectors = embed(Letters(), texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([float(bool(text)) for text in texts])  # zero stays zero


def test_a_vector_does_not_depend_on_other_texts():
    alone = embed(Letters(), ["a" * PIECE_CHARS + "b"])
    assert embed(Letters(), ["c", "a" * PIECE_CHARS + "b", "b"])[1] == pytest.approx(alone[0])


def test_a_model_that_is_missing_is_named():
    with pytest.raises(UserError, match="no_such_package is not installed"):
        load_embedder("package:no_such_package/model")
