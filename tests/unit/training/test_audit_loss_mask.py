"""The audit verifies the loss mask, or stops before training."""

import json

import pytest
from tokenizers import normalizers

from tests.support.small_tokenizers import KINDS
from tests.support.tiny_training import SETTINGS, TinyTraining, conversations
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, write_jsonl
from workflow_scripts.training import tokens
from workflow_scripts.training.audit import check_chat_template, check_loss_mask, measure
from workflow_scripts.training.audit_loss_mask import limit_tokens
from workflow_scripts.training.template import Encoder, set_template
from workflow_scripts.training.truncation import truncate

SHORT = [{"input": "Why?", "output": "So."}]
LONG = [{"input": "Why so?", "output": "Its crystals interlock. " * 9}] * 2


@pytest.fixture(scope="module")
def encoder():
    return Encoder(set_template(KINDS["llama-2"]()))


def truncated(encoder, talks, max_length=1000, overflow="split"):
    return {f"talk-{at}": truncate(encoder, talk, max_length, overflow) for at, talk in enumerate(talks)}


def test_the_counts_of_an_audit(encoder):
    found = measure(truncated(encoder, [LONG, SHORT]), encoder, SETTINGS)
    answers = [exchange["output"].strip() for exchange in [*LONG, *SHORT]]
    expected = sum(len(encoder.tokenizer(answer, add_special_tokens=False).input_ids) + 1 for answer in answers)
    assert found["trainable_tokens"] == expected
    assert (found["conversations"], found["samples"], found["truncated"], found["tokens_cut_off"]) == (2, 2, 0, 0)
    roles = found["roles"]
    assert sum(role["tokens"] for role in roles.values()) == found["tokens"]
    assert roles["answer"]["with_loss"] + roles["end"]["with_loss"] == found["trainable_tokens"]
    assert roles["user"]["with_loss"] == roles["format"]["with_loss"] == 0
    assert roles["end"]["tokens"] == 3


def test_the_example_sample_is_split_into_segments(encoder):
    found = measure(truncated(encoder, [SHORT]), encoder, SETTINGS)
    assert [(piece["text"], piece["part"], piece["loss"]) for piece in found["sample"]] == [
        ("<s> USER:", "format", False), (" Why?", "user", False), (" ASSISTANT:", "format", False),
        (" So.", "answer", True), ("</s>", "end", True),
    ]  # fmt: skip


def test_tokens_that_are_cut_are_counted(encoder):
    whole = measure(truncated(encoder, [LONG, SHORT]), encoder, SETTINGS)
    cut = measure(truncated(encoder, [LONG, SHORT], 40, "cut"), encoder, SETTINGS)
    assert (cut["truncated"], cut["longest"]) == (1, 40)
    assert cut["longest_conversation"] == whole["longest"]
    assert cut["tokens"] + cut["tokens_cut_off"] == whole["tokens"]
    assert cut["trainable_tokens"] + cut["answer_tokens_cut_off"] == whole["trainable_tokens"]


def test_split_and_dropped_conversations_are_counted(encoder):
    length = len(encoder.encode(LONG[:1]).ids)
    split = measure(truncated(encoder, [LONG, SHORT], length, "split"), encoder, SETTINGS)
    assert (split["split"], split["samples"], split["truncated"], split["dropped"]) == (1, 3, 0, [])
    dropped = measure(truncated(encoder, [LONG, SHORT], length, "drop"), encoder, SETTINGS)
    assert (dropped["dropped"], dropped["samples"]) == (["talk-0"], 1)


def test_a_conversation_without_loss_is_an_error(encoder):
    question = encoder.encode(SHORT).mask.index(1)
    check_loss_mask(truncated(encoder, [SHORT], question + 1, "cut"), encoder)
    with pytest.raises(UserError) as caught:
        check_loss_mask(truncated(encoder, [SHORT, SHORT], question, "cut"), encoder)
    assert str(caught.value).startswith("2 conversations have a sample in which no token carries loss: talk-0, talk-1.")
    assert str(caught.value).endswith("Nothing was trained.")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("+ eos_token -}}{%- endgeneration -%}", "-}}{%- endgeneration -%}{{- eos_token -}}"),
        ("{{- 'USER: '", "{%- generation -%}{{- 'USER: '"),
    ],
    ids=["no end token", "everything"],
)
def test_a_template_with_other_generation_marks_is_an_error(before, after):
    encoder = Encoder(set_template(KINDS["llama-2"]()))
    template = encoder.template
    assert before in template
    if before.startswith("{{- 'USER"):
        template = template.replace("' ASSISTANT:' -}}", "' ASSISTANT:' -}}{%- endgeneration -%}")
    encoder.template = template.replace(before, after)
    with pytest.raises(UserError, match="does not cover exactly their answers"):
        check_loss_mask(truncated(encoder, [SHORT]), encoder)


def test_a_template_without_generation_marks_is_an_error():
    encoder = Encoder(set_template(KINDS["llama-2"]()))
    encoder.template = encoder.tokenizer.chat_template
    with pytest.raises(UserError, match="no token carries loss"):
        check_loss_mask(truncated(encoder, [SHORT]), encoder)


def test_a_tokenizer_that_changes_the_answers_is_an_error(make_tokenizer):
    encoder = Encoder(set_template(make_tokenizer(lower=True)))
    with pytest.raises(UserError, match="does not cover exactly their answers"):
        check_loss_mask(truncated(encoder, [SHORT]), encoder)


ODD = "Its width is 5 \u212b or 5 A\u030a; the ﬁrst of ½, naïve and nai\u0308ve."


@pytest.mark.parametrize("kind", ["smollm2", "llama-2"])
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_tokenizer_that_normalises_unicode_passes(kind, form, nested):
    """As Qwen's, whose normaliser is NFC."""
    tokenizer = KINDS[kind]()
    parts = [getattr(normalizers, form)(), tokenizer.backend_tokenizer.normalizer]
    tokenizer.backend_tokenizer.normalizer = (
        normalizers.Sequence([part for part in parts if part]) if nested else parts[0]
    )
    encoder = Encoder(set_template(tokenizer))
    talks = truncated(encoder, [[{"input": ODD, "output": ODD}, {"input": ODD, "output": ODD}]])
    check_loss_mask(talks, encoder)
    check_chat_template(talks, encoder)
    (sample,) = talks["talk-0"].samples
    sample.mask[sample.mask.index(1)] = 0
    with pytest.raises(UserError, match="does not cover exactly their answers"):
        check_loss_mask(talks, encoder)


def test_a_template_that_a_server_tokenises_differently_is_an_error(encoder):
    other = set_template(KINDS["llama-2"]())
    talks = truncated(encoder, [SHORT])
    check_chat_template(talks, Encoder(other))
    other.chat_template = other.chat_template.replace("USER: ", "USER:  ")
    with pytest.raises(UserError, match="give other tokens with the tokenizer's own chat template"):
        check_chat_template(talks, Encoder(other))


def test_limit_tokens_keeps_whole_conversations_with_about_the_target_number(encoder):
    talks = truncated(encoder, [row["conversation"] for row in conversations(60)])
    sizes = {name: sum(sum(sample.mask) for sample in entry.samples) for name, entry in talks.items()}
    target = sum(sizes.values()) // 3
    kept = limit_tokens(talks, target, 0)
    assert abs(sum(sizes[name] for name in kept) - target) <= max(sizes.values()) / 2
    assert list(kept) == [name for name in talks if name in kept]
    assert kept != limit_tokens(talks, target, 1)
    with pytest.raises(UserError, match="Set it to a model with fewer"):
        limit_tokens(talks, 2 * sum(sizes.values()), 0)
    with pytest.raises(UserError, match="more than twice the 1 tokens that `tokens_of` requires"):
        limit_tokens(talks, 1, 0)


def test_main_writes_the_audited_tokens(tmp_path):
    tiny = TinyTraining(tmp_path, kind="phi", max_length=60)
    audit = tiny.audit()
    table = tokens.read(tmp_path / "train.parquet")
    assert audit["samples"] == len(table) and audit["split"] > 0
    assert audit["longest"] == max(map(len, table["input_ids"])) <= 60
    assert tokens.fingerprint(zip(table["input_ids"], table["labels"], strict=True)) == audit["fingerprint"]


def test_a_failed_check_names_the_conversations_and_writes_nothing(tmp_path):
    tiny = TinyTraining(tmp_path, overflow="cut", max_length=16)
    write_jsonl(
        tmp_path / "train.jsonl", [{"id": "too-long", "conversation": [{"input": "stone " * 40, "output": "So."}]}]
    )
    with pytest.raises(UserError, match=r"1 conversations .* no token carries loss: too-long"):
        tiny.audit()
    assert not (tmp_path / "audit.json").exists() and not (tmp_path / "train.parquet").exists()


def test_data_of_which_nothing_is_left_are_an_error(encoder):
    with pytest.raises(UserError, match=r"none of 1 conversations fits into `training\.max_length`"):
        check_loss_mask(truncated(encoder, [LONG], 20, "drop"), encoder)


def test_a_length_beyond_the_context_of_the_base_is_an_error(tmp_path):
    with pytest.raises(
        UserError, match=r"`training.max_length` 4096 is more than the base model's context of 512 tokens"
    ):
        TinyTraining(tmp_path, max_length=4096).audit()


def test_tokens_of_limits_the_tokens_to_those_of_another_model(tmp_path):
    tiny = TinyTraining(tmp_path)
    whole = tiny.audit()["trainable_tokens"]
    (tmp_path / "other.json").write_text(json.dumps({"trainable_tokens": whole // 2}))
    half = tiny.audit(tokens_of=str(tmp_path / "other.json"))
    assert 0.8 * whole / 2 < half["trainable_tokens"] < 1.2 * whole / 2
    assert read_json(tmp_path / "audit.json") == half


def test_a_run_without_held_out_conversations(tmp_path):
    tiny = TinyTraining(tmp_path)
    write_jsonl(tmp_path / "test.jsonl", [])
    tiny.audit()
    assert len(tokens.read(tmp_path / "test.parquet")) == 0
