"""A page to search and read all conversations of a run: those to train on, those held out, the rejected of every stage."""

import argparse
import base64
import hashlib
import heapq
import logging
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import parse_line, read_jsonl, write_text
from workflow_scripts.common.tables import batches
from workflow_scripts.common.types import Row
from workflow_scripts.report.conversations import HIDDEN, STAGES, Index, keyed, of_seed, shown
from workflow_scripts.report.embedded_data import write_parts
from workflow_scripts.report.pages import render
from workflow_scripts.seeds.schema import to_row

Outcome = tuple[str, str | None, Any]  # stage, reason (None in the data set), evidence
SCRIPTS = (
    package_file("report/templates/conversations_data.js"),
    package_file("report/templates/conversations_view.js"),
    package_file("report/templates/conversations.js"),
)  # of the page itself
SEEDS_OF_A_REASON = 2000  # rejected seeds can be many times the run: of each reason the lowest ids are a fair sample


class Rejected:
    """The rejected rows of all stages by id, those of the furthest stage first; `left_out` counts seeds beyond the limit."""

    def __init__(self, paths: list[Path], limit: int):
        self.by_id: dict[str, list[Outcome]] = defaultdict(list)
        seeds: dict[str, int] = defaultdict(int)
        for path in sorted(paths, key=lambda path: STAGES.index(path.parent.name)):
            stage = path.parent.name
            for row in read_jsonl(path):
                seeds[row["reason"]] += stage == "seeds"
                if stage != "seeds" or seeds[row["reason"]] <= limit:
                    self.by_id[row["id"]].append((stage, row["reason"], row["evidence"]))
        self.left_out = [["seeds", reason, rows - limit] for reason, rows in sorted(seeds.items()) if rows > limit]


class SeedFile:
    """The chosen seeds by id; in memory is only where each begins."""

    def __init__(self, paths: list[Path]):
        self._places: dict[str, tuple[Path, int]] = {}
        for path in paths:
            place = 0
            with open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    self._places[parse_line(path, number, line)["id"]] = (path, place)
                    place += len(line)

    def get(self, seed_id: str | None) -> Row | None:
        """The seed of this id, if it was chosen."""
        if seed_id not in self._places:
            return None
        path, place = self._places[seed_id]
        with open(path, "rb") as file:
            file.seek(place)
            return parse_line(path, 0, file.readline())


def refused_seeds(paths: list[Path], ids: set[str]) -> dict[str, Row]:
    """Seeds of these ids as they were read from their sources."""
    wanted = pa.array(sorted(ids), pa.string())
    return {
        seed["id"]: to_row(seed)
        for path in paths
        for table in batches(path)
        for seed in table.filter(pc.is_in(table["id"], wanted)).to_pylist()
    }


def made_of(shards: Path, count: int, ids: set[str]) -> dict[str, Row]:
    """Conversations of these ids, or made of seeds of these ids, as the shards have them."""
    return {
        name: row
        for number in range(count)
        for row in read_jsonl(shards / f"{number:04d}.jsonl")
        for name in (row["id"], row["provenance"]["seed"])
        if name in ids
    }


def all_rows(args: argparse.Namespace, rejected: Rejected) -> Iterator[Row]:
    """Every row of the page, in the order of the ids; a row for each time that an id was rejected."""
    splits = {
        row_id: stage
        for stage in ("train", "test")
        for row_id in pq.read_table(getattr(args, stage), columns=["id"])["id"].to_pylist()
    }
    hits: dict[str, list[Row]] = defaultdict(list)
    for hit in read_jsonl(args.hits):
        hits[hit["id"]].append(hit)
    chosen = SeedFile(args.seeds)
    refused = refused_seeds(
        args.adapted,
        {row_id for row_id, ends in rejected.by_id.items() if any(stage == "seeds" for stage, _, _ in ends)},
    )
    made = made_of(args.shards, args.shard_count, set(rejected.by_id))

    def text(row_id: str, stage: str) -> Row | None:
        if stage == "seeds":
            return of_seed(refused[row_id]) if row_id in refused else None
        if row_id in made:
            return made[row_id]
        seed = chosen.get(row_id)
        return of_seed(seed) if seed else None

    ordered = heapq.merge(
        read_jsonl(args.conversations), ({"id": row_id} for row_id in sorted(rejected.by_id)), key=itemgetter("id")
    )
    for row_id, group in groupby(ordered, itemgetter("id")):
        assembled = next((row for row in group if "conversation" in row), None)
        ends: list[Outcome] = list(rejected.by_id.get(row_id, []))
        if row_id in splits:
            ends.insert(0, (splits[row_id], None, None))
        if not ends:
            raise ValueError(f"{args.conversations}: {row_id} is neither in the data set nor rejected")
        for end in ends:
            row = assembled or text(row_id, end[0])
            seed = chosen.get(row["provenance"].get("seed")) if row else None
            yield shown(row_id, end, row, seed, hits.get(row_id, []) if row else [])


def script_hash(script: str) -> str:
    """What a page's policy calls a script that it allows."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def main(argv: list[str] | None = None) -> None:
    """Write the page and the scripts that hold its conversations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--hits", required=True, type=Path, help="hits.jsonl of the decontamination")
    parser.add_argument("--train", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--test", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument(
        "--rejected", required=True, type=Path, nargs="+", help="rejected.jsonl of each stage, in a folder of its name"
    )
    parser.add_argument("--seeds", required=True, type=Path, nargs="*", help="JSONL file of select_seeds, if any")
    parser.add_argument("--adapted", required=True, type=Path, nargs="*", help="parquet files of adapt_source, if any")
    parser.add_argument("--shards", required=True, type=Path, help="folder of the files of synthesize_shard")
    parser.add_argument("--shard-count", required=True, type=int, help="how many there are")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    parser.add_argument("--parts", required=True, type=Path, nargs="+", help="scripts to write, which the page loads")
    args = parser.parse_args(argv)

    rejected = Rejected(args.rejected, SEEDS_OF_A_REASON)
    index = Index()

    def indexed() -> Iterator[Row]:
        for row in keyed(all_rows(args, rejected)):
            index.add(row)
            yield row

    blocks = write_parts(indexed(), args.parts)
    texts = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    told = {
        **index.told(),
        "blocks": blocks,
        "stages": STAGES,
        "hidden": HIDDEN.pattern,
        "left_out": rejected.left_out,
        "parts": [path.relative_to(args.page.parent).as_posix() for path in args.parts],
    }
    page = render(
        package_file("report/templates/conversations.html.jinja"),
        run=args.run,
        rows=len(index),
        scripts=[{"text": Markup(text), "hash": script_hash(text)} for text in texts],
        index=htmlsafe_json_dumps(told, separators=(",", ":")),
    )
    write_text(args.page, page)
    logging.info("%s: %d rows", args.page, len(index))


if __name__ == "__main__":
    run(main)
