"""Topics of a run: requested once, distinct, sorted; with a real HTTP teacher."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json
from workflow_scripts.synthesis.draw_topics import main
from workflow_scripts.synthesis.topics import read_topics
from workflow_scripts.teacher.runtime_settings import VARIABLE, answer_settings, export_runtime_settings

SETTINGS = {
    "topic_requests": 3,
    "topics": 2,
    "sampling": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 50},
    "random_seed": 0,
}


@pytest.fixture
def draw(tmp_path, config, teacher, monkeypatch):
    """A function that runs the job: the file of topics."""

    def run(**settings):
        teacher_settings = {**config["teacher"], "kind": "endpoint", "model": "m", "base_url": teacher.base_url}
        teacher_settings |= {"concurrency": 1, "retries": 0, "timeout": 10}
        monkeypatch.setenv(VARIABLE, "")  # restored after the test
        export_runtime_settings(teacher_settings)
        main(
            [
                *("--settings", json.dumps(SETTINGS | settings), "--threads", "1"),
                *("--teacher", json.dumps(answer_settings(teacher_settings)), "--teacher-folder", str(tmp_path)),
                *("--topics", str(tmp_path / "topics.json")),
            ]
        )
        return tmp_path / "topics.json"

    return run


def test_topics_of_all_replies_are_distinct_and_sorted(draw, teacher):
    for reply in ("1. Tidal mills\n2. Kelp\n3. Mud\n4. 2017-2018", "Kelp, eels", "1. kelp\n2. **Eels:** a fish"):
        teacher.says(reply)
    path = draw()
    assert [topic.casefold() for topic in read_topics(path)] == ["eels", "kelp", "tidal mills"]
    assert set(read_json(path)["prompts"]) == {"airoboros_topics"}
    assert len({request["seed"] for request in teacher.requests}) == 3
    assert "to 2" in teacher.requests[0]["messages"][0]["content"]
    before = path.read_bytes()
    path.unlink()
    assert draw().read_bytes() == before and len(teacher.requests) == 3  # from the stored answers


def test_a_reply_that_was_cut_off_loses_its_last_topic(draw, teacher):
    teacher.says("1. Kelp\n2. Tidal mi", finish_reason="length")
    assert read_topics(draw(topic_requests=1)) == ["Kelp"]


def test_a_teacher_that_lists_nothing_is_no_error(draw, teacher):
    for _ in range(3):
        teacher.says("I like kelp.")
    assert read_topics(draw()) == []


def test_a_teacher_that_fails_is_an_error(draw, teacher):
    teacher.sends({"error": "no"}, status=400)
    with pytest.raises(UserError, match=r"failed to list topics: .*400.* Fix the teacher and run again"):
        draw(topic_requests=1)
