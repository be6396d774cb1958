"""The section about the run: differences from the defaults, versions, time, cost of the teacher."""

from pathlib import Path

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.config import record
from workflow_scripts.report import run
from workflow_scripts.report.cost import Cost, Rule
from workflow_scripts.report.pages import render
from workflow_scripts.teacher.budget import Ledger

COST = Cost([Rule("train_model", 1, 120.0)], 90.0)


@pytest.fixture
def started(config, tmp_path):
    """A function that records a start with a changed configuration, and returns the section and its HTML."""

    def start(asked=None, **changed):
        for section, values in changed.items():
            config[section] |= values
        record.write(config, ["config.yaml"], tmp_path, Path("."))
        section = run.section(tmp_path, COST, asked)
        return section, render(package_file("report/templates/run.html.jinja"), about=section)

    return start


def test_the_default_configuration(started):
    section, page = started()
    assert section["differs"] == [] and "unchanged" in page
    assert "learning_rate: 0.001" in page and "1 min 30 s with at least one job running" in page


def test_differences_come_before_the_complete_configuration(started):
    section, page = started(
        training={"learning_rate": 3e-4, "models": {"capybara": {}, "mine": {"data": "first_exchange"}}}
    )
    assert section["differs"] == [
        ("training.models.mine", "null", "{data: first_exchange}"), ("training.learning_rate", "0.001", "0.0003"),
    ]  # fmt: skip
    assert page.index("0.0003") < page.index("Complete configuration")


def test_a_hostile_value_is_escaped(started):
    _, page = started(teacher={"model": "</pre><script>alert(1)</script>"})
    assert "<script" not in page


def test_the_cost_is_from_the_ledger(started, tmp_path):
    ledger = Ledger(tmp_path / "teacher" / "cache" / "ledger")
    ledger.add(1_000_000, 500_000, 0.45)
    section, page = started(teacher={"price": {"input": 0.15, "output": 0.6, "currency": "EUR"}})
    assert section["teacher"] == {"tokens": 1_500_000, "money": 0.45, "currency": "EUR", "priced": True}
    assert "1,500,000 tokens" in page and "0.45 EUR" in page


def test_without_a_price_no_cost_is_displayed(started, tmp_path):
    Ledger(tmp_path / "teacher" / "cache" / "ledger").add(10, 10, 0.0)
    assert "no price is configured" in started()[1]


def test_a_run_without_a_record(tmp_path):
    section = run.section(tmp_path, COST, None)
    page = render(package_file("report/templates/run.html.jinja"), about=section)
    assert "No record of configuration and versions" in page and section["models"] is None


def test_long_lists_of_changed_files_are_truncated(started):
    section, _ = started()
    section["record"]["workflow"] = {"commit": "c0ffee", "changed": [f"file-{number}" for number in range(9)]}
    page = render(package_file("report/templates/run.html.jinja"), about=section)
    assert "file-2" in page and "file-3" not in page and "6 more" in page
