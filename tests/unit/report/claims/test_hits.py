"""Benchmark items that are still in the data."""

from workflow_scripts.report.claims.judge_data import remaining_items


def hit(conversation, item, level=98, removes=True, counts=False):
    return {"id": conversation, "benchmark": "mmlu", "item": item, "level": level, "removes": removes, "counts": counts}


def test_a_removed_conversation_does_not_count():
    assert remaining_items([hit("a", 1, counts=True), hit("a", 2)], 97) == []


def test_allowed_hits_and_those_below_the_removal_level_remain():
    assert remaining_items([hit("a", 1), hit("b", 1), hit("b", 2, level=97)], 97) == ["mmlu 1", "mmlu 2"]


def test_lower_levels_and_listed_hits_do_not_count():
    assert remaining_items([hit("a", 1, level=96), hit("a", 2, removes=False)], 97) == []
