"""The merged model is the base model with its adapter, and all its weights are finite; otherwise the rule fails."""

import json

import pytest

from tests.support.tiny_training import TinyTraining
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_model, load_tokenizer
from workflow_scripts.training import merge_model, tokens
from workflow_scripts.training.template import set_template


@pytest.fixture
def tiny(tmp_path):
    """Audited tokens, and an adapter of random weights in `trained`; keyword arguments are those of LoraConfig."""

    def make(tied=False, **changes):
        import torch
        from peft import LoraConfig, get_peft_model

        tiny = TinyTraining(tmp_path, method="lora")
        tiny.audit()
        base = load_model(tmp_path / "base")
        if tied:
            base.config.tie_word_embeddings = True
            base.tie_weights()
            base.save_pretrained(tmp_path / "base")
            base = load_model(tmp_path / "base")
        torch.manual_seed(1)
        settings = {"r": 4, "lora_alpha": 64, "target_modules": "all-linear", **changes}
        get_peft_model(base, LoraConfig(init_lora_weights=False, **settings)).save_pretrained(tmp_path / "trained")
        set_template(load_tokenizer(tmp_path / "base")).save_pretrained(tmp_path / "trained")
        return tiny

    return make


def merge(tiny, method="lora", dtype="float32"):
    merge_model.main([
        "--base", tiny.path("base"), "--trained", tiny.path("trained"), "--train-tokens", tiny.path("train.parquet"),
        "--settings", json.dumps({"method": method, "dtype": dtype}), "--model", tiny.path("final"),
    ])  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_correct_merge_passes(tiny, dtype, caplog):
    caplog.set_level("INFO")
    merge(tiny(), dtype=dtype)
    assert "merge check: " in caplog.text


def test_adapted_embeddings_of_tied_weights_fail(tiny):
    """The adapter changes the embeddings only; merged, it also changes the output layer that shares their weights."""
    with pytest.raises(UserError, match=r"the merged model is not the base model with its adapter: .* nats on average"):
        merge(tiny(tied=True, target_modules=["q_proj", "embed_tokens"]))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("wrong", ["no adapter", "half of the adapter", "one layer missing"])
def test_a_wrong_merge_fails(tiny, wrong, dtype):
    import torch
    from peft import PeftModel

    folder = tiny().folder
    samples = [row["input_ids"] for row in tokens.read(folder / "train.parquet").take(4)]
    precision = getattr(torch, dtype)
    base = load_model(folder / "base", dtype=precision)
    before = {name: weight.clone() for name, weight in base.named_parameters()}
    adapted = PeftModel.from_pretrained(base, folder / "trained").eval()
    expected = merge_model.log_probabilities(adapted, samples)
    merged = adapted.merge_and_unload()
    share = {"no adapter": 0.0, "half of the adapter": 0.5, "one layer missing": 0.0}[wrong]
    with torch.no_grad():
        for name, weight in merged.named_parameters():
            if wrong != "one layer missing" or ".layers.1." in name:
                weight.copy_(before[name] + share * (weight - before[name]))
    merged.save_pretrained(folder / "wrong")
    with pytest.raises(UserError, match="the merged model is not the base model with its adapter"):
        merge_model.check_merge(expected, folder / "wrong", samples, dtype)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_an_error(tiny, value):
    import torch

    tiny = tiny()
    model = load_model(tiny.folder / "base")
    with torch.no_grad():
        model.model.norm.weight[3] = value
    model.save_pretrained(tiny.folder / "trained")
    with pytest.raises(UserError, match=r"1 tensors of the model .*not finite, the first is model\.norm\.weight"):
        merge(tiny, method="full")
    assert not (tiny.folder / "final").exists()
