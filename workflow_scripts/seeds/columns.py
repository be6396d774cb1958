"""Columns of published tables as texts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.row_tables import json_array, parse_json, text_array

PICTURE = {"bytes", "path"}  # the parts of a picture as `datasets` stores it


class WrongType(TypeError):
    """A column, or one row of it (from 0), whose values are not texts."""

    def __init__(self, name: str, type_name: str, row: int | None = None):
        super().__init__(f"`{name}` is {type_name}, expected text")
        self.row = row

    def at(self, rows: np.ndarray) -> "WrongType":
        """The same error if its row is a place in `rows`."""
        if self.row is not None:
            self.row = int(rows[self.row])
        return self


def find_column(table: pa.Table, name: str) -> tuple[pa.Array, str] | None:
    """The column `name`, or the value inside a column at a dotted path such as `user.displayName`; None if there is none."""
    if name in table.column_names:
        values = table.column(name).combine_chunks()
        return None if _is_nested(values) else (values, name)
    head, _, path = name.partition(".")
    if not path or head not in table.column_names:
        return None
    values = table.column(head).combine_chunks()
    if isinstance(values, pa.ExtensionArray):
        return json_array([_inside(value, path.split(".")) for value in parsed(values)]), name
    for step in path.split("."):
        if not pa.types.is_struct(values.type) or step not in [inner.name for inner in values.type]:
            return None
        values = pc.struct_field(values, step)
    return values, name


def _is_nested(values: pa.Array) -> bool:
    """Whether all values are objects other than pictures: only a dotted path reads them."""
    if pa.types.is_struct(values.type):
        return {inner.name for inner in values.type} != PICTURE
    if not isinstance(values, pa.ExtensionArray):
        return False
    filled = [value for value in parsed(values) if value is not None]
    return bool(filled) and all(isinstance(value, dict) and set(value) != PICTURE for value in filled)


def parsed(values: pa.Array) -> list[Any]:
    """The values of a JSON column."""
    return [None if text is None else parse_json(text) for text in values.to_pylist()]


def _inside(value: Any, path: list[str]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def as_texts(values: pa.Array, name: str) -> pa.Array:
    """A column as texts. Raises WrongType for a value that is neither text, a list of texts, nor a time of a parquet file."""
    kind = values.type
    if pa.types.is_struct(kind) and {inner.name for inner in kind} == PICTURE:
        present = pc.or_(*(part.is_valid() for part in values.flatten()))
        return pc.if_else(present, "image", pa.scalar(None, pa.string()))
    if isinstance(values, pa.ExtensionArray):
        return _json_texts(parsed(values), name)
    if (
        pa.types.is_null(kind)
        or pa.types.is_dictionary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    ):
        values = values.cast(pa.string())
    if pa.types.is_timestamp(kind):
        values = pc.strftime(values.cast(pa.timestamp("s"), safe=False), "%Y-%m-%dT%H:%M:%SZ")
    if kind in (pa.list_(pa.string()), pa.list_(pa.null())):  # several authors
        values = pc.binary_join(values.cast(pa.list_(pa.string())), ", ")
    if not pa.types.is_string(values.type):
        raise WrongType(name, str(values.type))
    return values


def _json_texts(values: list[Any], name: str) -> pa.Array:
    """Values of a JSON column as texts: a list of texts is joined, a picture is the text "image". Raises WrongType."""
    texts = []
    for row, value in enumerate(values):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = ", ".join(value)
        elif isinstance(value, dict) and set(value) == PICTURE:
            value = "image" if any(value.values()) else None
        if not isinstance(value, str | None):
            raise WrongType(name, type(value).__name__, row)
        texts.append(value)
    array = text_array(texts)
    if array is None:
        row = next(row for row, text in enumerate(texts) if text_array([text]) is None)
        raise WrongType(name, "text with half of a surrogate pair (\\ud800 to \\udfff)", row)
    return array
