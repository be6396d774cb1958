"""The claims section: a row per claim, and the number of claims with each verdict."""

from collections import Counter

from workflow_scripts.common.types import Row
from workflow_scripts.report.claims.judgement import VERDICTS, with_unit


def format_measurement(measured: Row) -> str:
    """A measured value as text: its name, the value with thousands separators, and its unit."""
    return f"{measured['name']}: {with_unit(measured['value'], measured['unit'])}"


def section(rows: list[Row], shown: bool) -> Row:
    """Values for claims.html.jinja: the rows of claims.json with measurements as text, and counts by verdict.

    The page folds the table away unless `shown`: in a user's own run, the claims are about other data.
    """
    counts = Counter(row["verdict"] for row in rows)
    return {
        "open": shown,
        "rows": [{**row, "measured": [format_measurement(value) for value in row["measured"]]} for row in rows],
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
    }
