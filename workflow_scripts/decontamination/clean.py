"""Write copies of files without the removed rows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.rows import atomically
from workflow_scripts.common.tables import TableWriter
from workflow_scripts.decontamination.corpus import Block, parquet_batches, raw_lines, rows_before


def write_clean(
    files: list[Path], blocks: list[Block], removed: set[tuple[str, int]], folder: Path, suffix: str
) -> None:
    """Write the rows of `blocks` except the `removed` (file, row from 1), each file in its own format, lines unchanged.

    A file without a block in this shard gets an empty copy, so every shard writes the same set of files.
    """
    for path in files:
        own_blocks = [block for block in blocks if block.path == path]
        removed_rows = {row for name, row in removed if name == str(path)}
        target = folder / f"{path.stem}{suffix}{path.suffix}"
        row = rows_before(own_blocks[0]) if own_blocks else 0
        if path.suffix == ".parquet":
            with TableWriter(target, pq.read_schema(path)) as writer:
                for batch in (batch for block in own_blocks for batch in parquet_batches(block)):
                    kept = [row + place + 1 not in removed_rows for place in range(batch.num_rows)]
                    writer.write(pa.Table.from_batches([batch]).filter(pa.array(kept, pa.bool_())))
                    row += batch.num_rows
        else:
            with atomically(target) as file:
                for line in (line for block in own_blocks for line in raw_lines(block)):
                    row += 1
                    if row not in removed_rows:
                        file.write(line + b"\n")
