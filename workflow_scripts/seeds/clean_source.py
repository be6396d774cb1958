"""Remove the seeds of a source that break a cleaning rule in any of their texts, or whose length is out of bounds."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.common.types import Config
from workflow_scripts.seeds.cleaning.rules import RULES, first_faults
from workflow_scripts.seeds.cleaning.text_repair import repair_texts
from workflow_scripts.seeds.schema import SEED, rejected_seed
from workflow_scripts.seeds.texts import flatten_texts, map_texts

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


def faults(seeds: pa.Table, settings: Config) -> list[tuple[int, str, str]]:
    """(row, rule, evidence) of every seed to reject: the first fault of its first faulty text."""
    flat = flatten_texts(seeds)
    lengths = pc.utf8_length(flat.texts).to_numpy()
    trimmed = pc.utf8_length(pc.utf8_trim_whitespace(flat.texts)).to_numpy()
    names = np.array(first_faults(flat.texts, flat.answers, settings["rules"]), dtype=object)
    bounds = {
        "too_long": lengths > settings["max_chars"],
        "short_answer": flat.answers & (trimmed < settings["min_answer_chars"]),
        "short_request": flat.opening & (trimmed < settings["min_request_chars"]),
    }
    for name, broken in bounds.items():
        names[broken & ~_named(names)] = name
    faulty = np.flatnonzero(_named(names))
    rows, first = np.unique(flat.rows[faulty], return_index=True)
    places = faulty[first]
    return [
        (int(row), names[place], _evidence(names[place], text))
        for row, place, text in zip(rows, places, flat.texts.take(pa.array(places)).to_pylist(), strict=True)
    ]


def _named(names: np.ndarray) -> np.ndarray:
    """Which names are not None, shape (names,)."""
    return np.array([name is not None for name in names], dtype=bool)


def _evidence(name: str, text: str) -> str:
    if name in RULES:
        return RULES[name].evidence(text)
    return f"{len(text)} characters: {text[:EVIDENCE_CHARS]}"


def repairs(before: pa.Table, after: pa.Table) -> pa.Table:
    """The texts that the repair changed, as published and as repaired, with the seeds they belong to (`REPAIRED`)."""
    old, new = flatten_texts(before), flatten_texts(after)
    changed = np.flatnonzero(pc.not_equal(old.texts, new.texts).to_numpy(zero_copy_only=False))
    seeds = before.select(["id", "dataset", "row"]).take(pa.array(old.rows[changed]))
    return seeds.append_column("before", old.texts.take(pa.array(changed))).append_column(
        "after", new.texts.take(pa.array(changed))
    )


def main(argv: list[str] | None = None) -> None:
    """Write the clean seeds, repaired, the rejected ones, as published, and the repaired texts before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="the source's cleaning settings, as JSON")
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of adapt_source")
    parser.add_argument("--clean", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--repaired", required=True, type=Path, help="parquet file to write: texts that were repaired")
    args = parser.parse_args(argv)

    with (
        TableWriter(args.clean, SEED) as clean,
        RejectedWriter(args.rejected) as rejected,
        TableWriter(args.repaired, REPAIRED) as repaired,
        progress(count_rows([args.seeds]), f"cleaning {args.seeds.stem}", "seed") as bar,
    ):
        for seeds in batches(args.seeds):
            # Rules see the texts as published: the repair would hide escapes and control characters.
            found = faults(seeds, args.settings)
            keep = np.ones(seeds.num_rows, dtype=bool)
            keep[[row for row, _, _ in found]] = False
            rejected.add(
                [
                    rejected_seed(seed, name, {"source": seed["source"], "text": text})
                    for seed, (_, name, text) in zip(seeds.filter(pa.array(~keep)).to_pylist(), found, strict=True)
                ]
            )
            kept = seeds.filter(pa.array(keep))
            after = map_texts(kept, repair_texts)
            repaired.write(repairs(kept, after))
            clean.write(after)
            bar.update(seeds.num_rows)
    logging.info(
        "%s: %d clean seeds, %d texts repaired, rejected %s",
        args.seeds.stem, clean.rows, repaired.rows, dict(rejected.by_reason.most_common()),
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
