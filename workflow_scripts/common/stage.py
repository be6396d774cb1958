"""The three artefacts of a data stage: rows, rejected rows with reasons, and statistics that add up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import write_json, write_jsonl
from workflow_scripts.common.types import Rejected, Row


def rejected_row(row: Mapping[str, Any], reason: str, evidence: Any) -> Rejected:
    """A row of `rejected.jsonl` from a conversation, or from `seed_as_conversation` of a seed."""
    return {
        "id": row["id"],
        "reason": reason,
        "evidence": evidence,
        "source": row["source"],
        "conversation": row["conversation"],
        "provenance": row["provenance"],
    }


class Rejections:
    """Rows that a stage rejected, each with a reason and its evidence."""

    def __init__(self, rows: list[Rejected] | None = None):
        self.rows: list[Rejected] = list(rows or [])

    def add(self, row: Mapping[str, Any], reason: str, evidence: Any) -> None:
        """Reject a conversation (a seed: `seed_as_conversation`). `reason` is a code in snake_case."""
        self.rows.append(rejected_row(row, reason, evidence))

    def by_reason(self) -> dict[str, int]:
        """Number of rejected rows per reason, most frequent first."""
        return dict(Counter(row["reason"] for row in self.rows).most_common())


def statistics(rows_in: int, rows_out: int, rejections: Rejections, **metrics: Any) -> Row:
    """`in`, `out`, `rejected` by reason, and the stage's metrics. ValueError if a row was lost."""
    if rows_in != rows_out + len(rejections.rows):
        raise ValueError(f"rows lost: in {rows_in}, out {rows_out}, rejected {len(rejections.rows)}")
    return {"in": rows_in, "out": rows_out, "rejected": rejections.by_reason(), **metrics}


def write_stage(
    data: Path,
    rejected: Path,
    stats: Path,
    rows: Sequence[Mapping[str, Any]],
    rejections: Rejections,
    rows_in: int,
    **metrics: Any,
) -> None:
    """Write a stage's three artefacts, sorted by id, so that their order is the same in every run."""
    summary = statistics(rows_in, len(rows), rejections, **metrics)
    write_jsonl(data, sorted(rows, key=lambda row: row["id"]))
    write_jsonl(rejected, sorted(rejections.rows, key=lambda row: (row["id"], row["reason"])))
    write_json(stats, summary)
