"""Prove, before training, that exactly the answers carry loss; stop if a conversation has nothing to learn."""

import argparse
import json
import logging
from pathlib import Path
from statistics import mean
from typing import Any

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import Row, content_id, read_jsonl, write_json
from workflow_scripts.training.template import encode, runs, set_template


def audit(rows: list[Row], tokenizer: Any, max_length: int) -> Row:
    """Counts of tokens with and without loss, truncated rows, and one sample as [text, carries loss] pieces.

    UserError for rows without a trainable token, and for rows whose trainable text is not exactly their answers.
    """
    silent, wrong, lengths, trainable, cut_tokens, truncated = [], [], [], 0, 0, 0
    with progress(len(rows), "auditing the loss mask", "conversation") as bar:
        for row in rows:
            ids, mask, cut = encode(tokenizer, row["conversation"], max_length)
            lengths.append(len(ids))
            trainable += sum(mask)
            cut_tokens += cut
            truncated += cut > 0
            name = content_id(row["conversation"])
            if not any(mask):
                silent.append(name)
            learnt = [tokenizer.decode(tokens).strip() for tokens, carries in runs(ids, mask) if carries]
            answers = [f"{exchange['output'].strip()}{tokenizer.eos_token}" for exchange in row["conversation"]]
            if cut == 0 and learnt != answers:
                wrong.append(name)
            bar.update()
    if silent:
        raise UserError(
            f"{len(silent)} conversations have no token that carries loss within {max_length} tokens: {', '.join(silent[:5])}. "
            "Raise `training.max_length` or take them out of the data."
        )
    if wrong:
        raise UserError(
            f"the loss mask of {len(wrong)} conversations does not cover exactly their answers: {', '.join(wrong[:5])}. "
            "The tokenizer and the chat template do not fit together; training would learn the wrong tokens."
        )
    sample = min(rows, key=lambda row: len(str(row["conversation"])))
    ids, mask, _ = encode(tokenizer, sample["conversation"], max_length)
    return {
        "conversations": len(rows),
        "tokens": sum(lengths),
        "trainable_tokens": trainable,
        "max_length": max_length,
        "mean_tokens": round(mean(lengths), 1),
        "longest": max(lengths),
        "truncated": truncated,
        "tokens_cut_off": cut_tokens,
        "sample": [[tokenizer.decode(tokens), carries] for tokens, carries in runs(ids, mask)],
    }


def main(argv: list[str] | None = None) -> None:
    """Write audit.json, or stop with the conversations that are at fault."""
    from transformers import AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, type=Path, help="JSONL file of split_dataset")
    parser.add_argument("--base", required=True, type=Path, help="model folder, for its tokenizer")
    parser.add_argument("--settings", required=True, type=json.loads, help="`training` of the config, as JSON")
    parser.add_argument("--audit", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    tokenizer = set_template(AutoTokenizer.from_pretrained(args.base))
    result = audit(list(read_jsonl(args.train)), tokenizer, args.settings["max_length"])
    write_json(args.audit, result)
    logging.info("%s", {key: value for key, value in result.items() if key != "sample"})


if __name__ == "__main__":
    run(main)
