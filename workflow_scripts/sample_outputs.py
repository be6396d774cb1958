"""Answers of one model to the fixed prompts, greedily, in the template it was (or would be) trained on."""

import argparse
import json
import logging
from pathlib import Path

import yaml

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.training.template import set_template

PROMPTS = Path(__file__).parent / "evaluation" / "prompts.yaml"


def main(argv: list[str] | None = None) -> None:
    """Write one row a prompt: name and conversation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation` of the config, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--outputs", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    tokenizer = set_template(AutoTokenizer.from_pretrained(args.model))
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.settings["dtype"]))
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    rows = []
    for prompt in yaml.safe_load(PROMPTS.read_text(encoding="utf-8")):
        messages, conversation = [], []
        for turn in prompt["turns"]:
            messages.append({"role": "user", "content": turn})
            encoded = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, return_tensors="pt").to(
                model.device
            )
            with torch.inference_mode():
                produced = model.generate(
                    **encoded,
                    max_new_tokens=args.settings["output_tokens"],
                    do_sample=False,
                    pad_token_id=tokenizer.eos_token_id,
                )
            answer = tokenizer.decode(produced[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True).strip()
            messages.append({"role": "assistant", "content": answer})
            conversation.append({"input": turn, "output": answer})
        rows.append({"name": prompt["name"], "conversation": conversation})
        logging.info("%s: %s", prompt["name"], conversation[-1]["output"][:200])
    write_jsonl(args.outputs, rows)


if __name__ == "__main__":
    run(main)
