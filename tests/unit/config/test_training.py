"""Errors in `training:`, one line each: models that fit together, GPUs that divide the batch."""

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
        ({"models": {"a": {"lerning_rate": 1}}}, "training.models.a.lerning_rate: unknown key; did you mean `learning_rate`?"),
        ({"models": {"a": {"base": {}}}}, "training.models.a.base: cannot differ between the models of a run. Set it in `training`"),
        ({"models": {"a": {"epochs": 0}}}, "training.models.a.epochs: 0 must be more than 0 (passes over"),
        ({"models": {"a": {"tokens_of": "b"}}}, "training.models.a.tokens_of: b is not one of `training.models`."),
        ({"models": {"a": {"micro_batch_size": "x"}}}, "training.models.a.micro_batch_size: 'x' is a string; expected an integer"),
        ({"models": {"a": {"micro_batch_size": 0}}}, "training.models.a.micro_batch_size: 0 must be at least 1"),
        ({"models": {"base": {}}}, "training.models: 'base' is not valid: use lower-case letters"),
        ({"global_batch_size": 3}, "training.global_batch_size: 3 (capybara) is not a multiple of micro_batch_size 2 × 1 processes of"),
        (
            {"launcher": FSDP, "global_batch_size": 2, "resources": {"gpus": 4, "memory_gb": 6, "minutes": 60}},
            "training.global_batch_size: 2 (capybara) is not a multiple of micro_batch_size 2 × 4 processes of `training.launcher`.",
        ),
        ({"resources": {"gpus": 4, "memory_gb": 6, "minutes": 60}}, "training.launcher: starts 1 process for 4 GPUs (`training.resources.gpus`). Use accelerate"),
        (
            {"launcher": FSDP, "global_batch_size": 8, "resources": {"gpus": 2, "memory_gb": 6, "minutes": 60}},
            "training.launcher: starts 4 processes for 2 GPUs. Start one process per GPU.",
        ),
        ({"nodes": 2}, "training.launcher: 2 nodes need `accelerate launch --num_processes N`"),
        (
            {"nodes": 2, "launcher": f"{FSDP} --machine_rank 0", "global_batch_size": 8},
            "training.launcher: --machine_rank is set by `training.nodes`, from SLURM's variables. Delete the option.",
        ),
        (
            {"nodes": 3, "launcher": FSDP, "global_batch_size": 8},
            "training.launcher: 4 processes are not divided by 3 nodes (`training.nodes`).",
        ),
        ({"launcher": ""}, "training.launcher: empty."),
        ({"launcher": "torchrun --nproc-per-node=gpu"}, "training.launcher: --nproc_per_node is gpu. Write the number"),
        ({"launcher": "accelerate launch --config_file no.yaml"}, "training.launcher: no such file: no.yaml."),
        ({"extra": {"optimiser": "sgd"}}, "training.extra.optimiser: SFTConfig has no such field; did you mean `optim`"),
        ({"models": {"a": {"extra": {"seed": 1}}}}, "training.extra.seed: set `training.random_seed` instead."),
        ({"save_steps": None}, "training.save_steps: null (capybara), and so is `save_minutes`"),
        ({"keep_best": True}, "training.keep_best: every checkpoint must be evaluated (capybara). Set `eval_steps`"),
        ({"keep_best": True, "eval_steps": 2}, "training.keep_best: every checkpoint must be evaluated (capybara)."),
        ({"early_stopping": 2}, "training.early_stopping: the last step is not the best (capybara). Set `training.keep_best: true`."),
        ({"attention": "flash_attention_2"}, "training.attention: flash_attention_2 (capybara) computes only in bfloat16."),
    ],
)  # fmt: skip
def test_an_error_names_its_key_and_the_fix(config, change, line):
    config["training"] |= change
    (error,) = mistakes(config)
    assert error.startswith(line)


def test_models_that_refer_to_each_other(config):
    config["training"]["models"] = {"a": {"tokens_of": "b"}, "b": {"tokens_of": "a"}}
    errors = mistakes(config)
    assert len(errors) == 2 and all("Remove `tokens_of` from one of these models." in line for line in errors)


def test_ablations_have_no_error(config):
    config["training"]["models"] |= {
        "seeds-only": {"data": "first_exchange"},
        "equal-tokens": {"tokens_of": "seeds-only"},
    }
    assert mistakes(config) == []
