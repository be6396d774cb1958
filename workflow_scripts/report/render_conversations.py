"""Render the conversation browser: all rows of a run, in the dataset or rejected at any stage, with search and filters."""

import argparse
import heapq
import logging
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import cast

import pyarrow.parquet as pq
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import parse_line, read_jsonl, read_rows, write_text
from workflow_scripts.common.types import Conversation, Hit, Rejected, Row, Seed
from workflow_scripts.report.conversations import HIDDEN, STAGES, Index, displayed_row, was_searched, with_keys
from workflow_scripts.report.embedded_data import write_parts
from workflow_scripts.report.pages import render, script_hash

SCRIPTS = (  # of the page itself
    package_file("report/templates/conversations_data.js"),
    package_file("report/templates/conversations_view.js"),
    package_file("report/templates/conversations.js"),
)
MAX_SEEDS_PER_REASON = 2000  # a run can reject millions of seeds; the lowest ids are a random sample


class LineIndex:
    """The lines of JSONL files by the `id` of their rows. Only the positions of the lines are kept in memory."""

    def __init__(self) -> None:
        self.positions: dict[str, list[tuple[Path, int]]] = defaultdict(list)

    def add(self, path: Path, max_per_reason: int | None = None) -> dict[str, int]:
        """Index a file, of each `reason` at most `max_per_reason` rows. Returns the number of omitted rows by reason."""
        count: dict[str, int] = defaultdict(int)
        position = 0
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = parse_line(path, number, line)
                    reason = row.get("reason", "")
                    count[reason] += 1
                    if max_per_reason is None or count[reason] <= max_per_reason:
                        self.positions[row["id"]].append((path, position))
                position += len(line)
        if max_per_reason is None:
            return {}
        return {reason: rows - max_per_reason for reason, rows in sorted(count.items()) if rows > max_per_reason}

    def read(self, row_id: str | None) -> Iterator[tuple[Path, Row]]:
        """All rows of an id with their files, in the order in which the files were added."""
        for path, position in self.positions.get(row_id or "", ()):
            with open(path, "rb") as file:
                file.seek(position)
                yield path, parse_line(path, 0, file.readline())


def index_rejected(paths: list[Path], max_seeds_per_reason: int) -> tuple[LineIndex, list[tuple[str, str, int]]]:
    """The rejected rows of all stages, last stage first, and the number of omitted seeds: (stage, reason, rows)."""
    rejected, omitted = LineIndex(), []
    for path in sorted(paths, key=lambda path: STAGES.index(path.parent.name)):
        stage = path.parent.name
        beyond = rejected.add(path, max_seeds_per_reason if stage == "seeds" else None)
        omitted += [(stage, reason, rows) for reason, rows in beyond.items()]
    return rejected, omitted


def all_rows(args: argparse.Namespace, rejected: LineIndex) -> Iterator[Row]:
    """Every row of the page, sorted by id; an id appears once for the dataset and once for every rejection.

    Raises ValueError for a conversation that is neither in the dataset nor rejected.
    """
    splits = {
        row_id: split
        for split in ("train", "test")
        for row_id in pq.read_table(getattr(args, split), columns=["id"])["id"].to_pylist()
    }
    hits: dict[str, list[Hit]] = defaultdict(list)
    for path in args.hits:
        for hit in read_rows(path, Hit):
            hits[hit["id"]].append(hit)
    seeds = LineIndex()
    for path in args.seeds:
        seeds.add(path)
    ordered = heapq.merge(
        read_jsonl(args.conversations), ({"id": row_id} for row_id in sorted(rejected.positions)), key=itemgetter("id")
    )
    for row_id, group in groupby(ordered, itemgetter("id")):
        outcomes: list[tuple[str, Conversation | Rejected]] = [
            (path.parent.name, cast(Rejected, row)) for path, row in rejected.read(row_id)
        ]
        if row_id in splits:
            outcomes.insert(
                0, (splits[row_id], next(cast(Conversation, row) for row in group if "conversation" in row))
            )
        if not outcomes:
            raise ValueError(f"{args.conversations}: {row_id} is neither in the dataset nor rejected")
        for stage, row in outcomes:
            seed = next((cast(Seed, seed) for _, seed in seeds.read(row["provenance"].get("seed"))), None)
            searched = args.searched and was_searched(stage, row)
            yield displayed_row(stage, row, seed, hits.get(row_id, []) if searched else None)


def main(argv: list[str] | None = None) -> None:
    """Write the page and the scripts that contain its conversations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument(
        "--hits", required=True, type=Path, nargs="+", help="hits.jsonl of the decontamination and of the seeds"
    )
    parser.add_argument("--searched", required=True, type=int, help="1 if benchmarks were searched for, else 0")
    parser.add_argument("--train", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--test", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument(
        "--rejected", required=True, type=Path, nargs="+", help="rejected.jsonl of each stage, in the stage's folder"
    )
    parser.add_argument(
        "--seeds",
        required=True,
        type=Path,
        nargs="*",
        help="JSONL file of select_seeds, if it ran, for the requests that rewritten openings replaced",
    )
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    parser.add_argument(
        "--parts", required=True, type=Path, nargs="+", help="scripts to write, which the page loads, in order"
    )
    args = parser.parse_args(argv)

    rejected, omitted = index_rejected(args.rejected, MAX_SEEDS_PER_REASON)
    index = Index()

    def indexed_rows() -> Iterator[Row]:
        for row in with_keys(all_rows(args, rejected)):
            index.add(row)
            yield row

    blocks = write_parts(indexed_rows(), args.parts)
    texts = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    values = {
        **index.to_json(),
        "blocks": blocks,
        "stages": STAGES,
        "hidden": HIDDEN.pattern,
        "left_out": omitted,
        "parts": [path.relative_to(args.page.parent).as_posix() for path in args.parts],
    }
    page = render(
        package_file("report/templates/conversations.html.jinja"),
        run=args.run,
        scripts=[{"text": Markup(text), "hash": script_hash(text)} for text in texts],
        index=htmlsafe_json_dumps(values, separators=(",", ":")),
    )
    write_text(args.page, page)
    logging.info("%s: %s", args.page, counted(len(index), "row"))


if __name__ == "__main__":
    run(main)
