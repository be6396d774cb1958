"""Compute a model's loss on held-out conversations per exchange: first answer, second answer, and so on."""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import from_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_for_inference, load_tokenizer
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.training.template import Encoded, Encoder, runs, set_template


def answer_spans(encoded: Encoded) -> list[tuple[int, int]]:
    """The (start, end) of each answer with its end token, in tokens."""
    spans, at = [], 0
    for ids, carries in runs(encoded.ids, encoded.mask):
        if carries:
            spans.append((at, at + len(ids)))
        at += len(ids)
    return spans


def exchange_losses(model: Any, encoded: Encoded, max_length: int) -> list[Row]:
    """One row per answer that ends within `max_length` tokens: {exchange, tokens, loss}, the summed loss in nats.

    Every answer is conditioned on all preceding exchanges, as in training.
    """
    import torch

    spans = [(start, end) for start, end in answer_spans(encoded) if end <= max_length]
    if not spans:
        return []
    ids = torch.tensor([encoded.ids[: spans[-1][1]]], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
    # The logits at position t - 1 predict the token at position t; summed in double precision.
    nats = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").double()
    return [
        {"exchange": number, "tokens": end - start, "loss": round(float(nats[start - 1 : end - 1].sum()), 6)}
        for number, (start, end) in enumerate(spans, 1)
    ]


def main(argv: list[str] | None = None) -> None:
    """Write one row per conversation and exchange: id, exchange, tokens, loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--test", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--settings", required=True, type=json.loads, help="`dtype` and `max_length`, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--losses", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    import torch

    torch.set_num_threads(args.threads)
    encoder = Encoder(set_template(load_tokenizer(args.model)))
    model = load_for_inference(args.model, getattr(torch, args.settings["dtype"]))
    rows, complete = [], 0
    held_out = pd.read_parquet(args.test, columns=["id", "messages"]).to_dict("records")
    with progress(len(held_out), "losses of held-out conversations", "conversation") as bar:
        for row in held_out:
            conversation = from_messages(row["messages"])
            losses = exchange_losses(model, encoder.encode(conversation), args.settings["max_length"])
            rows += [{"id": row["id"], **loss} for loss in losses]
            complete += len(losses) == len(conversation)
            bar.update()
    if not rows:
        raise UserError(
            f"no answer of the {len(held_out)} held-out conversations ends within {args.settings['max_length']} tokens. "
            "Raise `training.max_length`."
        )
    write_jsonl(args.losses, rows)
    logging.info("%d exchanges of %d conversations, %d of them complete", len(rows), len(held_out), complete)


if __name__ == "__main__":
    run(main)
