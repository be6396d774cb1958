"""Two-turn questions: the user's file, and a model's answers in both turns."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_jsonl
from workflow_scripts.evaluation.answer_questions import main, read_questions


def read(tmp_path, *rows):
    write_jsonl(tmp_path / "mine.jsonl", rows)
    return read_questions(tmp_path / "mine.jsonl")


def test_the_column_names_of_mt_bench_are_accepted(tmp_path):
    row = {"question_id": 81, "category": "writing", "turns": ["Write.", "Shorten it."], "reference": ["a", "b"]}
    assert read(tmp_path, row) == [
        {
            "id": "81",
            "category": "writing",
            "turns": ["Write.", "Shorten it."],
            "references": ["a", "b"],
            "checks": [[], []],
        }
    ]


def test_a_question_without_an_id_gets_a_content_id(tmp_path):
    (one,), (other,) = (read(tmp_path, {"turns": ["Why?", second]}) for second in ("How?", "When?"))
    assert one["id"] != other["id"] and one["references"] == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"turns": ["Why?"]}], "row 1: `turns` must be a list of at least 2 texts"),
        ([{"turns": ["Why?", " "]}], "row 1: `turns` must be"),
        ([{"turns": "Why?"}], "row 1: `turns` must be"),
        ([{"turns": ["a", "b"], "reference": "c"}], "row 1: `reference` must be a list of texts"),
        ([{"turns": ["a", "b"], "reference": ["c"] * 3}], "row 1: `reference` must be a list of texts"),
        ([{"turns": ["a", "b"], "checks": [[]]}], "row 1: `checks` must be a list of checks per turn"),
        ([{"turns": ["a", "b"], "checks": [[], [{"contain": ["x"]}]]}], "row 1: `checks` must be a list"),
        ([{"id": 1, "turns": ["a", "b"]}, {"id": 1, "turns": ["c", "d"]}], "two questions have the same id"),
        ([], "the file contains no questions"),
    ],
)
def test_an_invalid_question_is_reported(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, *rows)


def test_the_second_turn_is_answered_after_the_first(tmp_path, save_model):
    save_model(tmp_path / "model")
    write_jsonl(
        tmp_path / "mine.jsonl",
        [
            {"id": f"q{number}", "turns": [f"Why {number}?", "And then?", "So?", "Now?"][: 2 + 2 * (number == 1)]}
            for number in (2, 0, 1)
        ],
    )
    out = {}
    for size in (1, 2):
        main([
            "--questions", str(tmp_path / "mine.jsonl"), "--model", str(tmp_path / "model"), "--threads", "1",
            "--settings", json.dumps({"dtype": "float32", "batch_size": size, "answer_tokens": 6, "template": "user_assistant"}),
            "--answers", str(tmp_path / "answers.jsonl"),
        ])  # fmt: skip
        out[size] = list(read_jsonl(tmp_path / "answers.jsonl"))
    assert [row["id"] for row in out[1]] == ["q0", "q1", "q2"]
    assert [turn["input"] for turn in out[1][0]["conversation"]] == ["Why 0?", "And then?"]
    assert all(turn["output"] for row in out[1] for turn in row["conversation"])
    assert out[1] == out[2], "padding changes an answer"
