"""The `training` settings as arguments of trl, peft and transformers."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from workflow_scripts.common import pretrained
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

# (setting, value): required package, installation.
OPTIONAL = {
    ("method", "qlora"): ("bitsandbytes", "pip install bitsandbytes==0.50.2; it needs an NVIDIA GPU"),
    ("attention", "flash_attention_2"): (
        "flash_attn",
        "pip install flash-attn==2.8.3.post2 --no-build-isolation, on a machine with CUDA",
    ),
    ("liger", True): ("liger_kernel", "pip install liger-kernel==0.8.5, on a machine with a GPU"),
}


def check_installed(settings: Row) -> None:
    """UserError for a setting whose package is not installed."""
    for (key, value), (package, advice) in OPTIONAL.items():
        if settings[key] == value and importlib.util.find_spec(package) is None:
            raise UserError(
                f"`training.{key}: {str(value).lower()}` needs the package {package}, which is not installed ({advice}). "
                f"Install it into the environment of the training rules, or set another `training.{key}`."
            )


def accumulation_steps(global_batch_size: int, micro_batch_size: int, processes: int) -> int:
    """Gradient accumulation steps that give the global batch size. UserError if it is not divisible."""
    concurrent = micro_batch_size * processes
    if global_batch_size % concurrent:
        raise UserError(
            f"`training.global_batch_size` {global_batch_size} is not a multiple of `training.micro_batch_size` {micro_batch_size} x "
            f"{processes} processes. Change one of them: the effective batch size never depends on the number of GPUs."
        )
    return global_batch_size // concurrent


def load_model(base: Path, settings: Row) -> Any:
    """The base model, in the number format of the training method.

    Full fine-tuning: float32 weights, whatever `dtype` is used to compute. For most weights an AdamW step of 2e-5 is below
    half of bfloat16's spacing and would be rounded away. LoRA: the frozen base in `dtype`, the adapter in float32 (peft).
    QLoRA: the base in NF4 with double quantisation (Dettmers et al. 2023).

    With FSDP only the first process reads the weights, and accelerate sends each of the others its shards
    (`unread_model`): transformers 5 reads them in every process (huggingface/transformers issue 43749).
    """
    import torch
    from transformers import BitsAndBytesConfig

    dtype = getattr(torch, settings["dtype"])
    options: Row = {"dtype": torch.float32 if settings["method"] == "full" else dtype}
    if settings["method"] == "qlora":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_quant_storage=dtype,  # FSDP shards tensors of one format only
        )
    elif uses_fsdp() and int(os.environ.get("RANK", "0")):
        return unread_model(pretrained.load_config(base), attn_implementation=settings["attention"], **options)
    return pretrained.load_model(base, attn_implementation=settings["attention"], **options)


def unread_model(config: Any, **options: Any) -> Any:
    """A model whose weights have addresses, by which accelerate tells them apart, but use no memory until they are written.

    Buffers that are not saved, such as those of rotary embeddings, are computed.
    """
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM

    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False, **options)
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, torch.nn.Parameter(torch.empty_like(weight, device="cpu"), weight.requires_grad))
    model.tie_weights()
    return model


def adapter(settings: Row) -> Any:
    """peft's LoraConfig, or None if all weights are trained."""
    from peft import LoraConfig

    if settings["method"] == "full":
        return None
    lora = settings["lora"]
    return LoraConfig(
        r=lora["r"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=lora["target_modules"],
        task_type="CAUSAL_LM",
        **lora["extra"],
    )


def set_precision(accelerator: Any, settings: Row) -> None:
    """Compute in `training.dtype`; FSDP adds gradients and returns losses in float32. UserError for another precision.

    By itself, accelerate also reduces gradients and returns the loss in bfloat16, which has three significant digits.
    """
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy

    expected = "bf16" if settings["dtype"] == "bfloat16" else "no"
    if accelerator.mixed_precision != expected:
        raise UserError(
            f"the launcher computes with mixed precision {accelerator.mixed_precision}, and `training.dtype` is {settings['dtype']}. "
            f"Delete `mixed_precision` from the configuration file and the options of accelerate, or set it to {expected}."
        )
    if (plugin := getattr(accelerator.state, "fsdp_plugin", None)) is not None:
        plugin.mixed_precision_policy = MixedPrecisionPolicy(
            param_dtype=getattr(torch, settings["dtype"]), reduce_dtype=torch.float32, output_dtype=torch.float32
        )


def checkpoint_activations(accelerator: Any, settings: Row) -> None:
    """Let FSDP recompute activations itself: the model's own checkpointing would gather each layer's weights once more."""
    if (plugin := getattr(accelerator.state, "fsdp_plugin", None)) is not None:
        plugin.activation_checkpointing = settings["activation_checkpointing"]


def uses_fsdp() -> bool:
    """Whether the launcher shards the model; `accelerate launch` sets the variable."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def check_extra(settings: Row) -> None:
    """UserError for a value of `training.extra` or `training.lora.extra` that trl or peft rejects."""
    from trl import SFTConfig

    try:
        SFTConfig(output_dir="unused", use_cpu=True, bf16=False, **settings["extra"])
    except (TypeError, ValueError) as error:
        raise UserError(
            f"`training.extra`: trl rejects it: {' '.join(str(error).split())}. Correct the value."
        ) from error
    try:
        adapter(settings)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"`training.lora.extra`: peft rejects it: {' '.join(str(error).split())}. Correct the value."
        ) from error


def sft_config(settings: Row, output: Path, processes: int, evaluate: bool) -> Any:
    """TRL's SFTConfig for tokenised rows and this number of processes."""
    import torch
    from trl import SFTConfig

    accumulation = accumulation_steps(settings["global_batch_size"], settings["micro_batch_size"], processes)
    cuda = torch.cuda.is_available()
    fsdp = uses_fsdp()
    return SFTConfig(
        output_dir=str(output),
        num_train_epochs=settings["epochs"],
        per_device_train_batch_size=settings["micro_batch_size"],
        per_device_eval_batch_size=settings["micro_batch_size"],
        gradient_accumulation_steps=accumulation,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["lr_scheduler"],
        warmup_steps=settings["warmup_ratio"],  # below 1: a share of all steps
        weight_decay=settings["weight_decay"],
        max_length=None,  # the audit limits every sample to `training.max_length`
        dataset_kwargs={"skip_prepare_dataset": True},  # tokens and labels come from the audit
        packing=False,  # rows are packed beforehand, with the same function
        padding_free=settings["batching"] != "padded",
        activation_checkpointing=settings["activation_checkpointing"] and not fsdp,  # `checkpoint_activations`
        use_liger_kernel=settings["liger"],
        bf16=settings["dtype"] == "bfloat16",
        fp16=False,
        use_cpu=not cuda,
        ddp_find_unused_parameters=False,  # every trained weight is used
        eval_strategy=("steps" if settings["eval_steps"] else "epoch") if evaluate else "no",
        eval_steps=settings["eval_steps"],
        eval_on_start=evaluate,
        load_best_model_at_end=settings["keep_best"],
        metric_for_best_model="eval_loss" if settings["keep_best"] else None,
        restore_callback_states_from_checkpoint=settings["early_stopping"] is not None,
        logging_steps=1,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would replace a loss that is not finite by the mean of earlier losses
        save_strategy="steps" if settings["save_steps"] else "no",  # and by time, see `checkpoints.save_by_time`
        save_steps=settings["save_steps"] or 500,
        save_total_limit=2,
        seed=settings["random_seed"],
        data_seed=settings["random_seed"],
        report_to="none",
        disable_tqdm=True,  # replaced by `report_steps`
        dataloader_pin_memory=cuda,
        # FSDP adds the gradients of micro-batches in float32 shards. Unsharded, they need the memory of all gradients, and
        # torch 2.13 fails for layers that an adapter leaves frozen.
        accelerator_config={"gradient_accumulation_kwargs": {"sync_each_batch": fsdp}},
        **settings["extra"],
    )
