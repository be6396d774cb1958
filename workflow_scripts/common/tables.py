"""Tables larger than memory: parquet read and written in batches, rejected rows the same way."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 8192  # rows in memory at once

REJECTED = pa.schema([("id", pa.string()), ("reason", pa.string()), ("evidence", pa.string())])


def batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """A parquet file in tables of at most `BATCH` rows."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=columns):
            yield pa.Table.from_batches([batch])


def count_rows(paths: Iterable[Path]) -> int:
    """Rows of parquet files, from their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


class TableWriter:
    """A parquet file written table by table under a temporary name; it takes its own name when the block ends well."""

    def __init__(self, path: Path, schema: pa.Schema):
        self.path = Path(path)
        self.rows = 0
        self._schema = schema
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        os.close(handle)
        self._temporary = Path(name)
        self._writer = pq.ParquetWriter(name, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        """Append rows; columns are put into the schema's order and types."""
        if table.num_rows:
            self._writer.write_table(table.select(self._schema.names).cast(self._schema))
            self.rows += table.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        try:
            self._writer.close()
            if error is None:
                with open(self._temporary, "rb") as file:
                    os.fsync(file.fileno())
                umask = os.umask(0)
                os.umask(umask)
                self._temporary.chmod(0o666 & ~umask)  # mkstemp makes the file private; others share this folder
                self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


class RejectedWriter(TableWriter):
    """Rejected rows: id, reason (a name in snake_case) and evidence, what a curator needs to judge it, as JSON."""

    def __init__(self, path: Path):
        super().__init__(path, REJECTED)
        self.by_reason: Counter[str] = Counter()

    def add(self, rows: Sequence[tuple[str, str, Any]]) -> None:
        """Append (id, reason, evidence) rows."""
        ids, reasons, evidence = zip(*rows, strict=True) if rows else ((), (), ())
        self.by_reason.update(reasons)
        texts = [json.dumps(value, ensure_ascii=False) for value in evidence]
        self.write(pa.table([list(ids), list(reasons), texts], schema=REJECTED))
