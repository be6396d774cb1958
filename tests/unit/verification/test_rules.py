"""The three rules in sequence: no row is lost, reruns give the same bytes, invalid decisions stop the run."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, read_jsonl, write_jsonl
from workflow_scripts.verification import apply_decisions, collect_decisions, queue_reviews

FILES = ("queue.jsonl", "plan.json", "queue.csv", "decisions.jsonl", "unmatched.jsonl", "data.jsonl", "rejected.jsonl", "items.jsonl", "stats.json")  # fmt: skip


def seed(number, response="It is 4 m."):
    row = {
        "source": "Verified-Camel", "dataset": "camel-ai/physics", "revision": "c0ffee", "license": "MIT", "kind": "problem",
        "instruction": f"Problem {number}?", "context": "", "response": response, "domain": "Natural Science",
        "skills": None, "difficulty": None, "meta": {"topic": "Optics"},
    }  # fmt: skip
    return {"id": content_id(row["instruction"], "", response, None), **row}


SEEDS = [seed(n) for n in range(8)]


def grown(row, count=2):
    talk = [{"input": row["instruction"], "output": row["response"]}]
    talk += [{"input": f"And {n}?", "output": f"Then {n}."} for n in range(2, count + 1)]
    kept = {key: row[key] for key in ("dataset", "revision", "license", "kind", "domain", "skills", "difficulty")}
    provenance = {
        "seed": row["id"],
        **kept,
        "opening": "seed",
        "techniques": ["amplify"],
        "first_answer": "seed",
        "scores": None,
    }
    return {"id": content_id(talk), "source": row["source"], "conversation": talk, "provenance": provenance}


def decision(row, reviewer, verdict, **more):
    return {"item": row["id"], "answer": 1, "reviewer": reviewer, "verdict": verdict, **more}


@pytest.fixture
def stage(tmp_path, config):
    """A function that runs the stage on eight seeds with a conversation each; every list of decisions becomes a file."""
    config["verification"]["queue"]["gold"] = {"path": None, "share": 0.0}

    def run(*lists, folder="one", files=(), seeds=SEEDS, **changed):
        out = tmp_path / folder
        out.mkdir(exist_ok=True)
        settings = config["verification"] | changed
        write_jsonl(tmp_path / "seeds.jsonl", seeds)
        write_jsonl(tmp_path / "grown.jsonl", map(grown, seeds))
        for number, rows in enumerate(lists):
            write_jsonl(tmp_path / f"{number}.jsonl", rows)
        files = [*(str(tmp_path / f"{number}.jsonl") for number in range(len(lists))), *map(str, files)]
        conversations = ["--conversations", str(tmp_path / "grown.jsonl")]
        paths = {name.replace(".", "_"): str(out / name) for name in FILES}
        with_seeds = ["--seeds", str(tmp_path / "seeds.jsonl"), *conversations]
        queue = ["--queue", paths["queue_jsonl"]]
        queue_reviews.main(
            [
                *with_seeds,
                "--settings",
                json.dumps(settings),
                *queue,
                "--plan",
                paths["plan_json"],
                "--sheet",
                paths["queue_csv"],
            ]
        )
        decided = ["--decisions", paths["decisions_jsonl"], "--unmatched", paths["unmatched_jsonl"]]
        collect_decisions.main([*with_seeds, *queue, "--files", *files, *decided])
        written = [f"--{name}={paths[key]}" for name, key in (("data", "data_jsonl"), ("rejected", "rejected_jsonl"), ("items", "items_jsonl"), ("stats", "stats_json"))]  # fmt: skip
        apply_decisions.main([*conversations, *queue, *decided, "--settings", json.dumps(settings), *written])
        return out

    return run


def test_without_decisions_every_row_passes_byte_for_byte(stage, tmp_path):
    out = stage()
    passed = sorted(map(grown, SEEDS), key=lambda row: row["id"])
    assert list(read_jsonl(out / "data.jsonl")) == passed
    assert read_json(out / "stats.json")["conversations"]["unreviewed"] == 8
    assert list(read_jsonl(out / "rejected.jsonl")) == []


def test_in_is_out_plus_rejected(stage):
    rows = [decision(SEEDS[0], name, "wrong", note="no") for name in "ab"]
    rows += [decision(SEEDS[1], "a", "wrong", corrected="It is 5 m."), decision(SEEDS[2], "a", "correct")]
    out = stage(rows)
    stats = read_json(out / "stats.json")
    (rejected,) = read_jsonl(out / "rejected.jsonl")
    assert (stats["in"], stats["out"], stats["rejected"]) == (8, 7, {"wrong_answer": 1})
    assert stats["conversations"] == {"unreviewed": 5, "accepted": 1, "corrected": 1, "shortened": 0}
    assert [one["reviewer"] for one in rejected["evidence"]["decisions"]] == ["a", "b"]
    assert rejected["evidence"]["decisions"][0]["note"] == "no"
    row = grown(SEEDS[0])
    assert {key: rejected[key] for key in ("id", "source", "conversation", "provenance")} == row


def test_reruns_and_double_imports_give_the_same_bytes(stage):
    rows = [decision(SEEDS[n], "a", "correct", at=f"2026-01-0{n + 1}") for n in range(4)]
    first, rerun, twice = stage(rows, folder="a"), stage(rows, folder="b"), stage(rows, rows[::-1], folder="c")
    for name in FILES:
        assert (first / name).read_bytes() == (rerun / name).read_bytes() == (twice / name).read_bytes()
    # the rule's own output can be imported
    third = stage(folder="d", files=[first / "decisions.jsonl"])
    assert (third / "decisions.jsonl").read_bytes() == (first / "decisions.jsonl").read_bytes()


def test_a_changed_verdict(stage):
    rows = [decision(SEEDS[0], "a", "wrong", at="2026-01-01"), decision(SEEDS[0], "a", "correct", at="2026-01-02")]
    out = stage(rows)
    assert read_json(out / "stats.json")["rejected"] == {} and read_json(out / "stats.json")["changed_minds"] == 1
    assert [row["counts"] for row in read_jsonl(out / "decisions.jsonl")] == [False, True]


def test_a_queue_that_grows_or_shrinks_keeps_ids_and_decisions(stage, config):
    def queue_of(count):
        return config["verification"]["queue"] | {"problems": count}

    small = stage(folder="small", queue=queue_of(3))
    queued = [row["id"] for row in read_jsonl(small / "queue.jsonl")]
    rows = [{"item": name, "answer": 1, "reviewer": "a", "verdict": "wrong"} for name in queued]
    large = stage(rows, folder="large", queue=queue_of(6))
    assert set(queued) < {row["id"] for row in read_jsonl(large / "queue.jsonl")}
    none = stage(rows, folder="none", queue=queue_of(0))  # an empty queue; existing decisions still count
    for out in (large, none):
        assert read_json(out / "stats.json")["rejected"] == {"wrong_answer": 3}
        assert read_json(out / "stats.json")["unmatched"] == {}


def test_unmatched_entries_are_kept_and_used_later(stage, caplog):
    rows = [decision(SEEDS[0], "a", "correct"), decision(seed(99), "a", "wrong")]
    out = stage(rows)
    (unmatched,) = read_jsonl(out / "unmatched.jsonl")
    assert unmatched["reason"] == "unknown_item" and unmatched["entry"]["item"] == seed(99)["id"]
    assert any("0.jsonl, line 2: item" in message and "is not in this run" in message for message in caplog.messages)
    back = stage(rows, folder="back", seeds=[*SEEDS, seed(99)])
    assert read_json(back / "stats.json")["rejected"] == {"wrong_answer": 1}


def test_invalid_entries_stop_the_run_and_are_located(stage, caplog):
    rows = [decision(SEEDS[0], "a", "corect"), decision(SEEDS[1], "a", "correct", answer=2), {"item": SEEDS[2]["id"]}]
    with pytest.raises(
        UserError,
        match=r"^invalid entries in the decision files: 3\. Fix them there and run again\.$",
    ):
        stage(rows)
    errors = [message.rpartition("/")[2] for message in caplog.messages if message.startswith("error: ")]
    assert errors == [
        "0.jsonl, line 1: 'corect' is not one of correct, minor_error, wrong, incoherent.",
        f"0.jsonl, line 2: item {SEEDS[1]['id']} has 1 answer; there is no answer 2.",
        "0.jsonl, line 3: no reviewer; its account is not in `verification.reviewers`.",
    ]


def test_require_stops_until_everything_is_reviewed(stage):
    with pytest.raises(
        UserError, match=r"queue\.jsonl: items without enough decisions: 8, disputed items: 0 \(8 of physics\)"
    ):
        stage(require=True)
    rows = [decision(row, name, "correct") for row in SEEDS for name in "ab"]
    with pytest.raises(UserError, match=r"without enough decisions: 0, disputed items: 1 "):
        stage([*rows[:-1], decision(SEEDS[-1], "b", "wrong")], require=True)
    assert read_json(stage(rows, require=True) / "stats.json")["left"]["open"] == 0
    resolved = [*rows[:-1], decision(SEEDS[-1], "b", "wrong"), decision(SEEDS[-1], "zoe", "correct")]
    stats = read_json(stage(resolved, require=True, resolve="adjudicator", adjudicators=["zoe"]) / "stats.json")
    assert stats["conversations"]["accepted"] == 8 and stats["left"]["disputed"] == 0


def test_an_invalid_gold_file(tmp_path):
    path = tmp_path / "gold.jsonl"
    write_jsonl(path, [{"instruction": "?", "response": "!", "field": "physics", "verdict": "right"}])
    with pytest.raises(
        UserError, match=r"gold\.jsonl, line 1: unknown verdict 'right'\. Use one of correct, minor_error"
    ):
        queue_reviews.read_gold(path)
    write_jsonl(path, [{"instruction": "?", "verdict": "wrong"}])
    with pytest.raises(UserError, match=r"line 1: missing response, field\."):
        queue_reviews.read_gold(path)
