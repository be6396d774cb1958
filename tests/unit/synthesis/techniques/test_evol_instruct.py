"""Evol-Instruct: operations, rounds, and the four rules of elimination."""

from collections import Counter

import pytest

from workflow_scripts.synthesis.techniques.evol_instruct import INPUTS, OPERATIONS, EvolInstruct, elimination
from workflow_scripts.synthesis.techniques.instruction import instruction_fault

OLD = "Why does granite erode so slowly?"
HARDER = "Why does granite erode so slowly on a rainy coast, and which of its minerals gives way first?"
HARDEST = "Why does granite erode so slowly on a rainy coast of Brittany, and which of its minerals gives way first when frost and salt act together?"
RARER = "Why does gabbro weather into rounded boulders?"
ANSWER = "Feldspar turns to clay, and the quartz is left behind as sand."
FORMATS = {"XML", "SQL", "Python", "HTML", "shell", "JSON"}  # of the paper
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
    assert str(work.error) == "evol_instruct:no_operation" and work.draft.instruction == OLD


def test_an_input_is_added_once(apply, make_seed):
    data = f"{OLD} Use these figures:\n\nfeldspar 1\nquartz 2"
    settings = only("complicate_input", rounds=3)
    work = apply(EvolInstruct(), make_seed(OLD), data, MORE, ANSWER, settings=settings)
    assert work.step["operations"] == ["complicate_input"] and work.draft.instruction == data


def test_complicated_input_has_worked_examples(apply, make_seed):
    assert {word for example in INPUTS for word in example["name"].split()} >= FORMATS
    data = f"{OLD} Use these figures:\n\nfeldspar 1\nquartz 2"
    shown = set()
    for n in range(30):
        work = apply(
            EvolInstruct(), make_seed(f"{OLD} {n}"), data, MORE, ANSWER, settings=only("complicate_input"), http=False
        )
        examples = [example for example in INPUTS if example["after"] in work.prompts[0]]
        assert len(examples) == 2 and all(example["before"] in work.prompts[0] for example in examples)
        shown.update(example["name"] for example in examples if f"with {example['name']}:" in work.prompts[0])
    assert shown == {example["name"] for example in INPUTS}
    for example in INPUTS:
        assert instruction_fault(example["after"], [example["before"]]) is None
        assert len(example["after"].splitlines()) <= 15


def test_labels_of_an_evolved_opening(apply, make_seed):
    labels = {"kind": "problem", "domain": "Natural Science", "skills": ["Factuality"], "difficulty": "major level"}
    draft = apply(EvolInstruct(), make_seed(OLD, **labels), HARDER, MORE, ANSWER, settings=only("deepen")).draft
    assert (draft.opening, draft.kind, draft.domain) == ("evol_instruct", "problem", "Natural Science")
    assert (draft.skills, draft.difficulty) == (["Factuality"], None)
    draft = apply(EvolInstruct(), make_seed(OLD, **labels), RARER, MORE, ANSWER, settings=only("breadth")).draft
    assert (draft.kind, draft.domain, draft.skills, draft.difficulty) == ("instruction", "Natural Science", None, None)


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
    assert str(work.error) == reason
    assert (work.draft.instruction, work.draft.answer, work.draft.opening) == (OLD, "Old answer.", "seed")
    # A later round may succeed.
    settings = only("deepen", "concretise", rounds=2)
    work = apply(EvolInstruct(), seed, *replies, HARDEST, MORE, ANSWER, settings=settings)
    assert work.error is None and work.draft.instruction == HARDEST
    assert [row["reason"] for row in work.step["eliminated"]] == [reason] and len(work.step["operations"]) == 1


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
    assert str(work.error) == "evol_instruct:no_gain" and work.kinds == ["instruction", "judge"] * 2


def test_a_shortened_instruction_is_invalid(apply, make_seed):
    work = apply(EvolInstruct(), make_seed(HARDEST), OLD, OLD, settings=only("deepen"))
    assert str(work.error) == "instruction:shortened"


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
