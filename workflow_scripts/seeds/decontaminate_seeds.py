"""Remove the seeds that contain a benchmark item, so that no teacher is paid to amplify one.

Finished conversations are not amplified: they are searched with all other conversations.
"""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import seed_as_conversation
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.common.types import Hit, Row
from workflow_scripts.decontamination.benchmark_index import BenchmarkIndex, find_hits, load_benchmark_index
from workflow_scripts.decontamination.corpus import SearchText, read_turns
from workflow_scripts.decontamination.removal import AllowList, hit_evidence, judge
from workflow_scripts.decontamination.tables import is_word
from workflow_scripts.seeds.schema import SEED, rejected_seed, to_row


def search_texts(seeds: list[Row]) -> list[SearchText]:
    """The texts of the seeds to search, in the turns that the pages show; of a finished conversation none."""
    return [
        SearchText(number, seed["id"], seed["source"], read_turns(dict(seed_as_conversation(to_row(seed))), []))
        for number, seed in enumerate(seeds)
        if seed["kind"] != "conversation"
    ]


def main(argv: list[str] | None = None) -> None:
    """Write the other seeds, the removed ones with the hits as evidence, and all hits at `--remove-at` or above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of deduplicate_seeds")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument(
        "--remove-at", required=True, type=int, help="lowest similarity that removes a seed, in percent"
    )
    parser.add_argument(
        "--allow", required=True, type=json.loads, help="accepted hits, as JSON: [{benchmark, item, id, reason}, ...]"
    )
    parser.add_argument("--searched", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file to write: judged hits")
    args = parser.parse_args(argv)

    index, allow = load_benchmark_index(args.index), AllowList(args.allow)
    with (
        TableWriter(args.searched, SEED) as searched,
        RejectedWriter(args.rejected) as rejected,
        progress(count_rows([args.seeds]), "searching seeds", "seed") as bar,
    ):

        def judged() -> Iterator[Hit]:
            for table in batches(args.seeds):
                hits = table_hits(index, table, args.remove_at, allow)
                evidence: dict[str, list[Row]] = defaultdict(list)
                for hit in hits:
                    if hit["counts"]:
                        evidence[hit["id"]].append(hit_evidence(hit))
                keep = np.array([seed_id not in evidence for seed_id in table["id"].to_pylist()], dtype=bool)
                searched.write(table.filter(pa.array(keep)))
                rejected.add(
                    [
                        rejected_seed(seed, "contaminated", {"source": seed["source"], "hits": evidence[seed["id"]]})
                        for seed in table.filter(pa.array(~keep)).to_pylist()
                    ]
                )
                bar.update(table.num_rows)
                yield from (hit for hit in hits if not is_word(hit))

        write_jsonl(args.hits, judged())
    logging.info("%d seeds contain no benchmark item, %d do", searched.rows, rejected.rows)


def table_hits(index: BenchmarkIndex, seeds: pa.Table, remove_at: int, allow: AllowList) -> list[Hit]:
    """The judged hits of the seeds of a table, in their order."""
    found = find_hits(index, search_texts(seeds.to_pylist()))
    return list(judge((hit for _, hits in found for hit in hits), [], remove_at, allow))


if __name__ == "__main__":
    run(main)
