"""Conversations in a row do not attend to each other, with every attention implementation for CPUs."""

import pytest
from transformers import LlamaConfig, MistralConfig, PhiConfig, StableLmConfig

from tests.support.tiny_training import SETTINGS
from workflow_scripts.common.errors import UserError
from workflow_scripts.training import packing

SHAPE = {
    "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 2,
}  # fmt: skip


def config(kind):
    return {"llama": LlamaConfig, "mistral": MistralConfig, "phi": PhiConfig, "stablelm": StableLmConfig}[kind](**SHAPE)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "phi", "stablelm"])
def test_a_packed_token_has_the_same_loss_as_alone(kind, attention):
    alone, changed, joined = packing.measure_leakage(config(kind), attention, "float32")
    assert alone < 1e-4 and changed < 1e-4
    assert joined > 0.5  # the control: the check would notice
    packing.check_isolation(config(kind), {**SETTINGS, "attention": attention})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "phi"])
def test_flex_attention_isolates_conversations(kind):
    alone, changed, joined = packing.measure_leakage(config(kind), "flex_attention", "float32")
    assert alone < 1e-4 and changed < 1e-4 < joined


def test_a_model_that_does_not_isolate_conversations_is_an_error(monkeypatch):
    """A collator whose positions do not restart at each conversation."""
    import torch
    from trl.trainer import sft_trainer

    collate = sft_trainer.DataCollatorForLanguageModeling.torch_call

    def without_restart(self, rows):
        batch = collate(self, rows)
        if "position_ids" in batch:
            batch["position_ids"] = torch.arange(batch["input_ids"].shape[1])[None]
        return batch

    monkeypatch.setattr(sft_trainer.DataCollatorForLanguageModeling, "torch_call", without_restart)
    with pytest.raises(UserError, match="conversations in a row are not isolated"):
        packing.check_isolation(config("llama"), {**SETTINGS, "batching": "padding_free"})


def test_an_attention_that_the_model_does_not_have_is_an_error():
    with pytest.raises(UserError, match="stablelm has no flex_attention"):
        packing.check_isolation(config("stablelm"), {**SETTINGS, "attention": "flex_attention"})
