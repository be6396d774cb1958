"""One shard as a job: its seeds, its requests, its output and statistics, and when it stops."""

import json

import pytest

from tests.support.queued_teacher import QueuedTeacher
from workflow_scripts.common.conversations import seed_as_conversation
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_json, write_jsonl
from workflow_scripts.synthesis.judging import settings as settings_of_judge
from workflow_scripts.synthesis.synthesize_shard import main
from workflow_scripts.teacher.runtime_settings import VARIABLE, answer_settings, export_runtime_settings

FIRST = "Its crystals interlock, and water finds few ways in."
GOES_ON = " granite last where crystals interlock?"
ANSWERS = ["Feldspar goes first.", "Deserts keep granite domes."]


@pytest.fixture
def seeds(make_seed):
    """Two seeds, one with an answer, in the order of their ids."""
    made = [make_seed("Why does granite last?", response=FIRST), make_seed("Why do granite domes last?")]
    return sorted(made, key=lambda seed: seed["id"])


@pytest.fixture
def shard(tmp_path, config, teacher, monkeypatch):
    """A function that runs a shard of these seeds: rows, rejected rows, statistics."""

    def run(
        seeds,
        max_failure_rate=0.0,
        topics=None,
        labels="none",
        judge_teacher=None,
        **settings,
    ):
        teacher_settings = {**config["teacher"], "kind": "endpoint", "model": "m", "base_url": teacher.base_url}
        teacher_settings |= {
            "prefill": True,
            "concurrency": 1,
            "retries": 0,
            "timeout": 10,
            "max_failure_rate": max_failure_rate,
        }
        exchanges = [{"count": 2, "weight": 1}]
        recipe = [{"path": ["amplify"], "weight": 1}]
        settings = {
            **config["synthesis"],
            "exchanges": exchanges,
            "recipe": recipe,
            "follow_ups": {**config["synthesis"]["follow_ups"], "replacements": 0},
            **settings,
        }
        for variable in (VARIABLE, settings_of_judge.VARIABLE):
            monkeypatch.setenv(variable, "")  # restored after the test
        export_runtime_settings(teacher_settings)
        both = {"teacher": teacher_settings, "judge": {"teacher": judge_teacher or {}}}
        settings_of_judge.export_judge_runtime(both)
        endpoint = settings_of_judge.independent_endpoint(both)
        write_jsonl(tmp_path / "seeds.jsonl", seeds)
        write_json(tmp_path / "topics.json", {"topics": topics})
        out = {name: tmp_path / name for name in ("data", "rejected", "stats")}
        main(
            [
                *("--seeds", str(tmp_path / "seeds.jsonl"), "--shard", "0000", "--threads", "1"),
                *(f"--topics={tmp_path / 'topics.json' if topics else ''}", "--labels", labels),
                *("--settings", json.dumps(settings), "--teacher", json.dumps(answer_settings(teacher_settings))),
                *("--judge", json.dumps(answer_settings(endpoint) if endpoint else {})),
                *("--teacher-folder", str(tmp_path)),
                *(part for name, path in out.items() for part in (f"--{name}", str(path))),
            ]
        )
        rows, rejected = list(read_jsonl(out["data"])), list(read_jsonl(out["rejected"]))
        stats = read_json(out["stats"])
        assert stats["in"] == stats["out"] + len(rejected) and stats["out"] == len(rows)
        return rows, rejected, stats

    return run


def queue_replies(teacher, seeds):
    """Queue the replies for two exchanges of each seed, and return their number."""
    replies = [reply for seed in seeds for reply in ([] if seed["response"] else [FIRST]) + [GOES_ON, ANSWERS[0]]]
    for reply in replies:
        teacher.says(reply)
    return len(replies)


def test_a_shard_generates_a_conversation_from_each_seed(shard, teacher, seeds):
    requested = queue_replies(teacher, seeds)
    rows, rejected, stats = shard(seeds)
    assert rejected == []
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    by_seed = {row["provenance"]["seed"]: row for row in rows}
    for seed in seeds:
        row = by_seed[seed["id"]]
        first, second = row["conversation"]
        assert first == {"input": seed["instruction"], "output": FIRST}
        assert second["input"].endswith(GOES_ON) and second["output"] == ANSWERS[0]
        assert row["provenance"]["teacher"] == {"model": "m", "kind": "endpoint", "identity": "endpoint m"}
    assert (stats["requests"], stats["cached"]) == (requested, 0) == (len(teacher.requests), 0)
    assert (stats["prompt_tokens"], stats["completion_tokens"]) == (7 * requested, 3 * requested)
    assert stats["faults"] == {}


def test_stored_answers_are_not_requested_again(shard, teacher, seeds):
    requested = queue_replies(teacher, seeds)
    first, second = shard(seeds), shard(seeds[::-1])
    assert len(teacher.requests) == requested
    assert first[:2] == second[:2]
    assert (second[2]["requests"], second[2]["cached"], second[2]["prompt_tokens"]) == (0, requested, 0)


def test_the_size_of_shards_does_not_affect_rows(shard, teacher, seeds):
    requested = queue_replies(teacher, seeds)
    complete = shard(seeds)[0]
    parts = [shard([seed])[0] for seed in seeds]
    assert [len(part) for part in parts] == [1, 1]
    assert sorted(parts[0] + parts[1], key=lambda row: row["id"]) == complete
    assert len(teacher.requests) == requested


def test_an_independent_judge_answers_all_judgements(shard, teacher, seeds, config):
    judge = QueuedTeacher()
    # The teacher serves neither this model nor its judgements: its price is not the judge's.
    endpoint = {"model": "j", "base_url": judge.base_url, "price": {"input": 1e6, "output": 0, "currency": "EUR"}}
    scores = {"min_mean": 3, "references": False}
    skills = ["Factuality", "Insightfulness", "Completeness"]
    requested = queue_replies(teacher, seeds)
    judge.says(json.dumps(dict.fromkeys(skills, 4)))
    try:
        seeds = [{**seed, "skills": skills} for seed in seeds]
        rows, rejected, stats = shard(seeds, judge=scores, judge_teacher=endpoint)
    finally:
        judge.close()
    assert rejected == [] and {row["provenance"]["teacher"]["judge"] for row in rows} == {"j"}
    assert all(answer["scores"] == dict.fromkeys(skills, 4) for row in rows for answer in row["provenance"]["scores"])
    assert len(teacher.requests) == requested and {request["model"] for request in judge.requests} == {"j"}
    assert stats["requests"] == requested + len(judge.requests) == requested + 4
    assert stats["prompt_tokens"] == 7 * stats["requests"]
    assert stats["money"] == 7 * len(judge.requests)  # of the judge alone


def test_topics_of_the_run_are_read(shard, teacher, seeds):
    recipe = [{"path": ["airoboros", "amplify"], "weight": 1}]
    teacher.says("Kelp.")
    shard(seeds[:1], recipe=recipe, topics=["tidal mills"], attempts=1)
    assert "tidal mills" in teacher.requests[0]["messages"][0]["content"]


def test_an_empty_shard_starts_no_teacher(shard, teacher, seeds):
    rows, rejected, stats = shard([])
    assert (rows, rejected, teacher.requests) == ([], [], [])
    assert stats == {"in": 0, "out": 0, "rejected": {}}


def test_a_seed_with_a_bad_turn_is_rejected_with_its_fault_and_text(shard, teacher, seeds):
    teacher.says("")
    rows, rejected, stats = shard(seeds, attempts=2)
    assert rows == []
    assert [row["id"] for row in rejected] == [seed["id"] for seed in seeds]
    assert [row["conversation"] for row in rejected] == [
        [{"input": seed["instruction"], "output": seed["response"]}] for seed in seeds
    ]
    assert [row["evidence"] for row in rejected] == [
        {"source": "Airoboros", "fault": "follow_up:empty" if seed["response"] else "answer:empty", "text": ""}
        for seed in seeds
    ]
    assert stats["rejected"] == {"bad_turn": 2}
    assert stats["faults"] == {"answer:empty": 2, "follow_up:empty": 2}


def test_failures_up_to_the_rate_are_rejected_rows(shard, teacher, seeds):
    teacher.sends({"error": "no"}, status=500)
    queue_replies(teacher, seeds[1:])
    rows, rejected, _ = shard(seeds, max_failure_rate=0.5)
    assert [row["provenance"]["seed"] for row in rows] == [seeds[1]["id"]]
    assert rejected == [
        {
            "id": seeds[0]["id"],
            "reason": "teacher_error",
            "evidence": {"source": "Airoboros", "error": "HTTP status 500: no"},
            **{key: seed_as_conversation(seeds[0])[key] for key in ("source", "conversation", "provenance")},
        }
    ]


def test_beyond_the_rate_the_job_stops_and_keeps_paid_answers(shard, teacher, seeds, tmp_path):
    paid = queue_replies(teacher, seeds[:1])
    teacher.sends({"error": "no"}, status=500)
    with pytest.raises(UserError, match=r"failed for 1 of 2 seeds \(last error: HTTP status 500: no\), more than"):
        shard(seeds, max_failure_rate=0.49)
    assert not (tmp_path / "data").exists() and not (tmp_path / "stats").exists()
    teacher.queue.clear()
    teacher.requests.clear()
    requested = queue_replies(teacher, seeds[1:])
    rows, rejected, stats = shard(seeds)
    assert (len(rows), rejected) == (2, [])
    assert (len(teacher.requests), stats["cached"]) == (requested, paid)


def test_a_seed_that_a_content_filter_refuses_is_rejected_and_no_failure(shard, teacher, seeds):
    """Its other attempts have other sampling seeds; the rest of the shard goes on."""
    for _ in range(2):
        teacher.sends({"error": {"code": "content_filter", "message": "Filtered."}}, status=400)
    queue_replies(teacher, seeds[1:])
    rows, (rejected,), stats = shard(seeds, max_failure_rate=0.0, attempts=2)
    assert [row["provenance"]["seed"] for row in rows] == [seeds[1]["id"]]
    kind = "follow_up" if seeds[0]["response"] else "answer"
    evidence = {"source": "Airoboros", "fault": f"{kind}:content_filter", "text": "content_filter: Filtered."}
    assert (rejected["id"], rejected["reason"], rejected["evidence"]) == (seeds[0]["id"], "bad_turn", evidence)
    assert (stats["failed"], stats["faults"]) == (0, {f"{kind}:content_filter": 2})
    requested = len(teacher.requests)
    assert shard(seeds, max_failure_rate=0.0, attempts=2)[:2] == (rows, [rejected])  # a replay gives the same rows
    assert len(teacher.requests) == requested


def test_a_rejected_seed_keeps_the_last_failed_text(shard, teacher, seeds):
    teacher.says("Here you go: https://example.org")
    _, rejected, _ = shard(seeds, attempts=2)
    assert {row["evidence"]["text"] for row in rejected} == {"Here you go: https://example.org"}
