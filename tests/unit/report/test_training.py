"""Losses by exchange of the base model and the tuned model on the same answers."""

import pytest

from tests.support.tiny_training import TinyTraining
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.report.pages import render
from workflow_scripts.report.training import compare_losses, section


def row(talk, exchange, tokens, loss):
    return {"id": talk, "exchange": exchange, "tokens": tokens, "loss": loss}


BASE = [row("a", 1, 10, 30.0), row("a", 2, 5, 10.0), row("b", 1, 20, 50.0), row("c", 1, 10, 20.0)]
TUNED = [row("a", 1, 10, 20.0), row("a", 2, 5, 9.0), row("b", 1, 20, 40.0), row("c", 1, 10, 19.0)]


def test_pairs_are_losses_on_the_same_answer():
    first, second, all_exchanges = compare_losses("capybara", BASE, TUNED[::-1])
    assert (first["exchange"], second["exchange"], all_exchanges["exchange"]) == (1, 2, None)
    assert (first["conversations"], second["conversations"], all_exchanges["conversations"]) == (3, 1, 3)
    assert first["base"] == pytest.approx((3 + 2.5 + 2) / 3)
    assert first["difference"] == pytest.approx((-1 - 0.5 - 0.1) / 3)
    assert all_exchanges["base"] == pytest.approx((40 / 15 + 2.5 + 2) / 3)


def test_the_interval_is_students_t_and_missing_for_few_pairs():
    first, second, _ = compare_losses("capybara", BASE, TUNED)
    # Differences -1, -0.5, -0.1: standard error 0.2603, t(0.975, 2) = 4.3027.
    assert first["low"] == pytest.approx(-0.5333 - 4.3027 * 0.2603, abs=1e-3)
    assert first["high"] == pytest.approx(-0.5333 + 4.3027 * 0.2603, abs=1e-3)
    assert second["low"] is None


def test_an_answer_of_only_one_model_is_ignored():
    assert compare_losses("capybara", BASE, TUNED[1:])[0]["conversations"] == 2


def test_the_page_contains_the_audit_and_the_table(tmp_path):
    audit = tmp_path / "audit.json"
    TinyTraining(tmp_path).audit()
    paths = {name: tmp_path / "losses" / name / "losses.jsonl" for name in ("base", "capybara")}
    for path, rows in zip(paths.values(), (BASE, TUNED), strict=True):
        path.parent.mkdir(parents=True)
        write_jsonl(path, rows)
    metrics = tmp_path / "losses" / "capybara" / "metrics.jsonl"
    write_jsonl(metrics, [{"step": 1, "loss": 2.0}, {"step": 1, "eval_loss": 3.0}])
    values = section([audit], [metrics], list(paths.values()))
    page = render(package_file("report/templates/training.html.jinja"), training=values)
    assert "1,151 of 1,706 tokens have loss" in page
    assert '<span class="learnt" title="end">&lt;/s&gt;</span>' in page
    page = render(package_file("report/templates/exchanges.html.jinja"), training=values)
    assert "-0.5333" in page and "too few" in page
