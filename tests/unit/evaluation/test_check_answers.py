"""Checks without a judge: each kind, one value per question, paired differences."""

import json

import pytest

from workflow_scripts.common.rows import read_json, write_jsonl
from workflow_scripts.evaluation.check_answers import main
from workflow_scripts.evaluation.checks import is_valid, passes


@pytest.mark.parametrize(
    ("check", "answer", "expected"),
    [
        ({"contains": ["Marta", "Ms Bell"]}, "It was ms  bell who came.", True),
        ({"contains": ["art"]}, "Marta", False),
        ({"absent": ["salt"]}, "Add pepper.", True),
        ({"absent": ["salt"]}, "Add Salt.", False),
        ({"absent": ["salt"]}, "  ", False),
        ({"number": 1200}, "That is 1,200 km.", True),
        ({"number": 12}, "That is 1,200 km, or v12.", False),
        ({"number": -3.5}, "x = −3.50", True),
        ({"max_words": 3}, "one two three", True),
        ({"max_words": 3}, "one two three four", False),
        ({"min_words": 3}, "one two", False),
    ],
)
def test_a_check(check, answer, expected):
    assert is_valid(check) and passes(check, answer) is expected


@pytest.mark.parametrize(
    "check", [{}, {"contains": "x"}, {"contains": []}, {"number": "7"}, {"max_words": True}, {"unknown": 1}, "x"]
)
def test_an_invalid_check(check):
    assert not is_valid(check)


def question(name, answers, category="recall"):
    checks = [[{"contains": ["yes"]}] for _ in answers]
    return {
        "id": name, "category": category, "checks": checks,
        "conversation": [{"input": "Well?", "output": answer} for answer in answers],
    }  # fmt: skip


def test_a_question_is_one_observation(tmp_path):
    answers = {
        "base": [question(str(number), ["no", "no"]) for number in range(6)],
        "capybara": [question(str(number), ["yes", "no"]) for number in range(6)],
        "other": [question(str(number), ["yes", "yes"]) for number in range(6)],
    }
    paths = [tmp_path / model / "multi_turn.jsonl" for model in answers]
    for path in paths:
        write_jsonl(path, answers[path.parent.name])
    main(["--answers", *map(str, paths), "--peers", json.dumps(["other"]), "--checks", str(tmp_path / "checks.json")])
    found = read_json(tmp_path / "checks.json")
    assert found["models"]["capybara"]["all"] == {"questions": 6, "share": 0.5, "stderr": 0.0, "low": 0.5, "high": 0.5}
    assert found["models"]["capybara"]["later turns"]["share"] == 0
    pairs = {
        (row["reference"], row["model"]): row["difference"] for row in found["differences"] if row["group"] == "all"
    }
    assert pairs == {("base", "capybara"): 0.5, ("base", "other"): 1.0, ("other", "capybara"): -0.5}
