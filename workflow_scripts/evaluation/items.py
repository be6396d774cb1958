"""A model's results per document, as a table for the comparison of two models."""

import json
from collections import Counter
from typing import Any

import pyarrow as pa

from workflow_scripts.common.types import Row

# The key of a document: the hash of its content and, for repeated documents, the number of the copy.
KEY = ["task", "filter", "doc_hash", "copy"]
FIXED = pa.schema(
    [
        ("task", pa.string()),
        ("filter", pa.string()),
        ("doc_hash", pa.string()),
        ("copy", pa.int32()),
        ("doc_id", pa.int32()),  # position in the split
        ("prompt", pa.string()),
        ("options", pa.list_(pa.string())),  # multiple choice: the scored texts, in the order of the choices
        ("loglikelihoods", pa.list_(pa.float64())),
        ("outputs", pa.list_(pa.string())),  # generation: the generated texts, before filters
        ("target", pa.string()),
        ("document", pa.string()),  # JSON
    ]
)


def table(samples: dict[str, list[Row]]) -> pa.Table:
    """lm-eval's `samples` as a table with the columns `FIXED` and one float column per metric, in document order."""
    rows = [row for task in sorted(samples) for row in _rows(task, samples[task])]
    metrics = sorted({name for row in rows for name in row["metrics"]})
    schema = FIXED
    for name in metrics:
        schema = schema.append(pa.field(name, pa.float64()))
    flat = [{**row, **row["metrics"]} for row in rows]
    return pa.Table.from_pylist(flat, schema=schema)


def metrics_of(schema: pa.Schema) -> list[str]:
    """The metrics among the columns of a table of items."""
    return [name for name in schema.names if name not in FIXED.names]


def _rows(task: str, samples: list[Row]) -> list[Row]:
    seen: Counter[tuple[str, str]] = Counter()
    rows = []
    for sample in sorted(samples, key=lambda sample: (sample["filter"], sample["doc_id"])):
        name = (sample["filter"], sample["doc_hash"])
        contexts = [arguments[0] for arguments in sample["arguments"]]
        scored = all(_is_loglikelihood(response) for response in sample["resps"])
        rows.append(
            {
                "task": task,
                "filter": sample["filter"],
                "doc_hash": sample["doc_hash"],
                "copy": seen[name],
                "doc_id": sample["doc_id"],
                "prompt": contexts[0],
                "options": _options(sample["arguments"]) if scored else [],
                "loglikelihoods": [response[0][0] for response in sample["resps"]] if scored else [],
                "outputs": [] if scored else [str(text) for response in sample["resps"] for text in response],
                "target": json.dumps(sample["target"], ensure_ascii=False, default=str),
                "document": json.dumps(sample["doc"], ensure_ascii=False, default=str),
                "metrics": {
                    metric: float(sample[metric])
                    for metric in sample["metrics"]
                    if metric != "bypass" and isinstance(sample[metric], int | float)
                },
            }
        )
        seen[name] += 1
    return rows


def _is_loglikelihood(response: Any) -> bool:
    return len(response) == 1 and isinstance(response[0], tuple | list) and isinstance(response[0][0], float)


def _options(arguments: list[tuple[str, str]]) -> list[str]:
    """The continuations, or the contexts if the choices differ in their contexts, as in WinoGrande."""
    contexts = {context for context, _ in arguments}
    return [continuation if len(contexts) == 1 else context for context, continuation in arguments]
