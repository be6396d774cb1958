"""What every data stage hands on: rows, rejected rows with reasons, and statistics that add up."""

from collections import Counter
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import Row, write_json, write_jsonl


class Rejections:
    """Rows that a stage took out, each with its reason and the evidence that triggered it."""

    def __init__(self, rows: list[Row] | None = None):
        self.rows: list[Row] = list(rows or [])

    def add(self, row_id: str, reason: str, evidence: Any) -> None:
        """Record one row: `reason` is a name in snake_case, `evidence` what a curator needs to judge it."""
        self.rows.append({"id": row_id, "reason": reason, "evidence": evidence})

    def by_reason(self) -> dict[str, int]:
        """Number of rejected rows for each reason, most frequent first."""
        return dict(Counter(row["reason"] for row in self.rows).most_common())


def statistics(rows_in: int, rows_out: int, rejections: Rejections, **measured: Any) -> dict[str, Any]:
    """`in`, `out`, `rejected` by reason, and what else the stage measured. A lost row is a bug: ValueError."""
    if rows_in != rows_out + len(rejections.rows):
        raise ValueError(f"rows lost: in {rows_in}, out {rows_out}, rejected {len(rejections.rows)}")
    return {"in": rows_in, "out": rows_out, "rejected": rejections.by_reason(), **measured}


def write_stage(
    data: Path, rejected: Path, stats: Path, rows: list[Row], rejections: Rejections, rows_in: int, **measured: Any
) -> None:
    """Write a stage's three artefacts; rows are sorted by id, so their order never depends on the run."""
    summary = statistics(rows_in, len(rows), rejections, **measured)
    write_jsonl(data, sorted(rows, key=lambda row: row["id"]))
    write_jsonl(rejected, sorted(rejections.rows, key=lambda row: (row["id"], row["reason"])))
    write_json(stats, summary)
