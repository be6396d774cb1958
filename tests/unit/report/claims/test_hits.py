"""Which benchmark items a data set still holds."""

from workflow_scripts.report.claims.judge_data import stayed_in


def hit(conversation, item, level=98, removes=True, counts=False):
    return {"id": conversation, "benchmark": "mmlu", "item": item, "level": level, "removes": removes, "counts": counts}


def test_a_removed_conversation_holds_nothing():
    assert stayed_in([hit("a", 1, counts=True), hit("a", 2)], 97) == []


def test_allowed_hits_and_those_below_the_border_stay():
    assert stayed_in([hit("a", 1), hit("b", 1), hit("b", 2, level=97)], 97) == ["mmlu 1", "mmlu 2"]


def test_lower_levels_and_texts_that_are_no_reason_are_left_out():
    assert stayed_in([hit("a", 1, level=96), hit("a", 2, removes=False)], 97) == []
