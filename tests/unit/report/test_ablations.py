"""The trained models side by side."""

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.report import ablations
from workflow_scripts.report.pages import render

TEMPLATE = package_file("report/templates/ablations.html.jinja")


@pytest.fixture
def metrics(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_jsonl(
        path,
        [
            {"step": 0, "epoch": 0, "eval_loss": 3.0, "num_tokens": 0}, {"step": 1, "epoch": 0.5, "loss": 2.5, "num_tokens": 600},
            {"step": 2, "epoch": 1.0, "loss": 2.0, "num_tokens": 1200}, {"step": 2, "epoch": 1.0, "eval_loss": "2.25"},
            {"step": 2, "epoch": 1.0, "train_runtime": 40.0},
        ],
    )  # fmt: skip
    return path


def test_training_summary(metrics):
    assert ablations.training_summary(metrics) == {
        "steps": 2, "epochs": 1.0, "tokens": 1200.0, "seconds": 40.0, "tokens_per_second": 30.0, "before": 3.0, "after": 2.25,
    }  # fmt: skip


def test_without_held_out_conversations_there_is_no_loss(tmp_path):
    write_jsonl(tmp_path / "metrics.jsonl", [{"step": 1, "loss": 2.0}])
    found = ablations.training_summary(tmp_path / "metrics.jsonl")
    assert found["before"] is found["after"] is found["tokens_per_second"] is None


def test_models_are_listed_side_by_side(metrics):
    audit = {"conversations": 10, "trainable_tokens": 1234}
    models = [
        {"name": name, "audit": audit, "stats": {"exchanges": 20}, **ablations.training_summary(metrics)} for name in ("capybara", "small")
    ]  # fmt: skip
    row = {"model": "small", "exchange": None, "difference": -0.5, "low": -0.6, "high": -0.4}
    suite = {
        "suite": "gems", "rule": "plain mean", "models": {"capybara": {"value": 0.61}, "small": None},
        "differences": {"capybara": {"difference": 0.1, "stderr": 0.02}, "small": None},
    }  # fmt: skip
    settings = {"capybara": {}, "small": {"data": "first_exchange", "epochs": 2}}
    shown = ablations.section(models, [{**row, "exchange": 1}, row], {"suites": [suite]}, settings)
    page = render(TEMPLATE, ablations=shown)
    assert [model["setting"] for model in shown["models"]] == ["none", "data: first_exchange, epochs: 2"]
    assert shown["models"][0]["held_out"] is None and "-0.6000 to -0.4000" in page
    assert "61.00" in page and "+10.00 ± 2.00 tuned − base" in page and "This run trained one model" not in page
    alone = ablations.section(models[:1], [], {"suites": []}, None)
    assert "This run trained one model" in render(TEMPLATE, ablations=alone)
