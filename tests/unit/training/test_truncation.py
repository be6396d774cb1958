"""Conversations longer than max_length: split on whole exchanges, cut or dropped, with counts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_tokenizers import KINDS
from tests.support.tiny_training import conversations
from workflow_scripts.training.template import Encoder, set_template
from workflow_scripts.training.truncation import split_conversation, truncate

TALKS = st.integers(0, 200).map(lambda seed: conversations(1, seed)[0]["conversation"])


@pytest.fixture(scope="module", params=["llama-2", "smollm2"])
def encoder(request):
    return Encoder(set_template(KINDS[request.param]()))


@given(TALKS, st.integers(20, 120))
def test_parts_are_the_whole_conversation_in_order(encoder, talk, length):
    parts = split_conversation(encoder, talk, length)
    assert [exchange for part in parts for exchange in part] == talk
    assert all(len(part) == 1 or len(encoder.encode(part).ids) <= length for part in parts)
    # As few parts as possible: the next exchange does not fit into a part.
    assert all(len(encoder.encode([*one, other[0]]).ids) > length for one, other in itertools.pairwise(parts))


@given(TALKS, st.integers(20, 120), st.sampled_from(["split", "cut", "drop"]))
def test_every_lost_token_is_counted(encoder, talk, length, overflow):
    whole = encoder.encode(talk)
    entry = truncate(encoder, talk, length, overflow)
    assert entry.length == len(whole.ids)
    assert all(len(sample.ids) <= length for sample in entry.samples)
    kept = sum(sum(sample.mask) for sample in entry.samples)
    assert kept + entry.answer_tokens_cut == sum(whole.mask)
    assert bool(entry.truncated) == (overflow != "drop" and entry.tokens_cut > 0)
    if len(whole.ids) <= length:
        assert entry.samples == [whole] and not entry.tokens_cut
    elif overflow == "drop":
        assert (entry.samples, entry.tokens_cut) == ([], len(whole.ids))
    elif overflow == "cut":
        assert entry.samples == [whole.cut(length)]
