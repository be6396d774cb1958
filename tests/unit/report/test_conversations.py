"""The rows of the conversation browser."""

import pytest

from workflow_scripts.common.stage import rejected_row
from workflow_scripts.report.conversations import (
    STAGES,
    Index,
    displayed_hit,
    displayed_row,
    flags,
    headline,
    was_searched,
    with_keys,
)

TALK = [{"input": "Why?", "output": "Because."}, {"input": "And then?", "output": "So."}]
FACTS = {
    "seed": "s1", "license": "MIT", "domain": "History", "techniques": ["evol_instruct", "amplify"], "first_answer": "teacher",
    "steps": [{"name": "evol_instruct"}, {"name": "amplify", "planned": 3, "moves": ["deepen"]}], "stopped": "answer:url",
}  # fmt: skip
ROW = {"id": "c1", "source": "Dove", "conversation": TALK, "provenance": FACTS}


def hit(**fields):
    return {
        "id": "c1", "turn": 0, "start": 0, "end_turn": 0, "end": 3, "benchmark": "x", "item": "q1", "field": "question", "removes": True,
        "similarity": 0.99, "counts": True, "allowed": None, "item_text": "why", **fields,
    }  # fmt: skip


def test_positions_of_hits_are_in_utf_16_code_units():
    texts = ["a😀b", "\ud800 𝔸lone", "c"]
    assert [displayed_hit(hit(start=2, end=3), texts)[key] for key in ("start", "end")] == [3, 4]
    assert [displayed_hit(hit(turn=1, start=2, end_turn=2, end=1), texts)[key] for key in ("start", "end")] == [2, 1]
    assert displayed_hit(hit(turn=1, start=3, end_turn=1, end=7), texts)["start"] == 4


@pytest.mark.parametrize("stage", STAGES[2:])
def test_a_rejected_row_has_reason_and_evidence(stage):
    row = displayed_row(stage, rejected_row(ROW, "contaminated", {"hits": []}), None, [hit()])
    assert (row["stage"], row["reason"], row["evidence"]) == (stage, "contaminated", {"hits": []})
    assert (row["source"], row["conversation"], row["provenance"]) == ("Dove", TALK, FACTS)
    assert row["hits"][0]["verdict"] == "removed" and row["hits"][0]["item"] == "q1"


def test_a_rejected_row_without_text(make_seed):
    empty = {"id": "x", "source": "Dove", "conversation": [], "provenance": {}}
    row = displayed_row("seeds", rejected_row(empty, "no_request", {"row": 7}), make_seed("How?"), [hit()])
    assert (row["source"], row["conversation"], flags(row)) == ("Dove", [], ["no text"])


@pytest.mark.parametrize(
    ("stage", "reason", "kind", "searched"),
    [
        ("seeds", "url", "instruction", False),
        ("seeds", "near_duplicate", "instruction", False),
        ("seeds", "contaminated", "instruction", True),
        ("seeds", "same_meaning", "instruction", True),
        ("seeds", "over_limit", "instruction", True),
        ("seeds", "over_limit", "conversation", False),
        ("synthesis", "bad_turn", "instruction", False),
        ("conversations", "near_duplicate", "conversation", False),
        ("decontamination", "contaminated", "conversation", True),
        ("train", None, "instruction", True),
    ],
)
def test_what_was_searched(stage, reason, kind, searched):
    assert was_searched(stage, {**ROW, "reason": reason, "provenance": {"kind": kind}}) == searched


def test_a_rewritten_opening_is_displayed_with_its_seed(make_seed):
    assert "seed" not in displayed_row("train", ROW, make_seed("Why?", response="Other."), [])
    assert displayed_row("train", ROW, make_seed("How?", response="Thus."), [])["seed"] == [
        {"input": "How?", "output": "Thus."}
    ]


def test_flags():
    row = displayed_row("train", ROW, None, [hit(counts=False, allowed="asked by all")])
    assert flags(row) == ["benchmark text", "allowed hit", "ended early", "first answer by the teacher"]
    joined = {**ROW, "provenance": {}, "conversation": [{"input": "👨‍👩‍👧 می‌خواهم", "output": "x"}]}
    assert flags(displayed_row("train", joined, None, [])) == []  # joiners are part of the script
    for mark in ("\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041", "\ud800"):
        turned = {**joined, "conversation": [{"input": f"a{mark}b", "output": "x"}]}
        assert flags(displayed_row("train", turned, None, [])) == ["hidden characters"]


def test_a_rewritten_opening_and_a_technique_left_out_are_flags():
    rewritten = {**ROW, "provenance": {"opening": "lamini_topic"}}
    assert flags(displayed_row("train", rewritten, None, [])) == ["opening rewritten"]
    fallback = {**ROW, "provenance": {"opening": "seed", "fallbacks": [{"name": "flask", "reason": "x"}]}}
    assert flags(displayed_row("train", fallback, None, [])) == ["technique left out"]


def test_the_outcome_of_verification_is_a_flag():
    row = {**ROW, "provenance": {"verification": {"status": "corrected", "answers": []}}}
    assert flags(displayed_row("train", row, None, [])) == ["experts: corrected"]


def test_keys_are_ids_with_a_number_if_an_id_repeats():
    rows = [{"id": name} for name in ("a", "b", "b", "b", "c")]
    assert [row["key"] for row in with_keys(rows)] == ["a", "b", "b-2", "b-3", "c"]


def test_the_index_contains_names_once():
    index = Index()
    index.add({"key": "c1", **displayed_row("train", ROW, None, [])})
    index.add({"key": "c2", **displayed_row("decontamination", rejected_row(ROW, "contaminated", {}), None, [])})
    columns = index.to_json()
    assert columns["names"]["stage"] == ["train", "decontamination"] and columns["columns"]["stage"] == [0, 1]
    assert columns["columns"]["reason"] == [-1, 0] and columns["names"]["technique"] == ["evol_instruct", "amplify"]
    assert columns["columns"]["technique"] == [[0, 1], [0, 1]] and columns["names"]["move"] == ["deepen"]
    assert columns["columns"]["length"] == [24, 24] and columns["columns"]["exchanges"] == [2, 2] and len(index) == 2


def test_headlines():
    assert headline("a\n\n b\u2028c") == "a b c"
    assert headline("x" * 101) == "x" * 100 + "…"
