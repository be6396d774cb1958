"""The table of claims on the page."""

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.report.claims_section import format_measurement, section
from workflow_scripts.report.pages import render

ROW = {
    "id": "x", "statement": "<script>alert(1)</script>", "mark": "S", "where": "a card", "rule": "more than 3",
    "measured": [{"name": "conversations", "value": 12345, "unit": "conversations"}, {"name": "interval", "value": None, "unit": "%"}],
    "verdict": "not shown", "reason": "Too few.", "evidence": [{"file": "dataset/train.parquet", "sha256": "abc"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345, "n: 12,345 rows"),
        (1, "n: 1 row"),
        (1.0, "n: 1.0 rows"),
        (0.5, "n: 0.5 rows"),
        (None, "n: none rows"),
        ("USER:", "n: USER: rows"),
    ],
)
def test_measurements_have_units(value, text):
    assert format_measurement({"name": "n", "value": value, "unit": "rows"}) == text


def test_the_table_escapes_text_and_links_evidence():
    shown = render(
        package_file("report/templates/claims.html.jinja"),
        claims=section([ROW, {**ROW, "verdict": "not measurable here", "measured": []}], True),
    )
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    assert 'href="../dataset/train.parquet"' in shown and 'title="SHA-256 abc"' in shown
    assert 'class="verdict not-shown"' in shown and 'class="verdict not-measurable-here"' in shown
    assert "0 shown, 1 not shown, 0 contradicted, 1 not measurable here" in shown.replace("\n", "")


def test_in_a_users_own_run_the_table_is_folded_away():
    template = package_file("report/templates/claims.html.jinja")
    folded, unfolded = (render(template, claims=section([ROW], shown)) for shown in (False, True))
    assert folded.index("<details><summary>Statements about Nous-Capybara") < folded.index('<table class="claims">')
    assert "Statements about Nous-Capybara" not in unfolded
