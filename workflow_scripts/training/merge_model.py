"""Merge the trained adapter into the base model: safetensors, tokenizer with chat template, generation config.

The adapter remains in `trained/`.
"""

import argparse
import gc
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_model, load_tokenizer
from workflow_scripts.training import tokens

CHECKED_SAMPLES = 4
CHECKED_TOKENS = 512  # of each sample
# Mean difference of the log-probabilities of base with adapter and merged model, in nats per token. Both round differently.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.06}


def generation_config(tokenizer: Any) -> Any:
    """Begin, end and padding token, and greedy decoding: the base model's sampling settings are for another model."""
    from transformers import GenerationConfig

    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )


def log_probabilities(model: Any, samples: list[list[int]]) -> Any:
    """The log-probability of every token of the samples but their first ones: float32 of shape (tokens,)."""
    import torch

    found = []
    for sample in samples:
        ids = torch.tensor([sample], device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        found.append(logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].cpu())
    return torch.cat(found)


def check_finite(model: Any) -> None:
    """UserError if a weight is not finite."""
    damaged = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if damaged:
        raise UserError(
            f"{len(damaged)} tensors of the model contain values that are not finite, the first is {damaged[0]}. Lower "
            "`training.learning_rate` and train again. No model was saved."
        )


def check_merge(expected: Any, folder: Path, samples: list[list[int]], dtype: str) -> None:
    """UserError unless the saved model gives the samples the log-probabilities `expected`, those of base with adapter."""
    import torch

    merged = load_model(folder, dtype=getattr(torch, dtype)).eval()
    differences = (log_probabilities(merged, samples) - expected).abs()
    distance = float(differences.mean())
    if not distance <= TOLERANCE[dtype]:  # also for NaN
        raise UserError(
            f"the merged model is not the base model with its adapter: the log-probabilities of {len(differences)} audited tokens "
            f"differ by {distance:.3g} nats on average, at most {TOLERANCE[dtype]:g} in {dtype} is rounding. Adapt linear layers "
            "only (`training.lora.target_modules: all-linear`), or use `training.method: full`."
        )
    logging.info(
        "merge check: %d tokens, mean difference %.2g nats, largest %.2g", len(differences), distance, differences.max()
    )


def main(argv: list[str] | None = None) -> None:
    """Write the merged model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, type=Path, help="model folder of fetch_base")
    parser.add_argument("--trained", required=True, type=Path, help="folder of train_model: an adapter or a full model")
    parser.add_argument("--train-tokens", required=True, type=Path, help="parquet file of audit_loss_mask")
    parser.add_argument("--settings", required=True, type=json.loads, help="`training` of the config, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)

    import torch
    from peft import PeftModel

    shutil.rmtree(args.model, ignore_errors=True)
    dtype = getattr(torch, args.settings["dtype"])
    with_adapter = args.settings["method"] != "full"
    if with_adapter:
        rows = tokens.read(args.train_tokens).select_columns(["input_ids"])
        samples = [row["input_ids"][:CHECKED_TOKENS] for row in rows.take(min(CHECKED_SAMPLES, len(rows)))]
        adapted = PeftModel.from_pretrained(load_model(args.base, dtype=dtype), args.trained).eval()
        expected = log_probabilities(adapted, samples)
        model = adapted.merge_and_unload()
        del adapted
    else:
        model = load_model(args.trained, dtype=dtype)
    check_finite(model)
    tokenizer = load_tokenizer(args.trained)
    model.generation_config = generation_config(tokenizer)
    model.save_pretrained(args.model)
    tokenizer.save_pretrained(args.model)
    logging.info("%s: %d parameters", args.model, model.num_parameters())
    if with_adapter:
        del model
        gc.collect()  # two models may not fit into memory
        check_merge(expected, args.model, samples, args.settings["dtype"])


if __name__ == "__main__":
    run(main)
