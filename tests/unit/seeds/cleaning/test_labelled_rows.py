"""Precision and recall of the cleaning rules on the labelled rows of the benchmark."""

import pytest

from tests.benchmarks.cleaning_rules import MEASURED, figures, labelled_rows, scores
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.seeds.cleaning.rules import OPTIONAL_RULES, RULES

MIN_ROWS = 300
# Slightly below what the benchmark prints; a change that lowers a figure has to explain itself.
MIN_PRECISION = {"self_reference": 0.97, "foreign_language": 0.95}
MIN_RECALL = {"refusal": 0.95, "truncated": 0.87}
COMPLETE = 0.999  # all other rules


@pytest.fixture(scope="module")
def measured():
    return scores(labelled_rows())


def test_every_rule_has_rows_of_both_kinds():
    rows = labelled_rows()
    assert len(rows) >= MIN_ROWS and len({(row.asked, row.text) for row in rows}) == len(rows)
    for rule in set(RULES) - OPTIONAL_RULES:
        assert {row.faulty for row in rows if row.rule == rule} == {True, False}, rule


@pytest.mark.parametrize("rule", sorted(set(RULES) - OPTIONAL_RULES))
def test_precision_and_recall(measured, rule):
    score = measured[rule]
    assert score.precision >= MIN_PRECISION.get(rule, COMPLETE), score.false_positives
    assert score.recall >= MIN_RECALL.get(rule, COMPLETE), score.missed


def test_the_report_prints_these_figures(measured):
    assert read_yaml(MEASURED) == figures(labelled_rows(), measured)


def test_a_rule_that_reports_everything_or_nothing_fails(measured, monkeypatch):
    """The figures above would be worthless if they did not fall."""
    rows = [row for row in labelled_rows() if row.rule == "url"]
    monkeypatch.setattr("tests.benchmarks.cleaning_rules.broken_rules", lambda rows: [{"url"}] * len(rows))
    assert scores(rows)["url"].precision < 0.5 and scores(rows)["url"].recall == 1
    monkeypatch.setattr("tests.benchmarks.cleaning_rules.broken_rules", lambda rows: [set()] * len(rows))
    assert scores(rows)["url"].recall == 0
