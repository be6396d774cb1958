"""The chat template and its loss mask, exactly, with tokenizers of every kind among the presets' base models."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_tokenizers import KINDS, phi
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.training.template import (
    ANSWER,
    BOS_LINE,
    END,
    FORMAT,
    TEMPLATE,
    USER,
    Encoder,
    runs,
    set_template,
)

TALK = [
    {"input": " Why? ", "output": "So.\n"},
    {"input": "How, 北京?", "output": "With water, naïvely."},
    {"input": "Does sand  erode?", "output": "It does:\n\n- stone\n- water"},
]
END_TOKENS = {"llama-2": "</s>", "mistral": "</s>", "phi": "<|endoftext|>", "smollm2": "<|im_end|>"}
SPECIAL = ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>", "[INST]"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PIECES = st.lists(st.one_of(TEXT, st.sampled_from(SPECIAL)), min_size=1, max_size=4).map("".join)
TALKS = st.lists(st.fixed_dictionaries({"input": PIECES, "output": PIECES}), min_size=1, max_size=4)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def encoder(kind):
    return Encoder(set_template(KINDS[kind]()))


def written(encoder, ids):
    return encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def trained_texts(encoder, encoded):
    return [written(encoder, ids) for ids, carries in runs(encoded.ids, encoded.mask) if carries]


# Llama-2's own file writes a space before every piece of text, also after an end token; newer files only at the start.
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("llama-2", "<s> USER: Why? ASSISTANT: So.</s> USER: How, 北京? ASSISTANT: With water, naïvely.</s> USER: Does"),
        ("mistral", "<s>USER: Why? ASSISTANT: So.</s>USER: How, 北京? ASSISTANT: With water, naïvely.</s>USER: Does"),
        ("phi", "USER: Why? ASSISTANT: So.<|endoftext|>USER: How, 北京? ASSISTANT: With water, naïvely.<|endoftext|>USER"),
        ("smollm2", "USER: Why? ASSISTANT: So.<|im_end|>USER: How, 北京? ASSISTANT: With water, naïvely.<|im_end|>USER"),
    ],
)  # fmt: skip
def test_the_format_is_capybaras(kind, text):
    encoder = Encoder(set_template(KINDS[kind]()))
    assert written(encoder, encoder.encode(TALK).ids).startswith(text)


@pytest.mark.parametrize(
    ("kind", "tokens"),
    [
        ("llama-2", ["<s>", "▁USER:", "▁Why", "?", "▁ASSISTANT:", "▁So", ".", "</s>", "▁USER:"]),
        ("mistral", ["<s>", "USER", ":", "▁Why", "?", "▁ASSISTANT:", "▁So", ".", "</s>", "USER"]),
        ("phi", ["USER", ":", "ĠWhy", "?", "ĠASSISTANT", ":", "ĠSo", ".", "<|endoftext|>", "USER"]),
        ("smollm2", ["USER", ":", "ĠWhy", "?", "ĠASSISTANT", ":", "ĠSo", ".", "<|im_end|>", "USER"]),
    ],
)
def test_spaces_and_begin_tokens_are_the_tokenizers_own(kind, tokens):
    encoder = Encoder(set_template(KINDS[kind]()))
    found = encoder.tokenizer.convert_ids_to_tokens(encoder.encode(TALK).ids)
    # Mistral-like files tokenise the text after an end token without a leading space.
    assert found[: len(tokens)] == tokens
    begins = found.count("<s>")
    assert begins == (kind in ("llama-2", "mistral"))


def test_three_exchanges_have_loss_on_exactly_their_answers_and_end_tokens(encoder, kind):
    end = END_TOKENS[kind]
    encoded = encoder.encode(TALK)
    assert [text.lstrip(" ") for text in trained_texts(encoder, encoded)] == [
        f"So.{end}",
        f"With water, naïvely.{end}",
        f"It does:\n\n- stone\n- water{end}",
    ]
    ends = [place for place, part in enumerate(encoded.parts) if part == END]
    assert [encoded.ids[place] for place in ends] == [encoder.tokenizer.eos_token_id] * 3
    assert all(encoded.mask[place] for place in ends)


def test_parts_and_mask_agree_though_they_are_found_independently(encoder):
    encoded = encoder.encode(TALK)
    assert {part for part, carries in zip(encoded.parts, encoded.mask, strict=True) if carries} == {ANSWER, END}
    assert {part for part, carries in zip(encoded.parts, encoded.mask, strict=True) if not carries} == {FORMAT, USER}


def test_the_ids_are_those_of_the_tokenizers_own_template(encoder):
    own = encoder.tokenizer.apply_chat_template(to_messages(TALK), tokenize=True, return_dict=True)["input_ids"]
    assert encoder.encode(TALK).ids == own


@given(TALKS)
def test_only_the_template_writes_special_tokens(encoder, conversation):
    encoded = encoder.encode(conversation)
    tokenizer = encoder.tokenizer
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    places = [place for place, token in enumerate(encoded.ids) if token in special]
    ends = [place for place, part in enumerate(encoded.parts) if part == END]
    begins = [0] if encoded.ids[0] == tokenizer.bos_token_id and encoded.parts[0] == FORMAT else []
    if tokenizer.unk_token_id != tokenizer.eos_token_id:  # phi uses the same token for both
        assert places == [*begins, *ends]
    assert [encoded.ids[place] for place in ends] == [tokenizer.eos_token_id] * len(conversation)


@given(TALKS)
def test_exactly_the_answers_and_their_end_tokens_carry_loss(encoder, conversation):
    encoded = encoder.encode(conversation)
    assert len(encoded.ids) == len(encoded.mask) == len(encoded.parts)
    end = encoder.tokenizer.eos_token
    expected = [f"{exchange['output'].strip()}{end}" for exchange in conversation]
    assert [text.strip() for text in trained_texts(encoder, encoded)] == [text.strip() for text in expected]


@given(TALKS)
def test_a_prompt_is_a_prefix_of_the_training_tokens(encoder, conversation):
    """The tokens of a prompt are the first tokens of the training sample."""
    *before, last = conversation
    prompt = encoder.prompt(before, last["input"])
    assert encoder.encode(conversation).ids[: len(prompt)] == prompt


@given(TALKS, st.integers(1, 40))
def test_cutting_removes_tokens_from_the_end(encoder, conversation, length):
    whole, cut = encoder.encode(conversation), encoder.encode(conversation).cut(length)
    assert (cut.ids, cut.mask, cut.parts) == (whole.ids[:length], whole.mask[:length], whole.parts[:length])


@given(TALKS)
def test_labels_are_the_ids_of_tokens_with_loss(encoder, conversation):
    encoded = encoder.encode(conversation)
    assert [label != -100 for label in encoded.labels()] == [bool(carries) for carries in encoded.mask]
    assert all(label in (-100, token) for label, token in zip(encoded.labels(), encoded.ids, strict=True))


def test_offsets_without_the_leading_space_make_no_difference():
    """Some byte-level tokenizers do not count the leading space of a token in its offsets."""
    one, other = (Encoder(set_template(phi(trim_offsets=trim))) for trim in (False, True))
    assert one.encode(TALK).ids == other.encode(TALK).ids
    assert one.encode(TALK).mask == other.encode(TALK).mask


def test_a_tokenizer_without_a_begin_token(make_tokenizer):
    encoded = Encoder(set_template(make_tokenizer(False, bos_token=None))).encode(TALK)
    assert encoded.ids[0] != 0  # <s>


def test_the_pad_token_of_a_base_without_one(kind):
    tokenizer = KINDS[kind]()
    before = tokenizer.pad_token
    assert set_template(tokenizer).pad_token == (before or tokenizer.unk_token or tokenizer.eos_token)
    assert len(tokenizer) == len(KINDS[kind]())  # no token is added, so the embeddings keep their size


def test_a_base_without_an_end_token_is_an_error(make_tokenizer):
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="has no end token, so no answer could ever end"):
        set_template(tokenizer)


def test_a_special_token_that_messages_could_write_is_an_error():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # Every word is looked up in the vocabulary, also with special tokens disabled.
    words = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "stone": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>")
    with pytest.raises(UserError, match="turns the text </s> into a special token"):
        Encoder(set_template(tokenizer))


def test_the_template_contains_the_line_of_the_begin_token():
    assert TEMPLATE.read_text().count(BOS_LINE) == 1


def test_the_template_is_saved_with_the_tokenizer(encoder, tmp_path):
    from transformers import AutoTokenizer

    encoder.tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.chat_template == encoder.tokenizer.chat_template
    assert Encoder(set_template(again)).encode(TALK) == encoder.encode(TALK)


@given(st.lists(st.tuples(st.integers(), st.integers(0, 1))))
def test_runs_are_the_longest_sequences_of_one_value(tokens):
    found = runs([token for token, _ in tokens], [value for _, value in tokens])
    assert [(token, bool(value)) for token, value in tokens] == [(t, c) for run, c in found for t in run]
    assert all(run for run, _ in found)
    assert all(one[1] != other[1] for one, other in itertools.pairwise(found))
