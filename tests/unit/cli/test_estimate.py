"""The report of `capybara estimate`."""

import functools
import json

import pytest

from tests.support import answered_synthesis
from workflow_scripts.cli.estimate import main, report
from workflow_scripts.synthesis.cost_model import REPLY_TOKENS, estimate_calls, seed_groups, sum_calls


@pytest.fixture
def config(config, tmp_path):
    return answered_synthesis.with_all_techniques(config, tmp_path)


@pytest.fixture
def seeds(make_seed, config, tmp_path):
    return answered_synthesis.write_seeds(config, tmp_path, make_seed)


@pytest.fixture
def answer(config, tmp_path):
    """A function that generates a seed's conversation, stores answers in the cache, and returns the requests."""
    return functools.partial(answered_synthesis.answer_requests, config, tmp_path)


def test_no_request_is_left_if_all_answers_are_stored(config, seeds, answer):
    for seed in seeds:
        answer(seed, seeds)
    (line,) = [line for line in report(config, 100.0).splitlines() if line.startswith("expected, not yet requested")]
    assert line.split()[4:] == ["0", "0", "0", "0.00", "0.0"]


def test_stored_answers_of_unfinished_seeds_are_subtracted(config, seeds, answer):
    def left():
        (line,) = [line for line in report(config).splitlines() if line.startswith("expected, not yet requested")]
        return int(line.split()[4])

    before = left()
    answer(seeds[3], seeds, stored=2)
    assert left() == before - 2


def test_money_and_hours(config, seeds):
    config["teacher"]["price"] = {"input": 1_000_000, "output": 0, "currency": "EUR"}
    (group,) = seed_groups(seeds, config["synthesis"])
    tokens = sum_calls(estimate_calls(group, config["synthesis"], REPLY_TOKENS, 1.0)).times(10)
    (line,) = [line for line in report(config, 10.0).splitlines() if line.startswith("expected, from scratch")]
    assert f"{round(tokens.prompt_tokens):,}.00 EUR" in line
    assert line.endswith(f" {tokens.completion_tokens / 10 / 3600:.1f}")


def test_prices_of_the_command_line_and_hours_by_number_of_servers(config, seeds):
    config["teacher"]["price"] = {"input": 0, "output": 0, "currency": "USD"}
    out = report(config, 10.0, {"input": 1_000_000, "currency": "EUR"})
    (line,) = [line for line in out.splitlines() if line.startswith("expected, from scratch")]
    words = line.split()
    assert f"{words[4]}.00 EUR" in line, "as many EUR as prompt tokens"
    hours = float(words[-1])
    (line,) = [line for line in out.splitlines() if line.startswith("Wall-clock hours by number of such servers")]
    found = {
        int(count): float(value)
        for count, value in (part.split(": ") for part in line.split("scratch: ")[1].split(", "))
    }
    assert found == pytest.approx({1: hours, 2: hours / 2, 4: hours / 4, 8: hours / 8}, abs=0.06)


def test_the_command(config, tmp_path, capsys):
    config["seeds"] |= {"limit": 300, "composition": {"Airoboros": 2, "Dove": 1}}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    main(["--configfile", str(tmp_path / "mine.json")])
    out = capsys.readouterr().out
    assert "no seeds yet" in out
    assert "Airoboros    200" in out
    assert "  amplify: follow_up" in out
    assert out.count("unknown") == 3
    assert "Assumed:\n- every source has enough rows" in out
