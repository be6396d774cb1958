"""What the browser of conversations tells of a row."""

import pytest

from workflow_scripts.report.conversations import STAGES, Index, flags, headline, keyed, of_seed, placed, shown

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


def test_places_of_hits_are_counted_in_16_bit_units():
    texts = ["a😀b", "\ud800 𝔸lone", "c"]
    assert [placed(hit(start=2, end=3), texts)[key] for key in ("start", "end")] == [3, 4]
    assert [placed(hit(turn=1, start=2, end_turn=2, end=1), texts)[key] for key in ("start", "end")] == [2, 1]
    assert placed(hit(turn=1, start=3, end_turn=1, end=7), texts)["start"] == 4


@pytest.mark.parametrize("stage", STAGES[2:])
def test_a_rejected_row_tells_why(stage):
    row = shown("c1", (stage, "contaminated", {"source": "Dove", "hits": []}), ROW, None, [hit()])
    assert (row["stage"], row["reason"], row["evidence"]) == (stage, "contaminated", {"source": "Dove", "hits": []})
    assert row["hits"][0]["verdict"] == "removed" and row["hits"][0]["item"] == "q1"


def test_a_row_without_text_has_its_source_from_the_evidence():
    row = shown("x", ("seeds", "no_request", {"source": "Dove", "row": 7}), None, None, [])
    assert (row["source"], row["conversation"], flags(row)) == ("Dove", [], ["no text"])


def test_the_seed_goes_along_where_the_opening_was_rewritten(make_seed):
    outcome = ("train", None, None)
    assert "seed" not in shown("c1", outcome, ROW, make_seed("Why?", response="Other."), [])
    assert shown("c1", outcome, ROW, make_seed("How?", response="Thus."), [])["seed"] == [
        {"input": "How?", "output": "Thus."}
    ]


def test_a_seed_is_a_conversation_too(make_seed):
    post = make_seed("Sum up.", context="A post.", meta={"task": "complex_summary", "author": "A"})
    assert of_seed(post)["conversation"] == [{"input": "Sum up.\n\nA post.", "output": ""}]
    assert of_seed(post)["provenance"]["author"] == "A"
    dialogue = of_seed(make_seed(meta={"conversation": TALK}))
    assert dialogue["conversation"] == TALK and "conversation" not in dialogue["provenance"]


def test_flags():
    row = shown("c1", ("train", None, None), ROW, None, [hit(counts=False, allowed="asked by all")])
    assert flags(row) == ["benchmark text", "allowed hit", "ended early", "first answer by the teacher"]
    joined = {**ROW, "provenance": {}, "conversation": [{"input": "👨‍👩‍👧 می‌خواهم", "output": "x"}]}
    assert flags(shown("c1", ("train", None, None), joined, None, [])) == []  # joiners are letters' own
    for mark in ("\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041", "\ud800"):
        turned = {**joined, "conversation": [{"input": f"a{mark}b", "output": "x"}]}
        assert flags(shown("c1", ("train", None, None), turned, None, [])) == ["hidden marks"]


def test_what_experts_did_is_a_flag():
    row = {**ROW, "provenance": {"verification": {"status": "corrected", "answers": []}}}
    assert flags(shown("c1", ("train", None, None), row, None, [])) == ["experts: corrected"]


def test_keys_are_ids_and_numbers_where_several_have_one():
    rows = [{"id": name} for name in ("a", "b", "b", "b", "c")]
    assert [row["key"] for row in keyed(rows)] == ["a", "b", "b-2", "b-3", "c"]


def test_the_index_holds_names_once():
    index = Index()
    for key, outcome in (("c1", ("train", None, None)), ("c2", ("decontamination", "contaminated", {}))):
        index.add({"key": key, **shown(key, outcome, ROW, None, [])})
    told = index.told()
    assert told["names"]["stage"] == ["train", "decontamination"] and told["columns"]["stage"] == [0, 1]
    assert told["columns"]["reason"] == [-1, 0] and told["names"]["technique"] == ["evol_instruct", "amplify"]
    assert told["columns"]["technique"] == [[0, 1], [0, 1]] and told["names"]["move"] == ["deepen"]
    assert told["columns"]["length"] == [24, 24] and told["columns"]["exchanges"] == [2, 2] and len(index) == 2


def test_headlines():
    assert headline("a\n\n b\u2028c") == "a b c"
    assert headline("x" * 101) == "x" * 100 + "…"
