"""Take out seeds that break a cleaning rule in any of their texts, or whose length is out of bounds."""

import argparse
import json
import logging
from pathlib import Path

import ftfy

from workflow_scripts.cleaning.rules import first_fault
from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import Row, read_jsonl, write_jsonl
from workflow_scripts.common.stage import Rejections
from workflow_scripts.seeds.layouts import texts


def _mend(text: str) -> str:
    # HTML entities stay: they may be what a question is about.
    return ftfy.fix_text(text, unescape_html=False)


def repair(seed: Row) -> Row:
    """The seed with mojibake and other broken unicode mended in every text (ftfy)."""
    mended = {key: _mend(seed[key]) for key in ("instruction", "context", "response")}
    meta = dict(seed["meta"])
    if "conversation" in meta:
        meta["conversation"] = [{key: _mend(text) for key, text in turn.items()} for turn in meta["conversation"]]
    return {**seed, **mended, "meta": meta}


def fault(seed: Row, settings: Row) -> tuple[str, str] | None:
    """(rule, evidence) of the first fault found in any text of the seed, in every turn, or None."""
    for text, answer in texts(seed):
        found = first_fault(text, settings["rules"], answer)
        if found is None and len(text) > settings["max_chars"]:
            found = "too_long", f"{len(text)} characters: {text[:80]}"
        if found is None and answer and len(text.strip()) < settings["min_answer_chars"]:
            found = "short_answer", text
        if found:
            return found
    return None


def main(argv: list[str] | None = None) -> None:
    """Write the clean seeds and the rejected ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="`seeds.cleaning` of the config, as JSON")
    parser.add_argument("--seeds", required=True, type=Path, nargs="+", help="JSONL files of adapt_source")
    parser.add_argument("--clean", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    clean, rejections = [], Rejections()
    seeds = [seed for path in args.seeds for seed in read_jsonl(path)]
    with progress(len(seeds), "cleaning seeds", "seed") as bar:
        for seed in seeds:
            found = fault(seed, args.settings)  # as published: mending would hide escapes and control characters
            if found:
                rejections.add(seed["id"], found[0], {"source": seed["source"], "text": found[1]})
            else:
                clean.append(repair(seed))
            bar.update()
    write_jsonl(args.clean, clean)
    write_jsonl(args.rejected, rejections.rows)
    logging.info("%d seeds in, %d clean, rejected %s", len(seeds), len(clean), rejections.by_reason())


if __name__ == "__main__":
    run(main)
