"""The global batch size does not depend on the number of processes; missing packages are reported."""

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tiny_training import SETTINGS, make_base
from workflow_scripts.common import pretrained
from workflow_scripts.common.errors import UserError
from workflow_scripts.training.recipe import accumulation_steps, check_installed, load_model, unread_model


@given(st.integers(1, 64), st.integers(1, 16), st.integers(1, 64))
def test_the_global_batch_size_does_not_depend_on_the_number_of_processes(micro_batch_size, processes, steps):
    assert accumulation_steps(micro_batch_size * processes * steps, micro_batch_size, processes) == steps


@pytest.mark.parametrize(("batch", "micro", "processes"), [(4, 3, 1), (4, 2, 4), (2, 4, 1), (64, 2, 3)])
def test_a_batch_size_that_is_not_divisible_is_an_error(batch, micro, processes):
    with pytest.raises(UserError) as caught:
        accumulation_steps(batch, micro, processes)
    assert f"`training.global_batch_size` {batch}" in str(caught.value)
    assert f"`training.micro_batch_size` {micro} x {processes} processes" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "package"),
    [
        ({"method": "qlora"}, "bitsandbytes"),
        ({"attention": "flash_attention_2"}, "flash_attn"),
        ({"liger": True}, "liger_kernel"),
    ],
)
def test_a_missing_package_is_reported(change, package):
    check_installed(SETTINGS)
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(UserError, match=f"needs the package {package}, which is not installed"):
        check_installed({**SETTINGS, **change})


@pytest.mark.parametrize(
    ("fsdp", "rank", "method", "read"),
    [
        ("true", "1", "full", False),
        ("true", "1", "lora", False),
        ("true", "0", "full", True),
        ("false", "1", "full", True),
    ],
)
def test_with_fsdp_only_the_first_process_reads_the_weights(tmp_path, monkeypatch, fsdp, rank, method, read):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", fsdp)
    monkeypatch.setenv("RANK", rank)
    base = make_base(tmp_path)
    model = load_model(base, {**SETTINGS, "method": method, "dtype": "bfloat16"})
    saved = pretrained.load_model(base)
    same = [bool((one == other).all()) for one, other in zip(model.parameters(), saved.parameters(), strict=True)]
    assert all(same) if read and method == "full" else not all(same)
    assert {str(weight.dtype) for weight in model.parameters()} == {
        "torch.float32" if method == "full" else "torch.bfloat16"
    }
    assert len({weight.data_ptr() for weight in model.parameters()}) == len(same), "accelerate compares addresses"
    for one, other in zip(model.buffers(), saved.buffers(), strict=True):
        assert one.equal(other), "accelerate sends no unsaved buffers"
    assert model.config._attn_implementation == "sdpa"


def test_tied_weights_stay_tied():
    from transformers import LlamaConfig

    config = LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    model = unread_model(config)
    assert model.lm_head.weight is model.model.embed_tokens.weight
