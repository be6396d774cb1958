"""Loss on held-out conversations by exchange: how well a model foresees the first answer, the second, the third."""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import read_exchanges
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.training.template import Encoded, Encoder, runs, set_template


def answers(encoded: Encoded) -> list[tuple[int, int]]:
    """Where each answer with its end token begins and ends, in tokens."""
    found, at = [], 0
    for ids, carries in runs(encoded.ids, encoded.mask):
        if carries:
            found.append((at, at + len(ids)))
        at += len(ids)
    return found


def losses(model: Any, encoded: Encoded, max_length: int) -> list[Row]:
    """One row for each answer that ends within `max_length` tokens: its number, tokens, and summed loss in nats.

    Every answer is read after all that came before it in the conversation, as it is in training.
    """
    import torch

    spans = [(start, end) for start, end in answers(encoded) if end <= max_length]
    if not spans:
        return []
    ids = torch.tensor([encoded.ids[: spans[-1][1]]], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
    # Of the token at place t the prediction stands at t - 1; summed in double precision.
    nats = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").double()
    return [
        {"exchange": number, "tokens": end - start, "loss": round(float(nats[start - 1 : end - 1].sum()), 6)}
        for number, (start, end) in enumerate(spans, 1)
    ]


def main(argv: list[str] | None = None) -> None:
    """Write one row a conversation and exchange: id, exchange, tokens, loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--test", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--settings", required=True, type=json.loads, help="`dtype` and `max_length`, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--losses", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    encoder = Encoder(set_template(AutoTokenizer.from_pretrained(args.model)))
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.settings["dtype"]))
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    rows, whole = [], 0
    held_out = pd.read_parquet(args.test, columns=["id", "messages"]).to_dict("records")
    with progress(len(held_out), "measuring held-out conversations", "conversation") as bar:
        for row in held_out:
            conversation = read_exchanges({"messages": list(row["messages"])})
            found = losses(model, encoder.encode(conversation), args.settings["max_length"])
            rows += [{"id": row["id"], **loss} for loss in found]
            whole += len(found) == len(conversation)
            bar.update()
    if not rows:
        raise UserError(
            f"no answer of the {len(held_out)} held-out conversations ends within {args.settings['max_length']} tokens. "
            "Raise `training.max_length`."
        )
    write_jsonl(args.losses, rows)
    logging.info("%d exchanges of %d conversations, %d of them whole", len(rows), len(held_out), whole)


if __name__ == "__main__":
    run(main)
