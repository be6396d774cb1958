"""Parquet files as published: columns keep their types, and only those that are needed become Python values."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.row_tables import parse_json
from workflow_scripts.common.tables import BATCH, TableWriter
from workflow_scripts.common.types import Row

ROW = "__row__"  # number of a row in the published data, from 1, in the file of a sample


def read_schema(path: Path) -> pa.Schema:
    """The columns of a parquet file. UserError if it is not readable, or if two columns have the same name."""
    try:
        schema: pa.Schema = pq.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not a readable parquet file ({' '.join(str(error).split())}). Replace the file."
        ) from error
    if len(set(schema.names)) < len(schema.names):
        raise UserError(f"{path}: two columns have the same name. Rename one.")
    return schema


def parquet_tables(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a parquet file as tables of at most `BATCH` rows. UserError with the row if a column is damaged."""
    done = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                yield pa.Table.from_batches([batch])
                done += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        message = " ".join(str(error).split())
        raise UserError(f"{path}, after row {done}: not readable ({message}). Replace the file.") from error


def copy_parquet(files: Sequence[Path], target: Path, max_rows: int | None) -> int:
    """Write the rows of parquet files, one after the other, to `target`; their number, at most `max_rows`."""
    try:
        schema = pa.unify_schemas([read_schema(path) for path in files], promote_options="permissive")
    except pa.ArrowException as error:
        raise UserError(f"{files[0]}: the files of the data have different columns ({error}). Use one file.") from error
    with TableWriter(target, schema, "snappy") as writer:
        for path in files:
            for table in parquet_tables(path):
                missing = [name for name in schema.names if name not in table.column_names]
                for name in missing:
                    table = table.append_column(name, pa.nulls(table.num_rows, schema.field(name).type))
                left = None if max_rows is None else max_rows - writer.rows
                writer.write(table if left is None else table.slice(0, left))
                if left is not None and writer.rows == max_rows:
                    return writer.rows
        return writer.rows


def keep_rows(path: Path, rows: np.ndarray) -> None:
    """Reduce a parquet file to some of its rows (numbers from 0, ascending), with their numbers from 1 in column `ROW`."""
    schema = read_schema(path).append(pa.field(ROW, pa.int64()))
    done = 0
    with TableWriter(path, schema) as writer:
        for table in parquet_tables(path):
            first, last = np.searchsorted(rows, [done, done + table.num_rows])
            kept = rows[first:last]
            writer.write(table.take(pa.array(kept - done)).append_column(ROW, pa.array(kept + 1)))
            done += table.num_rows


def parquet_rows(files: Sequence[Path], columns: set[str]) -> Iterator[Row]:
    """Every row of parquet files with those of `columns` that the file has. UserError with file and row."""
    for path in files:
        names = [name for name in read_schema(path).names if name in columns]
        number = 0
        for table in parquet_tables(path, names):
            try:
                rows = to_rows(table)
            except (pa.ArrowException, ValueError, OverflowError) as error:
                place = number + _first_unreadable(table) + 1
                raise UserError(f"{path}, row {place}: not readable ({error}). Fix the row.") from error
            number += len(rows)
            yield from rows


def to_rows(table: pa.Table) -> list[Row]:
    """The rows of a table as Python values; cells of JSON columns are parsed, at any depth."""
    if not table.num_columns:
        return [{}] * table.num_rows
    columns = {
        name: [value_of(value, table.schema.field(name).type) for value in table.column(name).to_pylist()]
        for name in table.column_names
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def value_of(value: Any, kind: pa.DataType) -> Any:
    """A value of a parquet column as it was published: `arrow.json` is parsed, at any depth."""
    if value is None or not _contains_json(kind):
        return value
    if isinstance(kind, pa.BaseExtensionType):
        return parse_json(value)
    if pa.types.is_struct(kind):
        return {inner.name: value_of(value[inner.name], inner.type) for inner in kind}
    return [value_of(item, kind.value_type) for item in value]


def _contains_json(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return bool(kind.equals(pa.json_()))
    if pa.types.is_struct(kind):
        return any(_contains_json(inner.type) for inner in kind)
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _contains_json(kind.value_type)


def _first_unreadable(table: pa.Table) -> int:
    """The first row of a table that has no Python value."""
    for row in range(table.num_rows):
        try:
            table.slice(row, 1).to_pylist()
        except (pa.ArrowException, ValueError, OverflowError):
            return row
    return 0
