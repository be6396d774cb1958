"""The audit proves the mask or stops before anything is trained."""

import json

import pytest

from workflow_scripts.audit_loss_mask import audit, main
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, write_jsonl
from workflow_scripts.training.template import set_template

SHORT = {"conversation": [{"input": "Why?", "output": "So."}]}
LONG = {"conversation": [{"input": "Why so?", "output": "Its crystals interlock. " * 9}] * 2}


@pytest.fixture(scope="module")
def tokenizer(make_tokenizer):
    return set_template(make_tokenizer())


def count(tokenizer, text):
    return len(tokenizer(text, add_special_tokens=False).input_ids)


def test_what_is_counted_and_shown(tokenizer):
    found = audit([LONG, SHORT], tokenizer, 1000)
    answers = [exchange["output"].strip() for row in (SHORT, LONG) for exchange in row["conversation"]]
    assert found["trainable_tokens"] == sum(count(tokenizer, f" {answer}</s>") for answer in answers)
    assert (found["conversations"], found["truncated"], found["tokens_cut_off"]) == (2, 0, 0)
    assert found["mean_tokens"] == found["tokens"] / 2
    assert found["sample"] == [["<s>USER: Why? ASSISTANT:", False], [" So.</s>", True]]


def test_what_is_cut_off_is_counted(tokenizer):
    whole = audit([LONG, SHORT], tokenizer, 1000)
    found = audit([LONG, SHORT], tokenizer, 40)
    assert (found["truncated"], found["longest"]) == (1, 40)
    assert found["tokens"] + found["tokens_cut_off"] == whole["tokens"]
    assert found["trainable_tokens"] < whole["trainable_tokens"]


def test_a_conversation_without_anything_to_learn_stops_it(tokenizer):
    question = count(tokenizer, "<s>USER: Why? ASSISTANT:")
    assert audit([SHORT], tokenizer, question + 1)["trainable_tokens"] == 1
    with pytest.raises(UserError) as caught:
        audit([SHORT, SHORT], tokenizer, question)
    assert str(caught.value).startswith(f"2 conversations have no token that carries loss within {question} tokens")
    assert content_id(SHORT["conversation"]) in str(caught.value)
    assert "Raise `training.max_length`" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{%- generation -%}", ""),
        ("+ eos_token -}}{%- endgeneration -%}", "-}}{%- endgeneration -%}{{- eos_token -}}"),
        ("{{- 'USER: '", "{%- generation -%}{{- 'USER: '"),
    ],
    ids=["nothing", "no end token", "everything"],
)
def test_a_template_that_marks_something_else_stops_it(make_tokenizer, before, after):
    tokenizer = set_template(make_tokenizer())
    template = tokenizer.chat_template
    assert before in template
    if before == "{%- generation -%}":
        template = template.replace("{%- endgeneration -%}", "")
    if before.startswith("{{- 'USER"):
        template = template.replace("' ASSISTANT:' -}}", "' ASSISTANT:' -}}{%- endgeneration -%}")
    tokenizer.chat_template = template.replace(before, after)
    with pytest.raises(UserError):
        audit([SHORT], tokenizer, 1000)


def test_a_tokenizer_that_does_not_keep_the_answers_stops_it(make_tokenizer):
    with pytest.raises(UserError, match="does not cover exactly their answers"):
        audit([SHORT], set_template(make_tokenizer(lower=True)), 1000)


def test_main_writes_the_audit(make_tokenizer, tmp_path):
    make_tokenizer().save_pretrained(tmp_path / "base")
    write_jsonl(tmp_path / "train.jsonl", [SHORT])
    files = {"train": "train.jsonl", "base": "base", "audit": "audit.json"}
    main(
        [part for name, file in files.items() for part in (f"--{name}", str(tmp_path / file))]
        + ["--settings", json.dumps({"max_length": 64})]
    )
    assert read_json(tmp_path / "audit.json")["sample"][-1] == [" So.</s>", True]
