"""Losses by exchange, base against tuned, on the same answers."""

import pytest

from workflow_scripts.report.training import compared


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
