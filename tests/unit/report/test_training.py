"""Losses by exchange, base against tuned, on the same answers."""

import pytest

from tests.tiny_training import TinyTraining
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.report.pages import render
from workflow_scripts.report.training import compared, section


def row(talk, exchange, tokens, loss):
    return {"id": talk, "exchange": exchange, "tokens": tokens, "loss": loss}


BASE = [row("a", 1, 10, 30.0), row("a", 2, 5, 10.0), row("b", 1, 20, 50.0), row("c", 1, 10, 20.0)]
TUNED = [row("a", 1, 10, 20.0), row("a", 2, 5, 9.0), row("b", 1, 20, 40.0), row("c", 1, 10, 19.0)]


def test_pairs_are_of_the_same_answer():
    first, second, whole = compared("capybara", BASE, TUNED[::-1])
    assert (first["exchange"], second["exchange"], whole["exchange"]) == (1, 2, None)
    assert (first["conversations"], second["conversations"], whole["conversations"]) == (3, 1, 3)
    assert first["base"] == pytest.approx((3 + 2.5 + 2) / 3)
    assert first["difference"] == pytest.approx((-1 - 0.5 - 0.1) / 3)
    assert whole["base"] == pytest.approx((40 / 15 + 2.5 + 2) / 3)


def test_the_interval_is_students_and_absent_for_few():
    first, second, _ = compared("capybara", BASE, TUNED)
    # Differences -1, -0.5, -0.1: standard error 0.2603, t(0.975, 2) = 4.3027.
    assert first["low"] == pytest.approx(-0.5333 - 4.3027 * 0.2603, abs=1e-3)
    assert first["high"] == pytest.approx(-0.5333 + 4.3027 * 0.2603, abs=1e-3)
    assert second["low"] is None


def test_an_answer_that_one_model_lacks_is_left_out():
    assert compared("capybara", BASE, TUNED[1:])[0]["conversations"] == 2


def test_the_page_shows_the_audit_and_the_table(tmp_path):
    audit = tmp_path / "audit.json"
    TinyTraining(tmp_path).audit()
    paths = {name: tmp_path / "losses" / name / "losses.jsonl" for name in ("base", "capybara")}
    for path, rows in zip(paths.values(), (BASE, TUNED), strict=True):
        path.parent.mkdir(parents=True)
        write_jsonl(path, rows)
    metrics = tmp_path / "losses" / "capybara" / "metrics.jsonl"
    write_jsonl(metrics, [{"step": 1, "loss": 2.0}, {"step": 1, "eval_loss": 3.0}])
    told = section([audit], [metrics], list(paths.values()))
    page = render("training.html.jinja", training=told)
    assert "1151 of 1706 tokens carry loss" in page
    assert '<span class="learnt" title="end">&lt;/s&gt;</span>' in page
    page = render("exchanges.html.jinja", training=told)
    assert "-0.5333" in page and "too few" in page
