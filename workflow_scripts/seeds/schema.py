"""The columns of a seed between the steps of its curation; `seeds/data.jsonl` is described in docs/seeds.md."""

import json

import pyarrow as pa

from workflow_scripts.common.types import Row


def _large(kind: pa.DataType) -> pa.DataType:
    """A type with 64-bit offsets in place of 32-bit ones."""
    if pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_list(kind):
        return pa.large_list(_large(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _large(field.type)) for field in kind])
    return kind


EXCHANGES = pa.list_(pa.struct([("input", pa.string()), ("output", pa.string())]))
SEED = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("dataset", pa.string()),
        ("revision", pa.string()),
        ("license", pa.string()),
        ("kind", pa.string()),
        ("task", pa.string()),  # what is asked of a post
        ("instruction", pa.string()),
        ("context", pa.string()),
        ("response", pa.string()),
        ("reference", pa.string()),  # a bare answer, by which a full one can be checked
        ("conversation", EXCHANGES),
        ("category", pa.string()),  # the source's own, airoboros' instructor for one
        ("domain", pa.string()),
        ("skills", pa.list_(pa.string())),
        ("difficulty", pa.string()),
        ("meta", pa.string()),  # JSON: what else the source tells of a row
    ]
)
# The same for more than 2 GiB of text in one table.
LARGE = pa.schema([(field.name, _large(field.type)) for field in SEED])
# Cleaned, with the unit vector of its text, or null where nothing needs one.
EMBEDDED = SEED.append(pa.field("embedding", pa.list_(pa.float32())))


def to_row(seed: Row) -> Row:
    """A seed as it stands in `seeds/data.jsonl`: what only some seeds have is under `meta`."""
    extra = {
        key: seed[key] for key in ("task", "reference", "category", "conversation") if seed[key] is not None
    } | json.loads(seed["meta"])
    columns = [
        "id",
        "source",
        "dataset",
        "revision",
        "license",
        "kind",
        "instruction",
        "context",
        "response",
        "domain",
        "skills",
        "difficulty",
    ]
    return {key: seed[key] for key in columns} | {"meta": extra}
