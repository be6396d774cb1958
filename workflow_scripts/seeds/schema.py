"""The columns of a seed between the steps of this stage; docs/seeds.md describes `seeds/data.jsonl`."""

import json
from typing import Any

import pyarrow as pa

from workflow_scripts.common.conversations import seed_as_conversation
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.common.types import Rejected, Row, Seed


def _large(kind: pa.DataType) -> pa.DataType:
    """The same type with 64-bit offsets."""
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
        ("row", pa.int64()),  # number of its row in the published data, from 1
        ("license", pa.string()),
        ("kind", pa.string()),
        ("task", pa.string()),  # family of the instruction of a post
        ("instruction", pa.string()),
        ("context", pa.string()),
        ("response", pa.string()),
        ("reference", pa.string()),  # a bare answer to check a full one against
        ("conversation", EXCHANGES),
        ("category", pa.string()),  # the source's own category, for example airoboros' instructor
        ("domain", pa.string()),
        ("skills", pa.list_(pa.string())),
        ("difficulty", pa.string()),
        ("meta", pa.string()),  # JSON: the source's other columns
    ]
)
# With the unit vector of the seed's text, null if no step needs one.
EMBEDDED = SEED.append(pa.field("embedding", pa.list_(pa.float32())))
# What label_seeds and score_seeds append: the probability that the domain is right; DEITA's scores with the teacher's
# reason, null if not scored; the number of the seed's cluster in its source.
CONFIDENCE = pa.field("confidence", pa.float32())
SCORES = pa.schema(
    [("complexity", pa.float32()), ("quality", pa.float32()), ("reason", pa.string()), ("cluster", pa.int64())]
)
# The columns of a scored seed for tables with more than 2 GiB of text.
LARGE = pa.schema([(field.name, _large(field.type)) for field in [*SEED, CONFIDENCE, *SCORES]])
NEUTRAL_QUALITY = 3.5  # of a seed whose answer the teacher writes


def to_row(seed: Row) -> Seed:
    """A table row as a row of `seeds/data.jsonl`: the row number and columns that only some seeds have are moved to `meta`."""
    extra = {
        key: seed[key] for key in ("row", "task", "reference", "category", "conversation") if seed.get(key) is not None
    } | json.loads(seed["meta"])
    value = score(seed.get("complexity"), seed.get("quality"))
    if value is not None:
        extra["scores"] = {name: _rounded(seed[name]) for name in ("complexity", "quality", "reason")}
    return {
        "id": seed["id"],
        "source": seed["source"],
        "dataset": seed["dataset"],
        "revision": seed["revision"],
        "license": seed["license"],
        "kind": seed["kind"],
        "instruction": seed["instruction"],
        "context": seed["context"],
        "response": seed["response"],
        "domain": seed["domain"],
        "skills": seed["skills"],
        "difficulty": seed["difficulty"],
        "score": _rounded(value),
        "meta": extra,
    }


def score(complexity: float | None, quality: float | None) -> float | None:
    """DEITA's score: complexity times quality, 1 to 36; None for a seed that was not scored."""
    if complexity is None:
        return None
    return complexity * (NEUTRAL_QUALITY if quality is None else quality)


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


def rejected_seed(seed: Row, reason: str, evidence: Any) -> Rejected:
    """A table row as a row of `rejected.jsonl`, with its text."""
    return rejected_row(seed_as_conversation(to_row(seed)), reason, evidence)
