"""Measures, a strict judge, a judge that returns garbage, and the selection by threshold and by best share."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, read_jsonl, write_json, write_jsonl
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.synthesis.judge_conversations import main
from workflow_scripts.synthesis.judging.measures import measure
from workflow_scripts.synthesis.judging.rubric import CRITERIA
from workflow_scripts.synthesis.judging.settings import VARIABLE

GOOD = [
    {"input": "Why is granite hard?", "output": "Its quartz and feldspar crystals interlock without pores."},
    {"input": "How does frost act on quartz?", "output": "Water freezes inside cracks and widens them every winter."},
]
LOOP = [
    {"input": "Why is granite hard?", "output": "Granite is hard because granite is hard because granite is hard."},
    {
        "input": "Why is granite hard, then?",
        "output": "Granite is hard because granite is hard because granite is hard.",
    },
]


def conversation(exchanges, seed, source="Airoboros"):
    provenance = {"seed": seed, "license": "MIT", "techniques": ["amplify"]}
    return {"id": content_id(exchanges, seed), "source": source, "conversation": exchanges, "provenance": provenance}


def judgement(score, **changes):
    scores = dict.fromkeys(CRITERIA, score) | {"grounding": 0} | changes
    return json.dumps({name: {"reason": f"about {name}", "score": value} for name, value in scores.items()})


@pytest.fixture
def judge(tmp_path, teacher, monkeypatch):
    """A function that runs the step: kept rows, rejected rows, stats."""

    def run(rows, by="none", **settings):
        lost = rejected_row(conversation(GOOD, "lost"), "refusal", None)
        write_jsonl(tmp_path / "collected.jsonl", rows)
        write_jsonl(tmp_path / "earlier.jsonl", [lost])
        counts = {"in": len(rows) + 1, "out": len(rows), "rejected": {"refusal": 1}, "requests": 7}
        write_json(tmp_path / "collected.json", counts)
        server = {"kind": "endpoint", "model": "judge", "base_url": teacher.base_url, "concurrency": 1, "timeout": 5}
        server |= {"retries": 0, "max_failure_rate": 0.5}
        monkeypatch.setenv(VARIABLE, "{}")
        arguments = {
            "conversations": tmp_path / "collected.jsonl",
            "earlier": tmp_path / "earlier.jsonl",
            "collected": tmp_path / "collected.json",
            "settings": json.dumps(
                {"by": by, "sampling": {"temperature": 0.0}, "min_score": None, "best_share": None, **settings}
            ),
            "judge": json.dumps(server if by == "model" else {}),
            "threads": 1,
            "teacher-folder": tmp_path / "teacher",
            **{name: tmp_path / name for name in ("data", "rejected", "stats")},
        }
        main([text for name, value in arguments.items() for text in (f"--{name}", str(value))])
        data, rejected = (list(read_jsonl(tmp_path / name)) for name in ("data", "rejected"))
        stats = read_json(tmp_path / "stats")
        assert stats["in"] == stats["out"] + len(rejected) == counts["in"] and stats["out"] == len(data)
        assert sum(stats["rejected"].values()) == len(rejected) and stats["requests"] == 7
        return data, [row for row in rejected if row["reason"] != "refusal"], stats

    return run


def test_measures_tell_a_loop_from_a_conversation():
    good, loop = measure(GOOD), measure(LOOP)
    assert good["new_words"] > 0.8 and good["neighbour_similarity"] < 0.1 and good["repetition"] == 0
    assert loop["new_words"] == 0 and loop["neighbour_similarity"] == 1 and loop["repetition"] > 0.6
    assert good["score"] > 0.9 > 0.2 > loop["score"]
    assert measure(GOOD[:1]) == {"new_words": 1.0, "neighbour_similarity": 0.0, "repetition": 0.0, "score": 1.0}
    assert measure([{"input": "a", "output": ""}] * 2)["new_words"] == 0


def test_without_a_judge_measures_are_recorded_and_nothing_is_removed(judge, teacher):
    data, rejected, stats = judge([conversation(GOOD, "a"), conversation(LOOP, "b")])
    assert len(data) == 2 and rejected == [] and teacher.requests == []
    assert all(set(row["provenance"]["measures"]) >= {"new_words", "score"} for row in data)
    assert set(stats["judge"]) == {"measures"} and "judgement" not in data[0]["provenance"]


def test_the_best_share_of_each_source_by_measures(judge):
    rows = [conversation(GOOD, "a"), conversation(LOOP, "b"), conversation(LOOP, "c", "Dove")]
    data, [lost], _ = judge(rows, best_share=0.5)
    assert {row["provenance"]["seed"] for row in data} == {"a", "c"}  # the only one of its source stays
    assert (lost["id"], lost["reason"], lost["evidence"]["rank"]) == ("b", "outside_best_share", 2)


def test_a_strict_judge(judge, teacher):
    teacher.says(judgement(2)).says(judgement(4, depth=5))
    first, second = sorted([conversation(GOOD, "a"), conversation(LOOP, "b")], key=lambda row: row["id"])
    data, [lost], stats = judge([first, second], by="model", min_score=3.5)
    [kept] = data
    found = kept["provenance"]["judgement"]
    assert (found["mean"], found["model"], found["scores"]["depth"]) == (4.2, "judge", 5)
    assert "grounding" not in found["scores"] and found["reasons"]["grounding"] == "about grounding"
    assert (lost["id"], lost["reason"]) == (first["provenance"]["seed"], "low_judgement")
    assert lost["evidence"] == {"source": "Airoboros", "score": 2, "min_score": 3.5}
    assert stats["judge"]["scores"]["mean"] == 3.1 and stats["judge"]["requests"] == 2
    schema = teacher.requests[0]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == list(CRITERIA)
    assert list(schema["properties"]["depth"]["properties"]) == ["reason", "score"]  # reasons before scores
    assert "User, turn 2: " in teacher.requests[0]["messages"][0]["content"]


def test_garbage_of_a_judge_is_retried_then_the_conversation_is_rejected(judge, teacher):
    teacher.says("a fine one").says(judgement(9)).says("{}").says(judgement(4))
    data, [lost], _ = judge([conversation(GOOD, "a"), conversation(LOOP, "b")], by="model")
    assert len(data) == 1 and lost["reason"] == "unjudged"
    assert "not JSON" in lost["evidence"]["error"] and "breaks `enum`" in lost["evidence"]["error"]


def test_a_judge_that_only_returns_garbage_stops_the_step(judge, teacher, tmp_path):
    teacher.says("no")
    with pytest.raises(UserError, match=r"gave no judgement of 2 of 3 conversations.*judge.teacher"):
        judge([conversation(GOOD, name) for name in "abc"], by="model")
    assert not (tmp_path / "data").exists()


def test_stored_judgements_are_not_requested_again(judge, teacher):
    teacher.says(judgement(3))
    rows = [conversation(GOOD, "a"), conversation(LOOP, "b")]
    first = judge(rows, by="model")[0]
    again = judge(rows, by="model", best_share=0.5)[0]
    assert len(first) == 2 and len(again) == 1 and len(teacher.requests) == 2
