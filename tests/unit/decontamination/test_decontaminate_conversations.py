"""Contaminated conversations are rejected with evidence, near misses stay, and the table counts both."""

import json

import pytest

from workflow_scripts.common.rows import read_json, read_jsonl, write_json, write_jsonl
from workflow_scripts.decontamination import (
    corpus,
    decontaminate_conversations,
    index_benchmarks,
    run_minhash_baseline,
    search_benchmarks,
)
from workflow_scripts.decontamination.nearby import near_question

QUESTION = "Why does granite erode so much more slowly than limestone does in a wet and rather warm climate zone?"
SHORT = "Which stones outlast extraordinary winters?"
LENGTH = len(QUESTION) - 1  # the question mark is not in the normal form
PASSAGE = "A passage about stones that anybody may read, long enough to be looked for and found."


def conversation(name, *turns):
    exchanges = [{"input": a, "output": b} for a, b in zip(turns[::2], turns[1::2], strict=True)]
    return {"id": name, "source": "Dove", "conversation": exchanges, "provenance": {}}


def changed(letters):
    """The question with this number of letters replaced, far apart."""
    places = range(5, 5 + 12 * letters, 12)
    return "".join("#" if place in places and char != " " else char for place, char in enumerate(QUESTION))


@pytest.fixture
def decontaminate(tmp_path):
    """A function that runs the rules of the stage in sequence."""

    def run(
        conversations, remove_at=97, levels=(100, 99, 98, 97), allow=(), shards=1, answer="", relations=None, remove=()
    ):
        def file(name):
            return str(tmp_path / name)

        item = {
            "id": "q1",
            "benchmark": "x",
            "question": QUESTION,
            "choices": [],
            "answer": answer,
            "context": "",
            "passage": PASSAGE,
        }
        write_jsonl(tmp_path / "in.jsonl", conversations)
        write_jsonl(
            tmp_path / "items.jsonl", [item, {**item, "id": "q2", "question": SHORT, "answer": "", "passage": ""}]
        )
        write_json(tmp_path / "x.json", {"dataset": "a/b", "revision": "c0ffee", "items": 2})
        level = str(min(*levels, remove_at))
        index_benchmarks.main(
            [
                "--items",
                file("items.jsonl"),
                "--origins",
                file("x.json"),
                "--lowest-level",
                level,
                "--sample",
                file("in.jsonl"),
                "--index",
                file("index"),
            ]
        )
        inputs = ["--conversations", file("in.jsonl"), "--index", file("index")]
        found = [file(f"{shard:04d}.jsonl") for shard in range(shards)]
        for shard, path in enumerate(found):
            search_benchmarks.main(
                [*inputs, "--shard", f"{shard:04d}", "--shards", str(shards), "--processes", "1", "--hits", path]
            )
        run_minhash_baseline.main([*inputs, "--matches", file("minhash")])
        rephrased = []
        if relations is not None:
            write_jsonl(tmp_path / "relations", relations)
            write_json(tmp_path / "usage", {"model": "judge", "requests": 1, "cached": 0})
            rephrased = ["--relations", file("relations"), "--usage", file("usage")]
        decontaminate_conversations.main([
            *inputs, *rephrased, "--remove-relations", json.dumps(remove), "--found", *found, "--minhash", file("minhash"), "--levels", *map(str, levels), "--remove-at", str(remove_at),
            "--allow", json.dumps(allow), "--suites", json.dumps({"all": ["x"]}),
            *(part for name in ("data", "hits", "rephrased", "rejected", "stats") for part in (f"--{name}", file(name))),
        ])  # fmt: skip
        rows = {name: list(read_jsonl(tmp_path / name)) for name in ("data", "hits", "rephrased", "rejected")}
        return rows | {"stats": read_json(tmp_path / "stats")}

    return run


def test_contaminated_conversations_are_rejected_and_near_misses_stay(decontaminate):
    assert LENGTH == 100
    rows = [conversation(f"c{n}", "Hello there.", "Good day.", changed(n), "It is hard.") for n in range(6)]
    found = decontaminate(rows)
    assert [row["id"] for row in found["data"]] == ["c4", "c5"]
    assert [row["id"] for row in found["rejected"]] == ["c0", "c1", "c2", "c3"]
    assert found["stats"]["in"] == found["stats"]["out"] + found["stats"]["rejected"]["contaminated"] == 6
    assert [(hit["distance"], hit["level"], hit["turn"], hit["role"]) for hit in found["hits"]] == [
        (n, 100 - n, 2, "user") for n in range(4)
    ]


def test_every_removal_cites_benchmark_item_and_score(decontaminate):
    row = conversation("c", "Hm.", f"You ask: {changed(2).upper()}")
    found = decontaminate([row])
    hits = [{"benchmark": "x", "item": "q1", "field": "question", "similarity": 0.98}]
    assert found["rejected"] == [
        {**row, "reason": "contaminated", "evidence": {"source": "Dove", "hits": hits}},
    ]
    hit = found["hits"][0]
    turn = f"You ask: {changed(2).upper()}"
    assert (hit["turn"], turn[hit["start"] : hit["end"]]) == (1, hit["found_text"])
    assert hit["found_text"] == changed(2).upper()[:-1] and hit["item_text"] == QUESTION


def test_remove_at_decides_and_the_table_is_cumulative(decontaminate):
    rows = [conversation(f"c{n}", changed(n), "It is hard.") for n in range(4)]
    found = decontaminate(rows, remove_at=99)
    assert [row["id"] for row in found["data"]] == ["c2", "c3"]
    table = found["stats"]["benchmarks"]["x"]
    assert {level: counts["conversations"] for level, counts in table["levels"].items()} == {
        "100": 1,
        "99": 2,
        "98": 3,
        "97": 4,
    }
    assert (table["items"], table["tiers"]) == (2, {"A": 1, "B": 0, "C": 1})


def test_passages_are_listed_and_words_counted_and_both_remove_nothing(decontaminate):
    found = decontaminate([conversation("c", PASSAGE, SHORT)])
    assert [row["id"] for row in found["data"]] == ["c"]
    assert [(hit["item"], hit["field"], hit["removes"]) for hit in found["hits"]] == [("q1", "passage", False)]
    table = found["stats"]["benchmarks"]["x"]
    assert table["levels"]["97"] == table["listed"]["97"] == {"items": 0, "conversations": 0}
    assert table["passages"]["97"] == table["words"]["97"] == {"items": 1, "conversations": 1}


ANSWER = "It depends on many factors, and there is no single reason that holds everywhere."


@pytest.mark.parametrize(
    ("turns", "removed"),
    [
        (("Tell me about granite in a wet climate: is it slower to erode than limestone?", ANSWER), True),
        (("What makes a bridge sway in the wind?", ANSWER), False),
        (
            (
                "What makes a bridge sway?",
                ANSWER,
                "And which granite erodes more slowly?",
                f"In a climate with limestone: {ANSWER}",
            ),
            True,
        ),
        (("Granite and limestone erode. " + "The bridge sways in any wind. " * 80, ANSWER), False),  # too far away
    ],
)
def test_an_answer_counts_only_near_words_of_its_question(decontaminate, turns, removed):
    found = decontaminate([conversation("c", *turns)], answer=ANSWER)
    assert [(hit["field"], hit["removes"], hit["counts"]) for hit in found["hits"]] == [("answer", removed, removed)]
    assert len(found["rejected"]) == removed
    assert found["stats"]["benchmarks"]["x"]["listed"]["97"]["items"] == (not removed)


@pytest.mark.parametrize(("asked", "near"), [("花岗岩为什么风化得比石灰岩慢", True), ("大桥在风里会摇晃吗", False)])
def test_words_of_scripts_without_spaces_are_pairs_of_characters(asked, near):
    found = "取决于许多因素"
    assert near_question(f" {asked} {found} ", found, "为什么花岗岩比石灰岩风化得慢", found) == near


def test_an_answer_that_repeats_its_question_is_near_it():
    assert near_question(
        " granite lasts because it lasts ", "granite lasts", "granite lasts", "granite lasts because it"
    )


def test_a_short_question_must_match_exactly(decontaminate):
    """One edit is within 97 % of its length, but proves nothing for a few words."""
    near = SHORT.replace("stones", "stores")
    tables = [decontaminate([conversation("c", text, "Hm.")])["stats"]["benchmarks"]["x"] for text in (SHORT, near)]
    assert [table["words"]["97"]["conversations"] for table in tables] == [1, 0]


def test_the_statistics_count_this_stage(decontaminate):
    stats = decontaminate([conversation("clean", "Hm.", "Hm."), conversation("c", QUESTION, "Hm.")])["stats"]
    assert (stats["in"], stats["out"], stats["rejected"]) == (2, 1, {"contaminated": 1})
    stats = decontaminate([conversation("clean", "Hm.", "Hm.")])["stats"]
    assert (stats["in"], stats["out"], stats["rejected"]) == (1, 1, {})


def test_allowed_hits_stay_and_are_counted(decontaminate):
    rows = [conversation(f"c{n}", QUESTION, "It is hard.") for n in range(3)]
    entry = {"benchmark": "x", "item": "q1", "reason": "a question that anybody asks"}
    found = decontaminate(rows, allow=[{**entry, "id": "c1"}, {**entry, "id": "c9"}])
    assert [row["id"] for row in found["data"]] == ["c1"]
    assert [hit["allowed"] for hit in found["hits"]] == [None, entry["reason"], None]
    table = found["stats"]["benchmarks"]["x"]
    assert (table["levels"]["100"]["conversations"], table["allowed"]["100"]["conversations"]) == (2, 1)
    assert found["stats"]["allow_unused"] == [{**entry, "id": "c9"}]
    assert len(decontaminate(rows, allow=[entry])["data"]) == 3


def test_minhash_finds_whole_turns_only(decontaminate):
    """MinHash finds a turn that equals the item, but not a turn that contains it."""
    rows = [
        conversation("alone", QUESTION, "It is hard."),
        conversation("inside", f"{QUESTION} {PASSAGE}", "It is hard."),
    ]
    table = decontaminate(rows)["stats"]["suites"]["all"]
    assert table["levels"]["97"] == {"items": 1, "conversations": 2}
    assert table["minhash"]["97"] == {"items": 1, "conversations": 1}


def test_tiers_add_up(decontaminate):
    table = decontaminate([conversation("c", QUESTION, "Hm.")])["stats"]["benchmarks"]["x"]
    assert sum(table["tiers"].values()) == table["items"] == 2
    assert table["by_tier"]["A"]["100"] == table["levels"]["100"] == {"items": 1, "conversations": 1}


def test_the_number_of_shards_changes_nothing(decontaminate, monkeypatch):
    monkeypatch.setattr(corpus, "BLOCK_BYTES", 600)
    rows = [conversation(f"c{n:02d}", changed(n % 6), "It is hard. " * n) for n in range(40)]
    unsharded = decontaminate(rows)
    assert len(unsharded["hits"]) == 28
    assert decontaminate(rows, shards=8) == unsharded


def related(name, relation, item="q1"):
    texts = {"item_text": QUESTION, "found_text": "What makes granite erode so slowly?"}
    return {
        "id": name,
        "benchmark": "x",
        "item": item,
        "similarity": 0.8,
        "relation": relation,
        "reason": "Why.",
        **texts,
    }


def test_relations_remove_only_if_they_are_named(decontaminate):
    rows = [conversation(name, "What makes granite erode so slowly?", "It is hard.") for name in ("c1", "c2", "c3")]
    relations = [related("c1", "rephrased"), related("c2", "same_subject"), related("c3", "rephrased")]
    found = decontaminate(rows, relations=relations)
    assert [row["id"] for row in found["data"]] == ["c1", "c2", "c3"] and not found["rejected"]
    assert [row["counts"] for row in found["rephrased"]] == [False] * 3
    allow = [{"benchmark": "x", "item": "q1", "id": "c3", "reason": "a common question"}]
    found = decontaminate(rows, relations=relations, remove=["rephrased", "translated"], allow=allow)
    assert [row["id"] for row in found["data"]] == ["c2", "c3"]
    assert [(row["id"], row["reason"], row["evidence"]["items"][0]["relation"]) for row in found["rejected"]] == [
        ("c1", "rephrased_item", "rephrased")
    ]
    assert [row["allowed"] for row in found["rephrased"]] == [None, None, "a common question"]
    assert (found["stats"]["in"], found["stats"]["out"], found["stats"]["allow_unused"]) == (3, 2, [])


def test_relations_are_counted_by_benchmark(decontaminate):
    relations = [related("c1", "rephrased"), related("c2", "rephrased"), related("c2", None, "q2")]
    rows = [conversation(name, "Hm.", "Hm.") for name in ("c1", "c2")]
    table = decontaminate(rows, relations=relations)["stats"]["rephrased"]
    counts = {"candidates": {"items": 2, "conversations": 2}, "rephrased": {"items": 1, "conversations": 2}}
    assert table == {
        "relations": counts,
        "benchmarks": {"x": counts},
        "unjudged": 1,
        "judge": {"model": "judge", "requests": 1, "cached": 0},
    }
    assert decontaminate(rows)["stats"]["rephrased"] is None


def test_a_copy_of_an_item_is_contaminated_whatever_its_relation(decontaminate):
    found = decontaminate(
        [conversation("c", QUESTION, "Hm.")], relations=[related("c", "verbatim")], remove=["verbatim"]
    )
    assert [row["reason"] for row in found["rejected"]] == ["contaminated"]
