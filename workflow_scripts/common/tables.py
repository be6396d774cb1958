"""Tables larger than memory: parquet files, read and written in batches; the parquet form of rejected rows."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.common.rows import atomically
from workflow_scripts.common.types import Rejected

BATCH = 8192  # rows in memory at once

REJECTED = pa.schema(
    [
        ("id", pa.string()),
        ("reason", pa.string()),
        ("evidence", pa.string()),  # JSON
        ("source", pa.string()),
        ("conversation", pa.string()),  # JSON
        ("provenance", pa.string()),  # JSON
    ]
)
JSON_COLUMNS = ("evidence", "conversation", "provenance")


def batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a parquet file as tables of at most `BATCH` rows."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=columns):
            yield pa.Table.from_batches([batch])


def count_rows(paths: Iterable[Path]) -> int:
    """Total number of rows of parquet files, read from their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


class TableWriter:
    """Writes a parquet file table by table; the file appears when the block ends without an error."""

    def __init__(self, path: Path, schema: pa.Schema, compression: str = "zstd"):
        self.path = Path(path)
        self.rows = 0
        self._schema = schema
        self._block = contextlib.ExitStack()
        self._writer = pq.ParquetWriter(
            self._block.enter_context(atomically(self.path)), schema, compression=compression
        )

    def write(self, table: pa.Table) -> None:
        """Append rows, with columns in the order and of the types of the schema."""
        if table.num_rows:
            self._writer.write_table(table.select(self._schema.names).cast(self._schema))
            self.rows += table.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as block:
            block.push(self._block)
            self._writer.close()
            block.pop_all().__exit__(kind, error, trace)


class RejectedWriter(TableWriter):
    """Writes a parquet file of rejected rows; `by_reason` counts them."""

    def __init__(self, path: Path):
        super().__init__(path, REJECTED)
        self.by_reason: Counter[str] = Counter()

    def add(self, rows: Sequence[Rejected]) -> None:
        """Append rows of `common.stage.rejected_row`."""
        self.by_reason.update(row["reason"] for row in rows)
        texts = [
            {
                name: json.dumps(value, ensure_ascii=False) if name in JSON_COLUMNS else value
                for name, value in row.items()
            }
            for row in rows
        ]
        self.write(pa.Table.from_pylist(texts, REJECTED))


def read_rejected(path: Path, condition: pc.Expression | None = None) -> Iterator[Rejected]:
    """The rows of a `RejectedWriter`'s file, or those for which `condition` on its columns is true."""
    for table in batches(path):
        for row in (table if condition is None else table.filter(condition)).to_pylist():
            yield Rejected(
                id=row["id"],
                reason=row["reason"],
                evidence=json.loads(row["evidence"]),
                source=row["source"],
                conversation=json.loads(row["conversation"]),
                provenance=json.loads(row["provenance"]),
            )
