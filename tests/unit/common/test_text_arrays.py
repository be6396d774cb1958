"""Texts as arrays of characters: numpy gives the same results as a plain loop over Python strings."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.text_arrays import boolean, characters, longest_runs

# Few letters, so that there are runs, also across texts; two characters beyond the 16 bits of UTF-16.
RUNS = st.lists(st.text(st.sampled_from("ab\0\né𝔄🪨"), max_size=12), max_size=8)
ANY = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=8)
TYPES = st.sampled_from([pa.string(), pa.large_string()])


def longest_run(text):
    return max((len(list(run)) for _, run in itertools.groupby(text)), default=0)


@given(RUNS | ANY, TYPES)
def test_longest_runs_are_those_of_a_plain_loop(texts, kind):
    assert longest_runs(pa.array(texts, kind)).tolist() == [longest_run(text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "runs"),
    [
        ([], []),
        (["", ""], [0, 0]),
        (["aa", "aaa", "a"], [2, 3, 1]),  # a run ends with its text
        (["", "aa", "", "", "aab", ""], [0, 2, 0, 0, 2, 0]),
        (["aab", "bbb", "baa"], [2, 3, 2]),
        (["🪨🪨🪨", "🪨x"], [3, 1]),
    ],
)
def test_runs_at_the_borders_of_texts(texts, runs):
    assert longest_runs(pa.array(texts, pa.string())).tolist() == runs


@given(RUNS | ANY, TYPES)
def test_characters_between_offsets_are_the_text(texts, kind):
    codes, offsets = characters(pa.array(texts, kind))
    assert codes.dtype == np.uint32
    assert offsets[0] == 0 and offsets[-1] == len(codes)
    found = ["".join(map(chr, codes[start:end])) for start, end in itertools.pairwise(offsets.tolist())]
    assert found == texts


@given(RUNS, st.data())
def test_a_slice_contains_only_its_own_texts(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    part = pa.array(texts, pa.string())[start:]
    assert longest_runs(part).tolist() == [longest_run(text) for text in texts[start:]]
    assert len(characters(part)[1]) == len(texts) - start + 1


@given(st.lists(st.none() | st.booleans()), st.booleans())
def test_boolean(values, chunked):
    """Null is False."""
    array = pa.array(values, pa.bool_())
    found = boolean(pa.chunked_array([array]) if chunked else array)
    assert found.dtype == bool
    assert found.tolist() == [value is True for value in values]
