"""Search files block by block in one or several processes; results are in the order of the blocks."""

import contextlib
import multiprocessing
import signal
import threading
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
    """The result for one block: the number of rows, of conversations among them, the hits with file and row, and the problem
    of each unreadable row, by its number in the file (from 1)."""

    block: Block
    rows: int
    conversations: int
    hits: list[Hit]
    unreadable: dict[int, str]


class _Searcher:
    """The state that a process keeps between blocks."""

    index: BenchmarkIndex
    columns: list[str]
    skip: bool
    error: UserError | None = None

    @classmethod
    def start(cls, folder: Path, columns: list[str], skip: bool) -> None:
        cls.error = None
        try:
            cls.index, cls.columns, cls.skip = load_benchmark_index(folder), columns, skip
        except UserError as error:  # raised by `search`: an error in an initializer loses its message
            cls.error = error

    @classmethod
    def search(cls, block: Block) -> BlockHits:
        if cls.error:
            raise cls.error
        result = BlockHits(block, 0, 0, [], {})
        for texts, rows in read_block(block, cls.columns, result.unreadable if cls.skip else None):
            result.rows += rows
            result.conversations += len(texts)
            result.hits += [
                hit | {"file": str(block.path), "row": text.row}
                for text, hits in find_hits(cls.index, texts)
                for hit in hits
            ]
        return result


def scan(
    blocks: list[Block], index: Path, columns: list[str], processes: int, skip_unreadable: bool = False
) -> Iterator[BlockHits]:
    """Search blocks with the index in a folder; a row without an id gets `<file>:<row>` as the id of its hits.

    UserError if a process is killed, or a row is invalid and not to be skipped.
    """
    size = sum(block.end - block.start for block in blocks)
    path, before = None, 0
    with progress(size, "searching", "B", scale=True) as bar:
        for result in _results(blocks, (index, columns, skip_unreadable), processes):
            if result.block.path != path:
                path, before = result.block.path, rows_before(result.block)
            for hit in result.hits:
                hit["row"] += before + 1
                hit["id"] = hit["id"] or f"{result.block.path.name}:{hit['row']}"
            result.unreadable = {before + row + 1: problem for row, problem in sorted(result.unreadable.items())}
            before += result.rows
            yield result
            bar.update(result.block.end - result.block.start)


def _results(blocks: list[Block], settings: tuple[Path, list[str], bool], processes: int) -> Iterator[BlockHits]:
    if processes == 1 or len(blocks) <= 1:
        _Searcher.start(*settings)
        yield from map(_Searcher.search, blocks)
        return
    # A fork would copy the threads of the parquet reader.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(blocks))
    with ProcessPoolExecutor(workers, context, _Searcher.start, settings) as pool:
        try:
            with _interrupts_ignored():  # the processes inherit it: this one ends them on Ctrl-C
                results = pool.map(_Searcher.search, blocks)
            yield from results
        except BrokenProcessPool as error:
            raise UserError(
                "a search process was killed: memory may be exhausted. Run again with fewer processes."
            ) from error


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """SIGINT has no effect in the block, nor in the processes that it starts. No effect outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
