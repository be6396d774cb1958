"""Supervised fine-tuning with TRL on the audited tokens; resumes from the last checkpoint after a failure."""

import argparse
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_config, load_tokenizer
from workflow_scripts.common.rows import read_json, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.training import packing, recipe, tokens
from workflow_scripts.training.batching import fill, prepare, samples
from workflow_scripts.training.checkpoints import drop_damaged, explain_failure, last_step, save_by_time, state_folder
from workflow_scripts.training.reporting import report_steps
from workflow_scripts.training.template import set_template
from workflow_scripts.training.trainer import trainer_class


def check_batches(trainer: Any, audit: Row) -> None:
    """UserError unless the trainer's batches contain exactly the audited samples and labels.

    Rows pass through the trainer's collator one by one; filler rows, which have no loss, are ignored.
    """
    found = []
    for row in trainer.train_dataset:
        batch = trainer.data_collator([row])
        found += [(ids, labels) for ids, labels in samples(batch) if any(label != -100 for label in labels)]
    if tokens.fingerprint(found) != audit["fingerprint"]:
        trainable = sum(label != -100 for _, labels in found for label in labels)
        raise UserError(
            f"the trainer would use {len(found)} samples with {trainable} trainable tokens, which are not the "
            f"{audit['samples']} samples with {audit['trainable_tokens']} that were audited. Nothing was trained. "
            "Delete the model's audit.json and run again."
        )


def make_trainer(args: argparse.Namespace, state: Path, processes: int) -> Any:
    """The trainer for the audited tokens."""
    from transformers import EarlyStoppingCallback

    settings = args.settings
    tokenizer = set_template(load_tokenizer(args.base))
    train = prepare(tokens.read(args.train_tokens), settings, tokenizer.pad_token_id)
    test = tokens.read(args.test_tokens).select_columns(["input_ids", "labels"])
    test = fill(test, settings["micro_batch_size"] * processes, tokenizer.pad_token_id)
    if settings["keep_best"] and not len(test):
        raise UserError(
            "`training.keep_best` needs held-out conversations, and there are none. Raise `dataset.test_fraction`."
        )
    # Before the model, so that a setting that trl rejects is found before the weights are read.
    config = recipe.sft_config(settings, state, processes, evaluate=len(test) > 0)
    trainer = trainer_class()(
        model=recipe.load_model(args.base, settings),
        processing_class=tokenizer,
        peft_config=recipe.adapter(settings),
        args=config,
        train_dataset=train,
        eval_dataset=test if len(test) else None,
    )
    reporter, replaced = report_steps()
    recipe.set_precision(trainer.accelerator, settings)
    recipe.checkpoint_activations(trainer.accelerator, settings)
    trainer.train_tokens = args.train_tokens
    trainer.remove_callback(replaced)
    trainer.add_callback(reporter)
    if settings["save_minutes"] is not None:
        trainer.add_callback(save_by_time(settings["save_minutes"]))
    if settings["early_stopping"] is not None:
        trainer.add_callback(EarlyStoppingCallback(settings["early_stopping"]))
    return trainer


def save(trainer: Any, folder: Path) -> None:
    """Save the trained weights, gathered from all processes."""
    if trainer.is_fsdp_enabled:
        # Checkpoints are sharded; `save_model` would not write a sharded state.
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, which can run code when it is loaded


def main(argv: list[str] | None = None) -> None:
    """Write the trained adapter (or model) and metrics.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-tokens", required=True, type=Path, help="parquet file of audit_loss_mask")
    parser.add_argument("--test-tokens", required=True, type=Path, help="parquet file of the held-out conversations")
    parser.add_argument("--base", required=True, type=Path, help="model folder of fetch_base")
    parser.add_argument("--audit", required=True, type=Path, help="audit.json; training on other tokens is an error")
    parser.add_argument("--settings", required=True, type=json.loads, help="the model's recipe, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument(
        "--checkpoints", required=True, type=Path, help="folder of checkpoints; kept when the job fails"
    )
    parser.add_argument("--trained", required=True, type=Path, help="folder to write")
    parser.add_argument("--metrics", required=True, type=Path, help="JSONL file to write: one row per logged step")
    args = parser.parse_args(argv)

    settings = args.settings
    processes = int(os.environ.get("WORLD_SIZE", 1))
    recipe.accumulation_steps(settings["global_batch_size"], settings["micro_batch_size"], processes)
    recipe.check_installed(settings)

    import torch

    torch.set_num_threads(max(1, args.threads // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))
    audit = read_json(args.audit)
    state = state_folder(args.checkpoints, settings, audit)
    state.mkdir(parents=True, exist_ok=True)
    if settings["batching"] != "padded":
        packing.check_isolation(load_config(args.base), settings)
    try:
        trainer = make_trainer(args, state, processes)
        check_batches(trainer, audit)
        if trainer.is_world_process_zero():
            drop_damaged(state)
        else:
            logging.disable(logging.INFO)  # only the first process logs
        trainer.accelerator.wait_for_everyone()
        sharded = ", sharded by FSDP" if trainer.is_fsdp_enabled else ""
        logging.info(
            f"{processes} process{'es' * (processes > 1)}{sharded}; {settings['global_batch_size']} rows per step: "
            f"{settings['micro_batch_size']} per process, gradient accumulation {trainer.args.gradient_accumulation_steps}"
        )
        step = last_step(state)
        trainer.args.eval_on_start &= not step  # a resumed run was evaluated at its start
        logging.info(f"resuming from the checkpoint of step {step}" if step else "no checkpoint: starting from step 0")
        trainer.resume(state / f"checkpoint-{step}" if step else None)
        save(trainer, args.trained)
    except Exception as error:
        if explanation := explain_failure(error, settings, state):
            raise explanation from error
        raise
    if trainer.is_world_process_zero():
        trainer.processing_class.save_pretrained(args.trained)
        write_jsonl(args.metrics, trainer.state.log_history)
        shutil.rmtree(state)  # a finished training is never resumed


if __name__ == "__main__":
    run(main)
