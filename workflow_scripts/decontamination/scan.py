"""The search through files, block by block, on one or several processes; results come in the order of the blocks."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.benchmark_index import BenchmarkIndex, find_hits, load_benchmark_index
from workflow_scripts.decontamination.corpus import Block, read_block, rows_before


@dataclass
class Found:
    """What a block holds: rows of the file, conversations among them, and hits, each with `file` and `row` (from 1)."""

    block: Block
    rows: int
    conversations: int
    hits: list[Row]


class _Searcher:
    """What a process keeps between blocks."""

    index: BenchmarkIndex
    columns: list[str]
    mistake: UserError | None = None

    @classmethod
    def start(cls, folder: Path, columns: list[str]) -> None:
        cls.mistake = None
        try:
            cls.index, cls.columns = load_benchmark_index(folder), columns
        except UserError as error:  # a process that fails to start could not say why
            cls.mistake = error

    @classmethod
    def search(cls, block: Block) -> Found:
        if cls.mistake:
            raise cls.mistake
        found = Found(block, 0, 0, [])
        for conversations, rows in read_block(block, cls.columns):
            found.rows += rows
            found.conversations += len(conversations)
            found.hits += [
                {**hit, "file": str(block.path), "row": conversation.row}
                for conversation, some in find_hits(cls.index, conversations)
                for hit in some
            ]
        return found


def scan(wanted: list[Block], index: Path, columns: list[str], processes: int) -> Iterator[Found]:
    """Search these blocks, with the index in a folder; a hit of a row without id has `<file>:<row>` as its id."""
    size = sum(block.end - block.start for block in wanted)
    path, before = None, 0
    with progress(size, "searching", "B", scale=True) as bar:
        for found in _results(wanted, index, columns, processes):
            if found.block.path != path:
                path, before = found.block.path, rows_before(found.block)
            for hit in found.hits:
                hit["row"] += before + 1
                hit["id"] = hit["id"] or f"{found.block.path.name}:{hit['row']}"
            before += found.rows
            yield found
            bar.update(found.block.end - found.block.start)


def _results(wanted: list[Block], index: Path, columns: list[str], processes: int) -> Iterator[Found]:
    if processes == 1 or len(wanted) <= 1:
        _Searcher.start(index, columns)
        yield from map(_Searcher.search, wanted)
        return
    # Forking would copy the threads that parquet reading has started.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(wanted))
    with ProcessPoolExecutor(workers, context, _Searcher.start, (index, columns)) as pool:
        try:
            yield from pool.map(_Searcher.search, wanted)
        except BrokenProcessPool as error:
            raise UserError(
                "a search process was killed: the machine may be out of memory. Run again with fewer processes."
            ) from error
