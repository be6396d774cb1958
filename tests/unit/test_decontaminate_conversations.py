"""Contaminated conversations go with the evidence, near misses stay, and the table counts what happened."""

import pytest

from workflow_scripts.common.rows import read_json, read_jsonl, write_json, write_jsonl
from workflow_scripts.decontaminate_conversations import main

QUESTION = "Why does granite erode so much more slowly than limestone does in a wet and rather warm climate zone?"
SHORT = "Which stones outlast extraordinary winters?"
LENGTH = len(QUESTION) - 1  # the question mark is no part of the normal form
PASSAGE = "A passage about stones that anybody may read, long enough to be looked for and found."


def conversation(name, *turns):
    exchanges = [{"input": a, "output": b} for a, b in zip(turns[::2], turns[1::2], strict=True)]
    return {"id": name, "source": "Dove", "conversation": exchanges, "provenance": {}}


def changed(letters):
    """The question with so many of its letters replaced, far from each other."""
    places = range(5, 5 + 12 * letters, 12)
    return "".join("#" if place in places and char != " " else char for place, char in enumerate(QUESTION))


@pytest.fixture
def decontaminate(tmp_path):
    def run(conversations, remove_at=97, levels=(100, 99, 98, 97), rejected=()):
        item = {"id": "q1", "benchmark": "x", "question": QUESTION, "choices": [], "answer": "", "passage": PASSAGE}
        write_jsonl(tmp_path / "in.jsonl", conversations)
        write_jsonl(tmp_path / "items.jsonl", [item, {**item, "id": "q2", "question": SHORT, "passage": ""}])
        write_jsonl(tmp_path / "refused.jsonl", rejected)
        write_json(tmp_path / "assembled.json", {"in": len(conversations) + len(rejected)})
        options = {
            "conversations": ["in.jsonl"],
            "items": ["items.jsonl"],
            "assembly-stats": ["assembled.json"],
            "assembly-rejected": ["refused.jsonl"],
            **{name: [name] for name in ("data", "hits", "rejected", "stats")},
        }
        files = [part for name, paths in options.items() for part in (f"--{name}", *(str(tmp_path / p) for p in paths))]
        main([*files, "--levels", *map(str, levels), "--remove-at", str(remove_at)])
        rows = {name: list(read_jsonl(tmp_path / name)) for name in ("data", "hits", "rejected")}
        return rows | {"stats": read_json(tmp_path / "stats")}

    return run


def test_what_is_too_similar_goes_and_near_misses_stay(decontaminate):
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
    found = decontaminate([conversation("c", "Hm.", f"You ask: {changed(2).upper()}")])
    hits = [{"benchmark": "x", "item": "q1", "field": "question", "similarity": 0.98}]
    assert found["rejected"] == [
        {"id": "c", "reason": "contaminated", "evidence": {"source": "Dove", "hits": hits}},
    ]
    assert found["hits"][0]["excerpt"].startswith("hm you ask why d")


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


def test_passages_and_short_questions_are_listed_and_remove_nothing(decontaminate):
    found = decontaminate([conversation("c", PASSAGE, SHORT)])
    assert [row["id"] for row in found["data"]] == ["c"]
    assert [(hit["item"], hit["field"], hit["removes"]) for hit in found["hits"]] == [
        ("q1", "passage", False),
        ("q2", "question", False),
    ]
    table = found["stats"]["benchmarks"]["x"]
    assert table["levels"]["97"] == {"items": 0, "conversations": 0}
    assert table["other"]["97"] == {"items": 2, "conversations": 1}


def test_a_short_question_is_looked_for_verbatim(decontaminate):
    """One edit is within 97 % of its length, but says nothing about so few words."""
    near = SHORT.replace("stones", "stores")
    assert [len(decontaminate([conversation("c", text, "Hm.")])["hits"]) for text in (SHORT, near)] == [1, 0]


def test_rows_that_assembly_refused_are_counted_on(decontaminate):
    refused = {"id": "r", "reason": "no_exchange", "evidence": {}}
    found = decontaminate([conversation("c", "Hm.", "Hm.")], rejected=[refused])
    assert found["rejected"] == [refused]
    assert (found["stats"]["in"], found["stats"]["out"]) == (2, 1)


def test_results_do_not_depend_on_the_order_of_conversations(decontaminate):
    rows = [conversation(f"c{n}", changed(n), "It is hard.") for n in range(5)]
    assert decontaminate(rows) == decontaminate(rows[::-1])
