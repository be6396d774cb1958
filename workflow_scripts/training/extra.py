"""`training.extra` and `training.lora.extra`: fields of trl's SFTConfig and peft's LoraConfig that have no key of their own."""

import dataclasses
import importlib.util
from collections.abc import Iterator
from typing import Any

from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Row

BATCHES = "the effective batch size is `global_batch_size` on any number of processes"
TOKENS = "tokens and labels come from the loss mask audit"
RESUMED = "checkpoints are written so that a resumed training has the same curve"
OUTPUT = "the workflow logs and stores results itself"
HELD_OUT = "losses are compared in nats per token"
CHANGES_BASE = "it changes the base model, so that the adapter would be merged into other weights"
# Fields that the workflow sets, by the key to set instead or by the reason.
SFT_FIELDS = {
    "`training.epochs`": ["num_train_epochs", "max_steps"],
    "`training.micro_batch_size`": ["per_device_train_batch_size", "per_device_eval_batch_size"],
    "`training.global_batch_size`": ["gradient_accumulation_steps"],
    "`training.learning_rate`": ["learning_rate"],
    "`training.lr_scheduler`": ["lr_scheduler_type"],
    "`training.warmup_ratio`": ["warmup_steps"],
    "`training.weight_decay`": ["weight_decay"],
    "`training.max_length`": ["max_length"],
    "`training.overflow`": ["truncation_mode"],
    "`training.batching`": ["packing", "packing_strategy", "padding_free", "eval_packing"],
    "`training.activation_checkpointing`": [
        "activation_checkpointing", "activation_checkpointing_kwargs", "gradient_checkpointing", "gradient_checkpointing_kwargs",
    ],
    "`training.liger`": ["use_liger_kernel"],
    "`training.dtype`": ["bf16", "fp16", "bf16_full_eval", "fp16_full_eval"],
    "`training.eval_steps`": ["eval_strategy", "eval_steps", "eval_delay", "eval_on_start"],
    "`training.keep_best`": ["load_best_model_at_end", "metric_for_best_model", "greater_is_better"],
    "`training.save_steps`": ["save_strategy", "save_steps", "save_total_limit"],
    "`training.random_seed`": ["seed", "data_seed"],
    "`training.base`": ["model_init_kwargs", "trust_remote_code"],
    "`training.launcher`": ["fsdp", "fsdp_config", "deepspeed", "parallelism_config", "local_rank", "use_cpu", "accelerator_config"],
    BATCHES: ["auto_find_batch_size", "average_tokens_across_devices", "train_sampling_strategy", "length_column_name", "dataloader_drop_last"],
    TOKENS: [
        "dataset_kwargs", "dataset_num_proc", "dataset_text_field", "chat_template_path", "eos_token", "pad_token", "pad_to_multiple_of",
        "completion_only_loss", "assistant_only_loss", "remove_unused_columns", "label_names", "shuffle_dataset",
    ],
    RESUMED: [
        "save_only_model", "save_on_each_node", "enable_jit_checkpoint", "resume_from_checkpoint", "ignore_data_skip",
        "restore_callback_states_from_checkpoint",
    ],
    HELD_OUT: [
        "loss_type", "prediction_loss_only", "include_for_metrics", "batch_eval_metrics", "eval_do_concat_batches",
        "eval_use_gather_object", "eval_accumulation_steps",
    ],
    OUTPUT: [
        "output_dir", "logging_strategy", "logging_steps", "logging_first_step", "logging_nan_inf_filter", "disable_tqdm",
        "report_to", "run_name", "project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id", "push_to_hub",
        "hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push", "hub_revision", "do_train", "do_eval",
        "do_predict",
    ],
}  # fmt: skip
LORA_FIELDS = {
    "`training.lora.r`": ["r"],
    "`training.lora.alpha`": ["lora_alpha"],
    "`training.lora.dropout`": ["lora_dropout"],
    "`training.lora.target_modules`": ["target_modules", "target_parameters"],
    "the workflow sets it": [
        "task_type", "peft_type", "peft_version", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode",
    ],
    CHANGES_BASE: [
        "init_lora_weights", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "layer_replication",
    ],
}  # fmt: skip


def fields(package: str, name: str) -> set[str]:
    """The names of the fields of a dataclass of an installed package; empty where the package is not installed."""
    if importlib.util.find_spec(package) is None:  # snakemake may run without the environment of the training
        return set()
    kind: Any = getattr(importlib.import_module(package), name)
    return {field.name for field in dataclasses.fields(kind)}


def extra_mistakes(settings: Row, where: str = "training") -> Iterator[str]:
    """One line for each entry that is unknown or that the workflow sets itself. `settings` is one model's `training`.

    The libraries, which take seconds to import, are imported only if there is an entry.
    """
    yield from _mistakes(settings["extra"], f"{where}.extra", SFT_FIELDS, "trl", "SFTConfig")
    yield from _mistakes(settings["lora"]["extra"], f"{where}.lora.extra", LORA_FIELDS, "peft", "LoraConfig")


def _mistakes(extra: Row, where: str, managed: dict[str, list[str]], package: str, kind: str) -> Iterator[str]:
    reasons = {name: reason for reason, names in managed.items() for name in names}
    known = fields(package, kind) if extra else set()
    for name in extra:
        if reason := reasons.get(name):
            yield f"{where}.{name}: " + (f"set {reason} instead." if reason[0] == "`" else f"not allowed: {reason}.")
        elif known and name not in known:
            yield f"{where}.{name}: {kind} has no such field; {suggest(name, sorted(known - set(reasons)), 2)}"
