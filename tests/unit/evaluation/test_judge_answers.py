"""Four turns judged by a scripted judge with a known preference: base, trained models and a peer."""

import json
import re

import pytest

from tests.support.queued_teacher import QueuedTeacher
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.evaluation import judge_answers
from workflow_scripts.teacher.runtime_settings import VARIABLE, answer_settings, export_runtime_settings

TURNS = 4
# The mark of a model's answers in each turn; the judge prefers and grades by it.
MARKS = {"base": "pppp", "capybara": "pggg", "other": "gggg"}
GRADES = {"p": 3, "g": 8}


class Judge(QueuedTeacher):
    """Prefers the last answer with the mark g to one with p, in both orders; equal marks are a tie."""

    def reply_to(self, body):
        marks = re.findall(r"mark ([pg])", body["messages"][0]["content"])
        if "<assistant_A>" in body["messages"][0]["content"]:
            half = len(marks) // 2
            first, second = marks[half - 1], marks[-1]
            verdict = "tie" if first == second else "A" if first == "g" else "B"
            self.says(json.dumps({"reason": "by the mark", "verdict": verdict}))
        else:
            self.says(json.dumps({"reason": "by the mark", "grade": GRADES[marks[-1]]}))
        return self.queue.pop()


@pytest.fixture
def judged(tmp_path, config, monkeypatch):
    monkeypatch.setenv(VARIABLE, "{}")
    judge = Judge()
    paths = [tmp_path / model / "multi_turn.jsonl" for model in MARKS]
    for path in paths:
        marks = MARKS[path.parent.name]
        conversation = [{"input": f"Question {turn}?", "output": f"mark {marks[turn]}"} for turn in range(TURNS)]
        rows = [
            {"id": f"q{number}", "category": "coding", "references": [], "checks": [], "conversation": conversation}
            for number in range(8)
        ]
        write_jsonl(path, rows)
    teacher = {**config["teacher"], "kind": "endpoint", "model": "m", "base_url": judge.base_url}
    export_runtime_settings(teacher)
    judge_answers.main([
        "--answers", *map(str, paths), "--teacher", json.dumps(answer_settings(teacher)), "--threads", "1",
        "--settings", json.dumps({"judge_sampling": None, "grades": True, "peers": ["other"]}),
        "--teacher-folder", str(tmp_path / "teacher"), "--judgements", str(tmp_path / "judgements.jsonl"),
        "--grades", str(tmp_path / "grades.jsonl"), "--rejected", str(tmp_path / "rejected.jsonl"),
        "--stats", str(tmp_path / "stats.json"),
    ])  # fmt: skip
    yield tmp_path
    judge.close()


def test_the_known_preference_is_found(judged):
    stats = read_json(judged / "stats.json")
    pairs = {(row["model"], row["reference"]): row for row in stats["pairs"]}
    assert set(pairs) == {("capybara", "base"), ("capybara", "other")}
    base, other = pairs["capybara", "base"], pairs["capybara", "other"]
    # Against the base: a tie in the first turn, wins in the others. One value per question, 8 and not 32.
    assert (base["first"]["ties"], base["later"]["wins"], base["all"]["wins"]) == (8, 8, 8)
    assert base["all"]["share"] == 0.875 and base["all"]["p"] == pytest.approx(2 / 2**8)
    assert (other["first"]["losses"], other["later"]["ties"], other["all"]["share"]) == (8, 8, 0.375)
    assert base["all"]["agreement"] == 1 and stats["agreement_with_grades"] == {"judgements": 32, "share": 1.0}


def test_every_answer_has_a_grade(judged):
    stats = read_json(judged / "stats.json")
    assert {model: found["all"]["mean"] for model, found in stats["grades"].items()} == {
        "base": 3, "capybara": (3 + 3 * 8) / 4, "other": 8
    }  # fmt: skip
    assert stats["grades"]["capybara"]["later"]["mean"] == 8
    assert stats["grades"]["capybara"]["by_category"]["coding"]["questions"] == 8
    assert len(list(read_jsonl(judged / "grades.jsonl"))) == 3 * 8 * TURNS
    assert stats["in"] == stats["out"] == 2 * 8 * TURNS + 3 * 8 * TURNS and stats["rejected"] == {}
