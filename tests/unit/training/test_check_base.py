"""A base model that cannot be trained is refused before any synthesis."""

import json
import subprocess
import sys

import pytest

from tests.support.tiny_training import SETTINGS, make_base
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_model, load_tokenizer
from workflow_scripts.common.rows import read_json, write_json
from workflow_scripts.training.check_base import main


@pytest.fixture
def base(tmp_path):
    return make_base(tmp_path)


def check(base, targets="all-linear", method="lora"):
    settings = {"method": method, "lora": {**SETTINGS["lora"], "target_modules": targets}, "extra": {}}
    main(["--base", str(base), "--settings", json.dumps(settings), "--checked", str(base.parent / "checked.json")])
    return read_json(base.parent / "checked.json")


def tie(base):
    """Save the base with one matrix for its embeddings and its output."""
    model = load_model(base)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(base)


def test_a_complete_base_passes(base):
    found = check(base)
    assert found["embedding_rows"] == found["tokens"] and found["parameters"] > 10_000
    assert check(base, method="full")["adapted_layers"] is None


@pytest.mark.parametrize(
    ("targets", "layers"),
    [(["q_proj"], 2), (["q_proj", "layers.1.mlp.up_proj"], 3), (r".*\.1\..*_proj", 7), (["lm_head"], 1)],
)
def test_targets_that_match(base, targets, layers):
    assert check(base, targets)["adapted_layers"] == layers


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["q_proj", "v_porj"], r"v_porj matches no layer; did you mean `v_proj`\?"),
        (
            ["query_key_value"],
            r"query_key_value matches no layer; known here: .*q_proj.* The model's layers: embed_tokens, q_proj",
        ),
        (["self_attn"], "self_attn matches no layer"),
        (r".*\.attention\..*", "matches no layer"),
    ],
)
def test_a_target_that_matches_nothing_is_an_error(base, targets, message):
    with pytest.raises(UserError, match=rf"`training.lora.target_modules`: .*{message}"):
        check(base, targets)
    assert not (base.parent / "checked.json").exists()


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_tied_layers_are_no_targets(base, target):
    check(base, ["q_proj", target])
    tie(base)
    check(base, ["q_proj"])
    check(base)
    with pytest.raises(UserError, match=rf"{target} shares its weights with another layer \(`tie_word_embeddings`\)"):
        check(base, ["q_proj", target])


def test_a_token_beyond_the_embeddings_is_an_error(base):
    """A token was added to the tokenizer, and the embeddings were not resized."""
    tokenizer = load_tokenizer(base)
    rows = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(base)
    with pytest.raises(
        UserError, match=rf"has 1 tokens beyond the {rows} rows of the embedding matrix: \[PAD\] \({rows}\)"
    ):
        check(base)


def test_a_missing_tokenizer_is_an_error(base):
    for path in base.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(UserError, match="no tokenizer"):
        check(base)


def test_missing_and_damaged_weights_are_errors(base):
    load_model(base).save_pretrained(base, max_shard_size="60KB")
    (base / "model.safetensors").unlink()
    assert check(base)
    last = sorted(base.glob("model-*.safetensors"))[-1]
    data = last.read_bytes()
    last.write_bytes(data[:-10])
    with pytest.raises(UserError, match=rf"{last.name}: damaged"):
        check(base)
    last.unlink()
    with pytest.raises(UserError, match=rf"1 of \d+ files of weights are missing, the first is {last.name}"):
        check(base)


def test_code_of_a_model_never_runs_and_no_question_is_asked(base, tmp_path):
    mark = tmp_path / "ran"
    (base / "configuration_x.py").write_text(
        f"open({str(mark)!r}, 'w')\nfrom transformers import LlamaConfig as XConfig\n"
    )
    own = {"auto_map": {"AutoConfig": "configuration_x.XConfig"}, "model_type": "xmodel"}
    write_json(base / "config.json", read_json(base / "config.json") | own)
    command = [sys.executable, "-m", "workflow_scripts.training.check_base", "--base", str(base), "--checked", str(tmp_path / "c"),
        "--settings", json.dumps(SETTINGS)]  # fmt: skip
    done = subprocess.run(command, input="y\ny\n", capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "", "nothing is asked"
    assert done.stderr.splitlines()[-1].startswith(f"error: {base}: the model needs code from its repository")
    assert not mark.exists()
