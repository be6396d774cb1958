"""Write copies of files without the removed rows."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.json_files import json_rows
from workflow_scripts.common.rows import atomically
from workflow_scripts.common.tables import TableWriter
from workflow_scripts.common.text_files import BLOCK_BYTES, COMPRESSIONS, is_compressed
from workflow_scripts.decontamination.corpus import Block, parquet_batches, raw_lines, rows_before


def write_clean(
    files: list[Path], blocks: list[Block], removed: set[tuple[str, int]], folder: Path, suffix: str
) -> None:
    """Write the rows of `blocks` except the `removed` (file, row from 1), each file in its own format, lines unchanged.

    The rows of an array are an array again, one a line.

    A file without a block in this shard gets an empty copy, so every shard writes the same set of files.
    """
    for path in files:
        own_blocks = [block for block in blocks if block.path == path]
        removed_rows = {row for name, row in removed if name == str(path)}
        endings = "".join(path.suffixes[-2:]) if is_compressed(path) else path.suffix
        target = folder / f"{path.name.removesuffix(endings)}{suffix}{endings}"
        row = rows_before(own_blocks[0]) if own_blocks else 0
        if path.suffix == ".parquet":
            with TableWriter(target, pq.read_schema(path)) as writer:
                for batch in (batch for block in own_blocks for batch in parquet_batches(block)):
                    kept = [row + place + 1 not in removed_rows for place in range(batch.num_rows)]
                    writer.write(pa.Table.from_batches([batch]).filter(pa.array(kept, pa.bool_())))
                    row += batch.num_rows
        elif own_blocks and own_blocks[0].array:
            rows = (row for batch in json_rows(path) for row in batch)
            kept_rows = [row for place, row in enumerate(rows, 1) if place not in removed_rows]
            text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept_rows)
            with atomically(target) as file:
                for part in _encoded([b"[\n", text.encode("utf-8", "surrogatepass"), b"\n]\n"], path):
                    file.write(part)
        else:
            with atomically(target) as file:
                lines = (line for block in own_blocks for lines in raw_lines(block) for line in lines)
                kept_lines = (line + b"\n" for place, line in enumerate(lines, row + 1) if place not in removed_rows)
                for part in _encoded(kept_lines, path):
                    file.write(part)


def _encoded(lines: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """The lines as the suffix of `path` says: as they are, or compressed in several frames, which readers take for one."""
    if not is_compressed(path):
        yield from lines
        return
    codec = pa.Codec(COMPRESSIONS[path.suffix.lower()])
    part = bytearray()
    for line in lines:
        part += line
        if len(part) >= BLOCK_BYTES:
            yield codec.compress(bytes(part), asbytes=True)
            part.clear()
    yield codec.compress(bytes(part), asbytes=True)
