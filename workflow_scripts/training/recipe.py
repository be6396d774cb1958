"""`training:` of the config as what trl, peft and transformers take."""

import importlib.util
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

# Setting, its value: package that it needs, how to get it.
OPTIONAL = {
    ("method", "qlora"): ("bitsandbytes", "pip install bitsandbytes==0.50.2; it wants an NVIDIA GPU"),
    ("attention", "flash_attention_2"): (
        "flash_attn",
        "pip install flash-attn==2.8.3.post2 --no-build-isolation, on a machine with CUDA",
    ),
    ("liger", True): ("liger_kernel", "pip install liger-kernel==0.8.5, on a machine with Triton, that is with a GPU"),
}


def check_installed(settings: Row) -> None:
    """UserError for a setting whose package is not there."""
    for (key, value), (package, advice) in OPTIONAL.items():
        if settings[key] == value and importlib.util.find_spec(package) is None:
            raise UserError(
                f"`training.{key}: {str(value).lower()}` needs the package {package}, which is not installed ({advice}). "
                f"Install it into the environment of the training rules, or set another `training.{key}`."
            )


def accumulation_steps(global_batch_size: int, micro_batch_size: int, processes: int) -> int:
    """Gradient accumulation that makes the global batch what the config says on any number of processes."""
    at_once = micro_batch_size * processes
    if global_batch_size % at_once:
        raise UserError(
            f"`training.global_batch_size` {global_batch_size} is not a multiple of `training.micro_batch_size` {micro_batch_size} x {processes} processes. "
            "Change one of them: the batch never silently follows the number of GPUs."
        )
    return global_batch_size // at_once


def load_model(base: Path, settings: Row) -> Any:
    """The base model, in the number format its method trains in.

    All weights trained: in float32, whatever `dtype` computes in. An AdamW step of 2e-5 is below half of bfloat16's
    spacing for most weights, so bfloat16 weights would round it away. An adapter: the base in `dtype`, which only reads
    it, and the adapter itself in float32 (peft). QLoRA: the base in NF4 with double quantisation (Dettmers et al. 2023).
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, settings["dtype"])
    options: Row = {"dtype": torch.float32 if settings["method"] == "full" else dtype}
    if settings["method"] == "qlora":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_quant_storage=dtype,  # one format for all, or FSDP cannot shard it
        )
    return AutoModelForCausalLM.from_pretrained(base, attn_implementation=settings["attention"], **options)


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
    )


def sft_config(settings: Row, output: Path, processes: int, evaluate: bool, fresh: bool) -> Any:
    """TRL's SFTConfig on so many processes, for rows that are prepared already; `fresh`: not resumed."""
    import torch
    from trl import SFTConfig

    accumulation = accumulation_steps(settings["global_batch_size"], settings["micro_batch_size"], processes)
    cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(output),
        num_train_epochs=settings["epochs"],
        per_device_train_batch_size=settings["micro_batch_size"],
        per_device_eval_batch_size=settings["micro_batch_size"],
        gradient_accumulation_steps=accumulation,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["lr_scheduler"],
        warmup_steps=settings["warmup_ratio"],  # a share of all steps, as it is below 1
        weight_decay=settings["weight_decay"],
        max_length=None,  # the audit has brought every sample under `training.max_length`
        dataset_kwargs={"skip_prepare_dataset": True},  # tokens and labels are the audit's
        packing=False,  # packed rows are packed beforehand, with the same function
        padding_free=settings["batching"] != "padded",
        activation_checkpointing=settings["activation_checkpointing"],
        use_liger_kernel=settings["liger"],
        bf16=settings["dtype"] == "bfloat16",
        fp16=False,
        use_cpu=not cuda,
        ddp_find_unused_parameters=False,  # every weight that is trained is used
        eval_strategy="epoch" if evaluate else "no",
        eval_on_start=evaluate and fresh,  # a resumed run measured it when it began
        logging_steps=1,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=settings["save_steps"],
        save_total_limit=2,
        seed=settings["random_seed"],
        data_seed=settings["random_seed"],
        report_to="none",
        disable_tqdm=True,  # its place is taken by `report_steps`
        dataloader_pin_memory=cuda,
    )
