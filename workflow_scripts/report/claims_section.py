"""What the page tells of the claims: a row each, and how many have which verdict."""

from collections import Counter

from workflow_scripts.common.types import Row
from workflow_scripts.report.claims.judgement import VERDICTS


def told(measured: Row) -> str:
    """A measured value as it is read: its name, the value with separators of thousands, its unit."""
    value = measured["value"]
    text = "none" if value is None else value if isinstance(value, str) else f"{value:,}"
    return f"{measured['name']}: {text} {measured['unit']}".strip()


def section(rows: list[Row]) -> Row:
    """The rows of claims.json with their measured values as text, and the number of claims for each verdict."""
    counts = Counter(row["verdict"] for row in rows)
    return {
        "rows": [{**row, "measured": [told(value) for value in row["measured"]]} for row in rows],
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
    }
