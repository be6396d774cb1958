"""Generate a model's answers to the fixed prompts, with greedy decoding and its chat format."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.common.types import Exchange
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.evaluation.chat import Chat

PROMPTS = package_file("evaluation/prompts.yaml")


def main(argv: list[str] | None = None) -> None:
    """Write one row per prompt: name, conversation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation` of the config, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--outputs", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    import torch

    torch.set_num_threads(args.threads)
    chat = Chat(args.model, args.settings["dtype"], args.settings["template"])
    rows = []
    for prompt in read_yaml(PROMPTS):
        conversation: list[Exchange] = []
        for turn in prompt["turns"]:
            (answer,) = chat.answers([(conversation, turn)], args.settings["output_tokens"])
            conversation.append({"input": turn, "output": answer})
        rows.append({"name": prompt["name"], "conversation": conversation})
        logging.info("%s: %s", prompt["name"], conversation[-1]["output"][:200])
    write_jsonl(args.outputs, rows)


if __name__ == "__main__":
    run(main)
