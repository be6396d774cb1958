"""Conversations in one row do not see each other: on every attention implementation that a CPU has."""

import pytest
from transformers import LlamaConfig, MistralConfig, PhiConfig, StableLmConfig

from tests.tiny_training import SETTINGS
from workflow_scripts.common.errors import UserError
from workflow_scripts.training import packing

SHAPE = {
    "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 2,
}  # fmt: skip


def config(kind):
    return {"llama": LlamaConfig, "mistral": MistralConfig, "phi": PhiConfig, "stablelm": StableLmConfig}[kind](**SHAPE)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "phi", "stablelm"])
def test_a_packed_token_has_the_loss_that_it_has_alone(kind, attention):
    apart, moved, joined = packing.leak(config(kind), attention, "float32")
    assert apart < 1e-4 and moved < 1e-4
    assert joined > 0.5  # and the check would notice
    packing.prove(config(kind), {**SETTINGS, "attention": attention})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "phi"])
def test_flex_attention_too(kind):
    apart, moved, joined = packing.leak(config(kind), "flex_attention", "float32")
    assert apart < 1e-4 and moved < 1e-4 < joined


def test_a_model_that_does_not_keep_them_apart_is_refused(monkeypatch):
    """A batch whose positions run on over the conversations."""
    import torch
    from trl.trainer import sft_trainer

    collate = sft_trainer.DataCollatorForLanguageModeling.torch_call

    def careless(self, rows):
        batch = collate(self, rows)
        if "position_ids" in batch:
            batch["position_ids"] = torch.arange(batch["input_ids"].shape[1])[None]
        return batch

    monkeypatch.setattr(sft_trainer.DataCollatorForLanguageModeling, "torch_call", careless)
    with pytest.raises(UserError, match="conversations in one row are not kept apart"):
        packing.prove(config("llama"), {**SETTINGS, "batching": "padding_free"})


def test_an_attention_that_the_model_does_not_have_is_refused():
    with pytest.raises(UserError, match="stablelm has no flex_attention"):
        packing.prove(config("stablelm"), {**SETTINGS, "attention": "flex_attention"})
