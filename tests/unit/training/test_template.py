"""The chat template and its loss mask, with tokenizers that write a begin token and tokenizers that do not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.training.template import BOS, TEMPLATE, encode, runs, set_template

TALK = [{"input": " Why? ", "output": "So.\n"}, {"input": "How, 北京?", "output": "With water, naïvely."}]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(lambda text: "<" not in text)
TALKS = st.lists(st.fixed_dictionaries({"input": TEXT, "output": TEXT}), min_size=1, max_size=4)


@pytest.fixture(scope="module", params=[True, False], ids=["with begin token", "without"])
def writes_bos(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(make_tokenizer, writes_bos):
    return set_template(make_tokenizer(writes_bos))


def learnt(tokenizer, ids, mask):
    return [tokenizer.decode(tokens) for tokens, carries in runs(ids, mask) if carries]


def test_the_format_is_capybaras(tokenizer, writes_bos):
    ids, _, cut = encode(tokenizer, TALK, 1000)
    begin = "<s>" if writes_bos else ""
    assert tokenizer.decode(ids) == (
        f"{begin}USER: Why? ASSISTANT: So.</s>USER: How, 北京? ASSISTANT: With water, naïvely.</s>"
    )
    assert cut == 0


def test_the_begin_token_stands_once_or_not_at_all(tokenizer, writes_bos):
    ids, mask, _ = encode(tokenizer, TALK, 1000)
    assert ids.count(tokenizer.bos_token_id) == writes_bos
    assert mask[0] == 0


def test_a_tokenizer_without_a_begin_token(make_tokenizer):
    ids, _, _ = encode(set_template(make_tokenizer(False, bos_token=None)), TALK, 1000)
    assert ids[0] != 0  # <s>


def test_the_line_to_leave_out_is_in_the_template():
    assert TEMPLATE.read_text().count(BOS) == 1


@given(TALKS)
def test_exactly_the_answers_and_their_end_tokens_carry_loss(tokenizer, conversation):
    ids, mask, _ = encode(tokenizer, conversation, 10_000)
    answers = [f" {exchange['output'].strip()}</s>" for exchange in conversation]
    assert learnt(tokenizer, ids, mask) == answers
    assert len(ids) == len(mask)
    silent = "".join(tokenizer.decode(tokens) for tokens, carries in runs(ids, mask) if not carries)
    assert silent.removeprefix("<s>") == "".join(
        f"USER: {exchange['input'].strip()} ASSISTANT:" for exchange in conversation
    )


@given(TALKS, st.integers(1, 40))
def test_cutting_takes_tokens_from_the_end_and_counts_them(tokenizer, conversation, most):
    whole, whole_mask, _ = encode(tokenizer, conversation, 10_000)
    ids, mask, cut = encode(tokenizer, conversation, most)
    assert (ids, mask) == (whole[:most], whole_mask[:most])
    assert len(ids) + cut == len(whole)


def test_the_template_is_saved_with_the_tokenizer(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.chat_template == tokenizer.chat_template
    assert encode(set_template(again), TALK, 1000) == encode(tokenizer, TALK, 1000)


@given(st.lists(st.tuples(st.integers(), st.integers(0, 1))))
def test_runs_are_the_longest_stretches_of_one_value(tokens):
    found = runs([token for token, _ in tokens], [value for _, value in tokens])
    assert [(token, bool(value)) for token, value in tokens] == [(t, c) for stretch, c in found for t in stretch]
    assert all(stretch for stretch, _ in found)
    assert all(one[1] != other[1] for one, other in itertools.pairwise(found))
