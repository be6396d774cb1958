"""Accuracy on dated multiple-choice questions, by the date of the event."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
from scipy import stats

from workflow_scripts.common.types import Row

LATE = ("2022-07", "2022-12")  # the months that the card's "late 2022" is taken for
CONFIDENCE = 0.95


def read(path: Path) -> list[tuple[str, float]]:
    """(month as YYYY-MM, 1 or 0) of every item of the task."""
    table = pq.read_table(path, columns=["document", "acc"])
    documents = map(json.loads, table["document"].to_pylist())
    return [(document["date"], right) for document, right in zip(documents, table["acc"].to_pylist(), strict=True)]


def accuracy(results: Iterable[float]) -> Row:
    """{questions, value, low, high} in percent, with Wilson's 95 % interval; None without questions."""
    rights = list(results)
    if not rights:
        return {"questions": 0, "value": None, "low": None, "high": None}
    interval = stats.binomtest(int(sum(rights)), len(rights)).proportion_ci(CONFIDENCE, method="wilson")
    value = 100 * sum(rights) / len(rights)
    return {"questions": len(rights), "value": value, "low": 100 * interval.low, "high": 100 * interval.high}


def by_date(path: Path) -> Row:
    """Accuracy of the items of late 2022, and of all earlier ones."""
    rows = read(path)
    return {
        "late": accuracy(right for month, right in rows if LATE[0] <= month <= LATE[1]),
        "early": accuracy(right for month, right in rows if month < LATE[0]),
    }


def by_year(path: Path) -> dict[str, Row]:
    """{year: accuracy}, in order."""
    rows = read(path)
    return {
        year: accuracy(right for month, right in rows if month.startswith(year))
        for year in sorted({month[:4] for month, _ in rows})
    }
