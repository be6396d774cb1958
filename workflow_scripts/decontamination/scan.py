"""Search files block by block in one or several processes; results are in the order of the blocks."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.types import Hit
from workflow_scripts.decontamination.benchmark_index import BenchmarkIndex, find_hits, load_benchmark_index
from workflow_scripts.decontamination.corpus import Block, read_block, rows_before


@dataclass
class BlockHits:
    """The result for one block: the number of rows, of conversations among them, and the hits with file and row."""

    block: Block
    rows: int
    conversations: int
    hits: list[Hit]


class _Searcher:
    """The state that a process keeps between blocks."""

    index: BenchmarkIndex
    columns: list[str]
    error: UserError | None = None

    @classmethod
    def start(cls, folder: Path, columns: list[str]) -> None:
        cls.error = None
        try:
            cls.index, cls.columns = load_benchmark_index(folder), columns
        except UserError as error:  # raised by `search`: an error in an initializer loses its message
            cls.error = error

    @classmethod
    def search(cls, block: Block) -> BlockHits:
        if cls.error:
            raise cls.error
        result = BlockHits(block, 0, 0, [])
        for texts, rows in read_block(block, cls.columns):
            result.rows += rows
            result.conversations += len(texts)
            result.hits += [
                hit | {"file": str(block.path), "row": text.row}
                for text, hits in find_hits(cls.index, texts)
                for hit in hits
            ]
        return result


def scan(blocks: list[Block], index: Path, columns: list[str], processes: int) -> Iterator[BlockHits]:
    """Search blocks with the index in a folder; a row without an id gets `<file>:<row>` as the id of its hits.

    UserError if a row is invalid or a process is killed.
    """
    size = sum(block.end - block.start for block in blocks)
    path, before = None, 0
    with progress(size, "searching", "B", scale=True) as bar:
        for result in _results(blocks, index, columns, processes):
            if result.block.path != path:
                path, before = result.block.path, rows_before(result.block)
            for hit in result.hits:
                hit["row"] += before + 1
                hit["id"] = hit["id"] or f"{result.block.path.name}:{hit['row']}"
            before += result.rows
            yield result
            bar.update(result.block.end - result.block.start)


def _results(blocks: list[Block], index: Path, columns: list[str], processes: int) -> Iterator[BlockHits]:
    if processes == 1 or len(blocks) <= 1:
        _Searcher.start(index, columns)
        yield from map(_Searcher.search, blocks)
        return
    # A fork would copy the threads of the parquet reader.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(blocks))
    with ProcessPoolExecutor(workers, context, _Searcher.start, (index, columns)) as pool:
        try:
            yield from pool.map(_Searcher.search, blocks)
        except BrokenProcessPool as error:
            raise UserError(
                "a search process was killed: memory may be exhausted. Run again with fewer processes."
            ) from error
