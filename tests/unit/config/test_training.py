"""Mistakes in `training:` are one line each: models that fit together, GPUs that divide the batch."""

import pytest

from workflow_scripts.config.check import mistakes
from workflow_scripts.config.training import number_of_processes

FSDP = "accelerate launch --num_processes 4 --config_file profiles/accelerate/fsdp2.yaml"


@pytest.mark.parametrize(
    ("launcher", "processes"),
    [
        ("python", 1),
        (FSDP, 4),
        ("accelerate launch --num-processes=8", 8),
        ("accelerate launch --config_file profiles/accelerate/fsdp2.yaml", 1),
        ("torchrun --nproc-per-node 4 --nnodes=2", 8),
        ("/usr/bin/torchrun --nproc-per-node 8", 8),
        ("python -m torch.distributed.run --nproc_per_node=8", 8),
    ],
)
def test_processes_of_a_launcher(launcher, processes):
    assert number_of_processes(launcher) == processes


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"models": {"a": {"lerning_rate": 1}}}, "training.models.a.lerning_rate: unknown key; an entry may hold data, "),
        ({"models": {"a": {"base": {}}}}, "training.models.a.base: is the same for all models of a run. Give it in"),
        ({"models": {"a": {"epochs": 0}}}, "training.models.a.epochs: 0 is less than or equal to the minimum of 0."),
        ({"models": {"a": {"tokens_of": "b"}}}, "training.models.a.tokens_of: b is not one of `training.models`."),
        ({"models": {"base": {}}}, "training.models: 'base' does not fit the pattern"),
        ({"global_batch_size": 3}, "training.global_batch_size: 3 (capybara) is not a multiple of micro_batch_size 2 x 1 processes of"),
        (
            {"launcher": FSDP, "global_batch_size": 2, "resources": {"gpus": 4, "memory_gb": 6, "minutes": 60}},
            "training.global_batch_size: 2 (capybara) is not a multiple of micro_batch_size 2 x 4 processes of `training.launcher`.",
        ),
        ({"resources": {"gpus": 4, "memory_gb": 6, "minutes": 60}}, "training.launcher: starts one process, and"),
        (
            {"launcher": FSDP, "global_batch_size": 8, "resources": {"gpus": 2, "memory_gb": 6, "minutes": 60}},
            "training.launcher: starts 4 processes for 2 GPUs. Each takes one.",
        ),
        ({"launcher": ""}, "training.launcher: empty."),
        ({"launcher": "torchrun --nproc-per-node=gpu"}, "training.launcher: --nproc_per_node is gpu. Write the number"),
        ({"launcher": "accelerate launch --config_file no.yaml"}, "training.launcher: no such file: no.yaml."),
        ({"attention": "flash_attention_2"}, "training.attention: flash_attention_2 (capybara) computes in bfloat16 only."),
    ],
)  # fmt: skip
def test_a_mistake_names_its_key_and_the_remedy(config, change, line):
    config["training"] |= change
    found = mistakes(config, ["config.yaml"])
    assert len(found) == 1, found
    assert found[0].startswith(line)


def test_models_that_lead_back_to_each_other(config):
    config["training"]["models"] = {"a": {"tokens_of": "b"}, "b": {"tokens_of": "a"}}
    found = mistakes(config, ["config.yaml"])
    assert len(found) == 2 and all("One of them must say by itself" in line for line in found)


def test_ablations_are_one_line_each(config):
    config["training"]["models"] |= {
        "seeds-only": {"data": "first_exchange"},
        "equal-tokens": {"tokens_of": "seeds-only"},
    }
    assert mistakes(config, ["config.yaml"]) == []
