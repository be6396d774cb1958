"""Take out a source's seeds that break a cleaning rule in any of their texts, or whose length is out of bounds."""

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
from workflow_scripts.common.types import Row
from workflow_scripts.seeds import texts
from workflow_scripts.seeds.cleaning.rules import RULES, first_faults
from workflow_scripts.seeds.cleaning.text_repair import mend
from workflow_scripts.seeds.schema import SEED


def faults(seeds: pa.Table, settings: Row) -> list[tuple[int, str, str]]:
    """(row, rule, evidence) of every unfit seed, by the first fault in the first unfit text of its turns."""
    found = texts.of(seeds)
    lengths = pc.utf8_length(found.texts).to_numpy()
    trimmed = pc.utf8_length(pc.utf8_trim_whitespace(found.texts)).to_numpy()
    names = np.array(first_faults(found.texts, found.answers, settings["rules"]), dtype=object)
    bounds = {
        "too_long": lengths > settings["max_chars"],
        "short_answer": found.answers & (trimmed < settings["min_answer_chars"]),
        "short_request": found.opening & (trimmed < settings["min_request_chars"]),
    }
    for name, broken in bounds.items():
        names[broken & np.equal(names, None)] = name
    unfit = np.flatnonzero(np.not_equal(names, None))
    rows, first = np.unique(found.rows[unfit], return_index=True)
    places = unfit[first]
    return [
        (int(row), names[place], _evidence(names[place], text))
        for row, place, text in zip(rows, places, found.texts.take(pa.array(places)).to_pylist(), strict=True)
    ]


def _evidence(name: str, text: str) -> str:
    if name in RULES:
        return RULES[name].evidence(text)
    return f"{len(text)} characters: {text[:80]}"


def main(argv: list[str] | None = None) -> None:
    """Write the clean seeds and the rejected ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="the source's cleaning settings, as JSON")
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of adapt_source")
    parser.add_argument("--clean", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    with (
        TableWriter(args.clean, SEED) as clean,
        RejectedWriter(args.rejected) as rejected,
        progress(count_rows([args.seeds]), f"cleaning {args.seeds.stem}", "seed") as bar,
    ):
        for seeds in batches(args.seeds):
            unfit = faults(seeds, args.settings)  # as published: mending would hide escapes and control characters
            ids, sources = seeds["id"].to_pylist(), seeds["source"].to_pylist()
            rejected.add([(ids[row], name, {"source": sources[row], "text": text}) for row, name, text in unfit])
            keep = np.ones(seeds.num_rows, dtype=bool)
            keep[[row for row, _, _ in unfit]] = False
            clean.write(texts.mapped(seeds.filter(pa.array(keep)), mend))
            bar.update(seeds.num_rows)
    logging.info("%s: %d clean seeds, rejected %s", args.seeds.stem, clean.rows, dict(rejected.by_reason.most_common()))


if __name__ == "__main__":
    run(main)
