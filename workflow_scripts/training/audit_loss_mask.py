"""Tokenise the conversations and verify, before training, that exactly the answers carry loss."""

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_config, load_tokenizer
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id, read_json, read_jsonl, write_json
from workflow_scripts.common.types import Row
from workflow_scripts.training import tokens
from workflow_scripts.training.audit import check_chat_template, check_loss_mask, count_held_out, measure
from workflow_scripts.training.checkpoints import base_hash
from workflow_scripts.training.template import Encoder, set_template
from workflow_scripts.training.truncation import Truncation, truncate


def encode_all(rows: list[Row], encoder: Encoder, settings: Row, description: str) -> dict[str, Truncation]:
    """The samples of each conversation, by id."""
    encoded = {}
    with progress(len(rows), description, "conversation") as bar:
        for row in rows:
            encoded[row["id"]] = truncate(encoder, row["conversation"], settings["max_length"], settings["overflow"])
            bar.update()
    return encoded


def limit_tokens(conversations: dict[str, Truncation], target: int, random_seed: int) -> dict[str, Truncation]:
    """Conversations, sampled by their ids, with about `target` tokens with loss in total.

    UserError if there are not enough tokens, or if the first conversation has more than twice as many.
    """
    kept: dict[str, Truncation] = {}
    count = 0
    for name in sorted(conversations, key=lambda name: content_id(random_seed, name)):
        size = sum(sum(sample.mask) for sample in conversations[name].samples)
        if abs(count + size - target) > abs(count - target):
            break
        kept[name] = conversations[name]
        count += size
    if count < 0.95 * target and len(kept) == len(conversations):
        raise UserError(
            f"only {count} tokens carry loss, fewer than the {target} that `tokens_of` requires. Set it to a model with fewer."
        )
    if conversations and not kept:
        raise UserError(
            f"the first sampled conversation has more than twice the {target} tokens that `tokens_of` requires. "
            "Change `training.random_seed`, or set `tokens_of` to a model with more."
        )
    return {name: conversations[name] for name in conversations if name in kept}  # in the order of the data


def main(argv: list[str] | None = None) -> None:
    """Write the tokens and audit.json. UserError with the conversations that fail a check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, type=Path, help="JSONL file of select_training_data")
    parser.add_argument("--test", required=True, type=Path, help="JSONL file of the held-out conversations")
    parser.add_argument("--base", required=True, type=Path, help="model folder, for its tokenizer")
    parser.add_argument("--settings", required=True, type=json.loads, help="the model's recipe, as JSON")
    parser.add_argument(
        "--tokens-of",
        required=True,
        type=Path,
        nargs="*",
        help="audit.json of the model whose number of trainable tokens is the limit",
    )
    parser.add_argument("--train-tokens", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--test-tokens", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--audit", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    settings = args.settings
    context = getattr(load_config(args.base), "max_position_embeddings", None)
    if context and settings["max_length"] > context:
        raise UserError(
            f"`training.max_length` {settings['max_length']} is more than the base model's context of {context} tokens. Lower it."
        )
    encoder = Encoder(set_template(load_tokenizer(args.base)))
    train = encode_all(list(read_jsonl(args.train)), encoder, settings, "auditing the loss mask")
    test = encode_all(
        [{"id": content_id(row["conversation"]), **row} for row in read_jsonl(args.test)],
        encoder,
        settings,
        "held-out conversations",
    )
    for path in args.tokens_of:
        train = limit_tokens(train, read_json(path)["trainable_tokens"], settings["random_seed"])
    check_loss_mask(train, encoder)
    check_chat_template(train, encoder)
    held_out = {
        name: replace(entry, samples=[sample for sample in entry.samples if any(sample.mask)])
        for name, entry in test.items()
    }
    result = measure(train, encoder, settings) | {"held_out": count_held_out(test), "base": base_hash(args.base)}
    tokens.write(args.train_tokens, tokens.table(train))
    tokens.write(args.test_tokens, tokens.table(held_out))
    write_json(args.audit, result)
    logging.info("%s", {key: value for key, value in result.items() if key not in ("sample", "dropped")})


if __name__ == "__main__":
    run(main)
