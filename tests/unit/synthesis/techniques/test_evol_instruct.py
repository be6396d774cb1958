"""Evol-Instruct: operations, rounds, and the four rules of elimination."""

from collections import Counter

import pytest

from workflow_scripts.synthesis.techniques.evol_instruct import OPERATIONS, EvolInstruct, elimination

OLD = "Why does granite erode so slowly?"
HARDER = "Why does granite erode so slowly on a rainy coast, and which of its minerals gives way first?"
HARDEST = "Why does granite erode so slowly on a rainy coast of Brittany, and which of its minerals gives way first when frost and salt act together?"
RARER = "Why does gabbro weather into rounded boulders?"
ANSWER = "Feldspar turns to clay, and the quartz is left behind as sand."
MORE, SAME = {"asks_for_more": True}, {"asks_for_more": False}


def only(*operations, rounds=1):
    return {"rounds": rounds, "operations": dict.fromkeys(operations, 1)}


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"breadth", "complicate_input"}))
def test_in_depth_the_context_is_kept(apply, make_seed, operation):
    seed = make_seed(OLD, "A wall of 1820.", "Old answer.")
    work = apply(EvolInstruct(), seed, f'"{HARDER}"', MORE, ANSWER, settings=only(operation))
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (HARDER, "A wall of 1820.", ANSWER)
    assert work.step == {"name": "evol_instruct", "operations": [operation], "eliminated": []}
    assert work.draft.prompts == {"evol_in_depth", "evol_gain", "expert"}
    assert work.kinds == ["instruction", "judge", "answer"]
    assert OLD in work.prompts[0] and "A wall of 1820." in work.prompts[0] and "Old answer." not in work.prompts[0]
    assert OLD in work.prompts[1] and HARDER in work.prompts[1]
    assert work.requests[2]["messages"][-1]["content"] == f"{HARDER}\n\nA wall of 1820."


def test_each_operation_in_depth_has_another_prompt(apply, make_seed):
    prompts = {
        apply(EvolInstruct(), make_seed(OLD), HARDER, MORE, ANSWER, settings=only(name)).prompts[0]
        for name in OPERATIONS
        if OPERATIONS[name][0] == "evol_in_depth"
    }
    assert len(prompts) == 4


def test_in_breadth_the_context_is_removed(apply, make_seed):
    seed = make_seed(OLD, "A wall of 1820.", "Old answer.", domain="Natural Science")
    work = apply(EvolInstruct(), seed, RARER, MORE, ANSWER, settings=only("breadth"))
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (RARER, "", ANSWER)
    assert "Natural Science" in work.prompts[0] and "A wall of 1820." not in work.prompts[0]
    assert work.requests[2]["messages"][-1]["content"] == RARER


def test_an_input_may_be_long_and_is_not_added_to_an_opening_with_context(apply, make_seed):
    table = f"{OLD} Use this table:\n\n" + "\n".join(f"| mineral {n} | {n} |" for n in range(20))
    work = apply(EvolInstruct(), make_seed(OLD), table, MORE, ANSWER, settings=only("complicate_input"))
    assert work.draft.instruction == table
    work = apply(EvolInstruct(), make_seed(OLD, "A wall."), settings=only("complicate_input"))
    assert work.step["operations"] == work.step["eliminated"] == [] and work.draft.instruction == OLD


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ((HARDER, SAME), "evol_instruct:no_gain"),
        ((HARDER, MORE, "Sorry, no one knows which mineral it is."), "evol_instruct:sorry"),
        ((HARDER, MORE, "It is what it is..."), "evol_instruct:says_nothing"),
        ((HARDER, MORE, "I'm sorry, but I cannot help with that.", ""), "answer:empty"),
        (("Explain the rewritten prompt: " + HARDER,) * 2, "instruction:prompt_words"),
        ((f"{HARDER} Compare " + " ".join(map(str, range(60))),) * 2, "instruction:too_long"),
        ((OLD, OLD), "instruction:near_copy"),
        (("Why? How so?", "Granite is a hard stone of quartz."), "instruction:answers"),
        ((HARDER, {"other": 1}, {"asks_for_more": "yes"}), "judge:malformed"),
    ],
)
def test_an_eliminated_round_leaves_the_draft_unchanged(apply, make_seed, replies, reason):
    seed = make_seed(OLD, "", "Old answer.")
    work = apply(EvolInstruct(), seed, *replies, settings=only("deepen"))
    assert work.error is None
    assert (work.draft.instruction, work.draft.answer) == (OLD, "Old answer.")
    assert work.step["operations"] == []
    assert work.step["eliminated"] == [{"operation": "deepen", "reason": reason}]


def test_sorry_eliminates_short_answers_only():
    assert elimination("I am sorry for the old mason.") == "sorry"
    assert elimination("The mason was sorry. " + "He cut the stone again. " * 30) is None
    assert elimination("The sorrel grows there.") is None
    assert elimination("?! ... --") == elimination("so it is") == "says_nothing"
    assert elimination("42") is elimination("Quartz.") is None


def test_rounds_build_on_each_other(apply, make_seed):
    settings = only("deepen", "concretise", rounds=2)
    work = apply(EvolInstruct(), make_seed(OLD), HARDER, MORE, ANSWER, HARDEST, MORE, "Quartz.", settings=settings)
    assert (work.draft.instruction, work.draft.answer) == (HARDEST, "Quartz.")
    assert HARDER in work.prompts[3] and len(work.step["operations"]) == 2


def test_a_failed_operation_is_not_repeated_on_the_same_instruction(apply, make_seed):
    settings = only("deepen", "concretise", rounds=5)
    work = apply(EvolInstruct(), make_seed(OLD), HARDER, SAME, HARDEST, SAME, settings=settings)
    assert {row["operation"] for row in work.step["eliminated"]} == {"deepen", "concretise"}


def test_a_shortened_instruction_is_invalid(apply, make_seed):
    work = apply(EvolInstruct(), make_seed(HARDEST), OLD, OLD, settings=only("deepen"))
    assert work.step["eliminated"][0]["reason"] == "instruction:shortened"


def test_draws_depend_only_on_weights_and_seed(apply, make_seed):
    weights = {"rounds": 1, "operations": {"deepen": 3, "breadth": 1, "concretise": 0}}
    reversed_ = {"rounds": 1, "operations": dict(reversed(weights["operations"].items()))}
    drawn = Counter()
    for n in range(40):
        seed = make_seed(f"Why does granite of kind {n} erode so slowly?")
        first = apply(EvolInstruct(), seed, HARDER, MORE, ANSWER, settings=weights, http=False)
        again = apply(EvolInstruct(), seed, HARDER, MORE, ANSWER, settings=reversed_, http=False)
        assert first.requests == again.requests and first.step == again.step
        drawn.update(first.step["operations"])
    assert set(drawn) == {"deepen", "breadth"} and drawn["deepen"] > drawn["breadth"]
