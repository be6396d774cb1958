"""Turn the conversations into tokens and prove, before training, that exactly the answers carry loss; stop if not."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id, read_json, read_jsonl, write_json
from workflow_scripts.common.types import Row
from workflow_scripts.training import tokens
from workflow_scripts.training.audit import check, check_reading, measure
from workflow_scripts.training.template import Encoder, set_template
from workflow_scripts.training.truncation import Fitted, fit


def encode_all(rows: list[Row], encoder: Encoder, settings: Row, told: str) -> dict[str, Fitted]:
    """Every conversation's samples by its id."""
    fitted = {}
    with progress(len(rows), told, "conversation") as bar:
        for row in rows:
            fitted[row["id"]] = fit(encoder, row["conversation"], settings["max_length"], settings["overflow"])
            bar.update()
    return fitted


def as_many_tokens(fitted: dict[str, Fitted], wanted: int, random_seed: int) -> dict[str, Fitted]:
    """Conversations, drawn by their ids, with about `wanted` tokens that carry loss; UserError if there are not so many."""
    kept: dict[str, Fitted] = {}
    count = 0
    for name in sorted(fitted, key=lambda name: content_id(random_seed, name)):
        size = sum(sum(sample.mask) for sample in fitted[name].samples)
        if abs(count + size - wanted) > abs(count - wanted):
            break
        kept[name] = fitted[name]
        count += size
    if count < 0.95 * wanted and len(kept) == len(fitted):
        raise UserError(
            f"only {count} tokens carry loss, and as many as {wanted} are wanted (`tokens_of`). Name a model with fewer."
        )
    if fitted and not kept:
        raise UserError(
            f"the first conversation drawn has more than twice the {wanted} tokens that are wanted (`tokens_of`). "
            "Draw another with `training.random_seed`, or name a model with more."
        )
    return {name: fitted[name] for name in fitted if name in kept}  # in the order of the data


def main(argv: list[str] | None = None) -> None:
    """Write the tokens and audit.json, or stop with the conversations that are at fault."""
    from transformers import AutoConfig, AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, type=Path, help="JSONL file of select_variant")
    parser.add_argument("--test", required=True, type=Path, help="JSONL file of the held-out conversations")
    parser.add_argument("--base", required=True, type=Path, help="model folder, for its tokenizer")
    parser.add_argument("--settings", required=True, type=json.loads, help="the model's recipe, as JSON")
    parser.add_argument(
        "--tokens-of",
        required=True,
        type=Path,
        nargs="*",
        help="audit.json of a model to have as many trainable tokens as",
    )
    parser.add_argument("--train-tokens", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--test-tokens", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--audit", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    settings = args.settings
    context = getattr(AutoConfig.from_pretrained(args.base), "max_position_embeddings", None)
    if context and settings["max_length"] > context:
        raise UserError(
            f"`training.max_length` {settings['max_length']} is more than the base model's context, {context} tokens."
        )
    encoder = Encoder(set_template(AutoTokenizer.from_pretrained(args.base)))
    train = encode_all(list(read_jsonl(args.train)), encoder, settings, "auditing the loss mask")
    test = encode_all(
        [{"id": content_id(row["conversation"]), **row} for row in read_jsonl(args.test)],
        encoder,
        settings,
        "held-out conversations",
    )
    for path in args.tokens_of:
        train = as_many_tokens(train, read_json(path)["trainable_tokens"], settings["random_seed"])
    check(train, encoder)
    check_reading(train, encoder)
    result = measure(train, encoder, settings)
    tokens.write(args.train_tokens, tokens.table(train))
    tokens.write(args.test_tokens, tokens.table(test))
    write_json(args.audit, result)
    logging.info("%s", {key: value for key, value in result.items() if key not in ("sample", "dropped")})


if __name__ == "__main__":
    run(main)
