"""Remove the seeds of a source that break a cleaning rule; a conversation ends before its first faulty exchange."""

import argparse
import json
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import write_json
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.common.text_arrays import boolean
from workflow_scripts.common.types import Config
from workflow_scripts.seeds.cleaning.rules import Fault, first_faults
from workflow_scripts.seeds.cleaning.text_repair import repair_texts
from workflow_scripts.seeds.schema import EXCHANGES, SEED, rejected_seed
from workflow_scripts.seeds.texts import Texts, flatten_texts, map_texts

EVIDENCE_CHARS = 80  # of a text whose length is out of bounds
REPAIRED = pa.schema(
    [
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("row", pa.int64()),
        ("before", pa.string()),
        ("after", pa.string()),
    ]
)


@dataclass(frozen=True)
class Unfit:
    """The first fault of a seed: its row, the rule, the evidence, and the number of whole exchanges before it."""

    row: int
    rule: str
    evidence: str
    exchanges: int


def faults(seeds: pa.Table, settings: Config) -> list[Unfit]:
    """The first fault of the first faulty text of every seed that has one, in the order of the rows."""
    flat = flatten_texts(seeds)
    found = first_faults(flat.texts, flat.answers, settings["rules"], flat.asked)
    trimmed = pc.utf8_length(pc.utf8_trim_whitespace(flat.texts)).to_numpy()
    bounds = {
        "too_long": pc.utf8_length(flat.texts).to_numpy() > settings["max_chars"],
        "short_request": flat.opening & (trimmed < settings["min_request_chars"]),
    }
    if settings["short_answers"] == "reject":
        bounds["short_answer"] = flat.answers & (trimmed < settings["min_answer_chars"])
    for name, broken in bounds.items():
        for place in np.flatnonzero(broken).tolist():
            text = flat.texts[place].as_py()
            found[place] = found[place] or (name, f"{len(text)} characters: {text[:EVIDENCE_CHARS]}")
    return _first_of_each_row(flat, found, boolean(seeds["conversation"].is_valid()))


def _first_of_each_row(flat: Texts, found: list[Fault | None], dialogue: np.ndarray) -> list[Unfit]:
    faulty = np.flatnonzero([fault is not None for fault in found])
    rows, first = np.unique(flat.rows[faulty], return_index=True)
    unfit = []
    for row, place in zip(rows.tolist(), faulty[first].tolist(), strict=True):
        fault = found[place]
        assert fault is not None
        rule, evidence = fault
        unfit.append(Unfit(row, rule, evidence, (place - flat.first(row)) // 2 if dialogue[row] else 0))
    return unfit


def shorten(seeds: pa.Table, unfit: list[Unfit]) -> pa.Table:
    """The seeds with each of these conversations cut to the exchanges before its fault; `meta.shortened` says why."""
    if not unfit:
        return seeds
    conversations, meta = seeds["conversation"].to_pylist(), seeds["meta"].to_pylist()
    for fault in unfit:
        shortened = {"reason": fault.rule, "text": fault.evidence, "exchanges": len(conversations[fault.row])}
        meta[fault.row] = json.dumps(json.loads(meta[fault.row]) | {"shortened": shortened}, ensure_ascii=False)
        conversations[fault.row] = conversations[fault.row][: fault.exchanges]
    columns = {"conversation": pa.array(conversations, EXCHANGES), "meta": pa.array(meta, pa.string())}
    for name, column in columns.items():
        seeds = seeds.set_column(seeds.column_names.index(name), name, column)
    return seeds


def short_answers_as_references(seeds: pa.Table, min_chars: int) -> tuple[pa.Table, int]:
    """The seeds in which an answer of fewer than `min_chars` characters is the reference of one that the teacher writes.

    Also the number of these seeds. Conversations and seeds that have a reference are unchanged.
    """
    response = seeds["response"].combine_chunks()
    length = pc.utf8_length(pc.utf8_trim_whitespace(response))
    short = boolean(pc.and_(pc.greater(length, 0), pc.less(length, min_chars)))
    short &= ~boolean(seeds["reference"].is_valid()) & ~boolean(seeds["conversation"].is_valid())
    mask = pa.array(short)
    columns = {
        "reference": pc.if_else(mask, response, seeds["reference"].combine_chunks()),
        "response": pc.if_else(mask, "", response),
    }
    for name, column in columns.items():
        seeds = seeds.set_column(seeds.column_names.index(name), name, column)
    return seeds, int(short.sum())


def repairs(before: pa.Table, after: pa.Table) -> pa.Table:
    """The texts that the repair changed, as published and as repaired, with the seeds they belong to (`REPAIRED`)."""
    old, new = flatten_texts(before), flatten_texts(after)
    changed = np.flatnonzero(pc.not_equal(old.texts, new.texts).to_numpy(zero_copy_only=False))
    seeds = before.select(["id", "dataset", "row"]).take(pa.array(old.rows[changed]))
    return seeds.append_column("before", old.texts.take(pa.array(changed))).append_column(
        "after", new.texts.take(pa.array(changed))
    )


def main(argv: list[str] | None = None) -> None:
    """Write the clean seeds, the rejected ones as published, the repaired texts before and after, and the changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="the source's cleaning settings, as JSON")
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of adapt_source")
    parser.add_argument("--clean", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--changes", required=True, type=Path, help="JSON file to write: shortened, rewritten")
    parser.add_argument("--repaired", required=True, type=Path, help="parquet file to write: texts that were repaired")
    args = parser.parse_args(argv)

    shortened: Counter[str] = Counter()
    rewritten = 0
    with (
        TableWriter(args.clean, SEED) as clean,
        RejectedWriter(args.rejected) as rejected,
        TableWriter(args.repaired, REPAIRED) as repaired,
        progress(count_rows([args.seeds]), f"cleaning {args.seeds.stem}", "seed") as bar,
    ):
        for seeds in batches(args.seeds):
            # Rules see the texts as published: the repair would hide escapes and control characters.
            found = faults(seeds, args.settings)
            lost = [fault for fault in found if not fault.exchanges]
            kept = [fault for fault in found if fault.exchanges]
            keep = np.ones(seeds.num_rows, dtype=bool)
            keep[[fault.row for fault in lost]] = False
            rejected.add(
                [
                    rejected_seed(seed, fault.rule, {"source": seed["source"], "text": fault.evidence})
                    for seed, fault in zip(seeds.filter(pa.array(~keep)).to_pylist(), lost, strict=True)
                ]
            )
            shortened.update(fault.rule for fault in kept)
            fit = shorten(seeds, kept).filter(pa.array(keep))
            after = map_texts(fit, repair_texts)
            repaired.write(repairs(fit, after))
            if args.settings["short_answers"] == "rewrite":
                after, count = short_answers_as_references(after, args.settings["min_answer_chars"])
                rewritten += count
            clean.write(after)
            bar.update(seeds.num_rows)
    write_json(args.changes, {"shortened": dict(shortened.most_common()), "rewritten": rewritten})
    logging.info(
        "%s: %d clean seeds, %d texts repaired, rejected %s, conversations shortened %s",
        args.seeds.stem,
        clean.rows,
        repaired.rows,
        dict(rejected.by_reason.most_common()),
        dict(shortened.most_common()),
    )


if __name__ == "__main__":
    run(main)
