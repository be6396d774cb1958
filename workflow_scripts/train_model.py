"""Supervised fine-tuning with TRL: loss on the answers only, resumed from the last checkpoint after a crash."""

import argparse
import json
import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import Row, content_id, file_sha256, read_json, read_jsonl, write_jsonl
from workflow_scripts.training.template import TEMPLATE, set_template


def accumulation_steps(global_batch: int, micro_batch: int, processes: int) -> int:
    """Gradient accumulation that makes the global batch what the config says on any number of processes."""
    at_once = micro_batch * processes
    if global_batch % at_once:
        raise UserError(
            f"`training.global_batch` {global_batch} is not a multiple of `training.micro_batch` {micro_batch} x {processes} processes. "
            "Change one of them: the batch never silently follows the number of GPUs."
        )
    return global_batch // at_once


def sft_config(settings: Row, output: Path, steps_an_epoch: int, accumulation: int) -> Any:
    """`training:` of the config as TRL's SFTConfig; warm-up and checkpoints are counted in optimiser steps."""
    import torch
    from trl import SFTConfig

    steps = math.ceil(steps_an_epoch * settings["epochs"])
    return SFTConfig(
        output_dir=str(output),
        num_train_epochs=settings["epochs"],
        per_device_train_batch_size=settings["micro_batch"],
        per_device_eval_batch_size=settings["micro_batch"],
        gradient_accumulation_steps=accumulation,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["schedule"],
        warmup_steps=math.ceil(steps * settings["warmup_ratio"]),
        weight_decay=settings["weight_decay"],
        max_length=settings["max_length"],
        activation_checkpointing=settings["activation_checkpointing"],
        bf16=settings["dtype"] == "bfloat16",
        fp16=False,
        assistant_only_loss=True,
        packing=False,
        eval_strategy="epoch",
        eval_on_start=True,
        logging_steps=1,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=settings["save_steps"],
        save_total_limit=2,
        seed=settings["random_seed"],
        data_seed=settings["random_seed"],
        report_to="none",
        disable_tqdm=True,  # its place is taken by `report_steps`
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def drop_unfinished(state: Path) -> None:
    """Remove checkpoints whose writing was interrupted: the trainer writes trainer_state.json last."""
    for folder in state.glob("checkpoint-*"):
        if not (folder / "trainer_state.json").is_file():
            shutil.rmtree(folder)


def report_steps() -> Any:
    """A trainer callback that prints a line of progress: steps, loss, learning rate, tokens a second, time left."""
    from transformers import PrinterCallback, TrainerCallback

    class ReportSteps(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = progress(state.max_steps, "training", "step")
            self.bar.update(state.global_step)
            self.bar.unpause()

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "loss" in (logs or {}):
                tokens = float(logs.get("num_tokens", 0)) / max(self.bar.format_dict["elapsed"], 1e-9)
                self.bar.set_postfix_str(f"loss {float(logs['loss']):.3f}, {tokens:.0f} tokens/s", refresh=False)
                self.bar.update(state.global_step - self.bar.n)
            elif "eval_loss" in (logs or {}):
                logging.info("loss on held-out conversations: %.4f", float(logs["eval_loss"]))

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.close()

    return ReportSteps(), PrinterCallback


def main(argv: list[str] | None = None) -> None:
    """Write the trained adapter (or model) and metrics.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, type=Path, help="JSONL file of split_dataset")
    parser.add_argument(
        "--test", required=True, type=Path, help="JSONL file of split_dataset, for the loss on held-out conversations"
    )
    parser.add_argument("--base", required=True, type=Path, help="model folder of fetch_base")
    parser.add_argument("--audit", required=True, type=Path, help="audit.json: training on any other mask is refused")
    parser.add_argument("--settings", required=True, type=json.loads, help="`training` of the config, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument(
        "--checkpoints", required=True, type=Path, help="folder of checkpoints; kept when the job fails"
    )
    parser.add_argument("--trained", required=True, type=Path, help="folder to write")
    parser.add_argument("--metrics", required=True, type=Path, help="JSONL file to write: one row a logged step")
    args = parser.parse_args(argv)

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.trainer_utils import get_last_checkpoint
    from trl import SFTTrainer

    torch.set_num_threads(args.threads)
    settings = args.settings
    parts = {
        name: Dataset.from_list([{"messages": to_messages(row["conversation"])} for row in read_jsonl(path)])
        for name, path in (("train", args.train), ("test", args.test))
    }
    accumulation = accumulation_steps(
        settings["global_batch"], settings["micro_batch"], int(os.environ.get("WORLD_SIZE", 1))
    )
    # Checkpoints of other data, settings, template or base must never be resumed from: their folder is named by content.
    weights = sorted((file.name, file.stat().st_size) for file in args.base.glob("*.safetensors"))
    state = args.checkpoints / content_id(
        settings, file_sha256(args.train), file_sha256(args.base / "config.json"), weights, TEMPLATE.read_text()
    )
    state.mkdir(parents=True, exist_ok=True)

    tokenizer = set_template(AutoTokenizer.from_pretrained(args.base))
    model = AutoModelForCausalLM.from_pretrained(args.base, dtype=getattr(torch, settings["dtype"]))
    lora = settings["lora"]
    adapter = (
        LoraConfig(
            r=lora["r"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=lora["target_modules"],
            task_type="CAUSAL_LM",
        )
        if settings["method"] == "lora"
        else None
    )
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        peft_config=adapter,
        args=sft_config(settings, state, math.ceil(len(parts["train"]) / settings["global_batch"]), accumulation),
        train_dataset=parts["train"],
        eval_dataset=parts["test"],
    )
    reporter, dictionaries = report_steps()
    trainer.remove_callback(dictionaries)
    trainer.add_callback(reporter)
    check_mask(trainer, read_json(args.audit))
    drop_unfinished(state)
    if checkpoint := get_last_checkpoint(str(state)):
        logging.info("resuming from %s", checkpoint)
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(str(args.trained))
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(args.trained)
        write_jsonl(args.metrics, trainer.state.log_history)
        shutil.rmtree(state)  # what is finished is never resumed


def check_mask(trainer: Any, audit: Row) -> None:
    """The batches that the trainer will see carry loss on as many tokens as the audit counted; UserError if not."""
    labelled = sum(
        sum(label != -100 for label in row["labels"]) if "labels" in row else sum(row["assistant_masks"])
        for row in trainer.train_dataset
    )
    if labelled != audit["trainable_tokens"]:
        raise UserError(
            f"the trainer would learn {labelled} tokens, the audit counted {audit['trainable_tokens']}. Nothing was trained."
        )


if __name__ == "__main__":
    run(main)
