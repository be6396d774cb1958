"""Rows of any file as a parquet table whose cells mean exactly what the file says.

A column whose values are all texts (or null) is a column of texts. Any other column contains each value as JSON
(`arrow.json`), so a column may change its type, start late, or nest. Columns of parquet files keep their types.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from workflow_scripts.common.tables import TableWriter
from workflow_scripts.common.types import Row

Columns = dict[str, list[Any] | pa.Array]  # values of equal number by column; an array contains texts


def to_columns(rows: list[Row]) -> Columns:
    """Rows as columns; a value that a row lacks is None."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def text_array(values: list[Any] | pa.Array) -> pa.Array | None:
    """The values as texts; None if one is neither text nor null, or contains half of a surrogate pair."""
    if isinstance(values, pa.Array):
        return values
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError):
        return None


def json_array(values: list[Any]) -> pa.Array:
    """Each value as JSON; null stays null."""
    texts = pa.array([None if value is None else _dump(value) for value in values], pa.string())
    return pa.ExtensionArray.from_storage(pa.json_(), texts)


def _dump(value: Any) -> bytes | str:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, or half of a surrogate pair
        return json.dumps(value)


def parse_json(text: str) -> Any:
    """The value of a cell of a JSON column."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


class _UnknownColumn(Exception):
    """A batch has a column that the schema lacks, or a value that is not text in a column of texts."""


def write_columns(read: Callable[[], Iterable[Columns]], target: Path, max_rows: int | None) -> int:
    """Write batches of columns as parquet; the number of rows written, at most `max_rows`.

    The columns of the first batch are expected to be those of the file. If they are not, all batches are read once for
    the columns and once more for the rows.
    """
    batches = _head(read(), max_rows)
    first = next(batches, {})
    try:
        return _write(chain([first], batches), _kinds(first), target)
    except _UnknownColumn:
        kinds: dict[str, bool] = {}
        for batch in _head(read(), max_rows):
            for name, is_text in _kinds(batch).items():
                kinds[name] = kinds.get(name, True) and is_text
        return _write(_head(read(), max_rows), kinds, target)


def _head(batches: Iterable[Columns], rows: int | None) -> Iterator[Columns]:
    """The batches up to `rows` rows."""
    left = rows
    for batch in batches:
        count = _count(batch)
        if left is not None and count >= left:
            yield {name: values[:left] for name, values in batch.items()}
            return
        yield batch
        left = None if left is None else left - count


def _count(batch: Columns) -> int:
    return len(next(iter(batch.values()), []))


def _kinds(batch: Columns) -> dict[str, bool]:
    """Whether each column is a column of texts."""
    return {name: text_array(values) is not None for name, values in batch.items()}


def _write(batches: Iterable[Columns], kinds: dict[str, bool], target: Path) -> int:
    schema = pa.schema([(name, pa.string() if is_text else pa.json_()) for name, is_text in kinds.items()])
    with TableWriter(target, schema, "snappy") as writer:
        for batch in batches:
            if batch.keys() - kinds.keys():
                raise _UnknownColumn
            arrays = []
            for name, is_text in kinds.items():
                values = batch.get(name, [None] * _count(batch))
                array = text_array(values) if is_text else json_array(values)
                if array is None:
                    raise _UnknownColumn
                arrays.append(array)
            writer.write(pa.Table.from_arrays(arrays, schema=schema))
        return writer.rows
