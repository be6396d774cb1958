"""Placement of models for inference: one process divides a model among all GPUs that it sees."""

import pytest

from tests.support.tiny_training import make_base
from workflow_scripts.common import pretrained
from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation.models import model_args


@pytest.fixture
def gpus(monkeypatch):
    """A function that makes torch count this number of GPUs."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    return lambda count: monkeypatch.setattr("torch.cuda.device_count", lambda: count)


def test_several_gpus_get_the_layers_of_one_model(tmp_path, gpus, monkeypatch):
    """Without real GPUs, accelerate places all layers on the CPU, in its own way; the answers are the same."""
    import torch

    base, ids = make_base(tmp_path), torch.arange(12)[None]
    expected = pretrained.load_model(base).eval()(input_ids=ids).logits
    load, maps = pretrained.load_model, []
    monkeypatch.setattr(
        pretrained, "load_model", lambda *args, **options: maps.append(options["device_map"]) or load(*args, **options)
    )
    gpus(0)
    alone = pretrained.load_for_inference(base, torch.float32)
    gpus(2)
    divided = pretrained.load_for_inference(base, torch.float32)
    assert not alone.training and not divided.training
    assert maps == ["cpu", "auto"]
    for model in (alone, divided):
        assert torch.equal(model(input_ids=ids).logits, expected)


def test_a_model_that_does_not_fit_is_explained(tmp_path, gpus, monkeypatch):
    import torch

    def full(*_, **options):
        assert options["device_map"] == "cuda"
        raise torch.OutOfMemoryError("CUDA out of memory")

    gpus(1)
    monkeypatch.setattr(pretrained, "load_model", full)
    with pytest.raises(
        UserError, match=r"does not fit into the memory of 1 GPU\. Request more in `evaluation\.resources\.gpus`"
    ):
        pretrained.load_for_inference(tmp_path, torch.float16)


@pytest.mark.parametrize(
    ("count", "world", "settings", "expected"),
    [
        (1, None, {"backend": "hf"}, {}),
        (4, None, {"backend": "hf"}, {"parallelize": True}),
        (4, None, {"backend": "vllm"}, {"tensor_parallel_size": 4}),
        (4, "4", {"backend": "hf"}, {}),  # a copy of the model on each GPU
        (4, None, {"backend": "vllm", "backend_args": {"tensor_parallel_size": 2}}, {"tensor_parallel_size": 2}),
    ],
)
def test_the_backend_uses_all_gpus_of_a_single_process(tmp_path, gpus, monkeypatch, count, world, settings, expected):
    gpus(count)
    if world:
        monkeypatch.setenv("WORLD_SIZE", world)
    arguments = model_args(tmp_path, None, {"dtype": "float16", "backend_args": {}, **settings})
    assert {
        key: value for key, value in arguments.items() if key not in ("pretrained", "dtype", "trust_remote_code")
    } == expected
