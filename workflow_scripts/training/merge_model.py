"""Merge the trained adapter into the base model: safetensors, tokenizer with chat template, generation config.

The adapter remains in `trained/`.
"""

import argparse
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from workflow_scripts.common.cli import run


def generation_config(tokenizer: Any) -> Any:
    """Begin, end and padding token, and greedy decoding: the base model's sampling settings are for another model."""
    from transformers import GenerationConfig

    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )


def main(argv: list[str] | None = None) -> None:
    """Write the merged model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, type=Path, help="model folder of fetch_base")
    parser.add_argument("--trained", required=True, type=Path, help="folder of train_model: an adapter or a full model")
    parser.add_argument("--settings", required=True, type=json.loads, help="`training` of the config, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    shutil.rmtree(args.model, ignore_errors=True)
    dtype = getattr(torch, args.settings["dtype"])
    if args.settings["method"] == "full":
        model = AutoModelForCausalLM.from_pretrained(args.trained, dtype=dtype)
    else:
        base = AutoModelForCausalLM.from_pretrained(args.base, dtype=dtype)
        model = PeftModel.from_pretrained(base, args.trained).merge_and_unload()
    tokenizer = AutoTokenizer.from_pretrained(args.trained)
    model.generation_config = generation_config(tokenizer)
    model.save_pretrained(args.model)
    tokenizer.save_pretrained(args.model)
    logging.info("%s: %d parameters", args.model, model.num_parameters())


if __name__ == "__main__":
    run(main)
