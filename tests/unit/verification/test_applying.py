"""What decisions do to a conversation: accepted, corrected with both versions, shortened, rejected with who and why."""

import pytest

from workflow_scripts.common.rows import content_id
from workflow_scripts.verification.applying import apply
from workflow_scripts.verification.resolution import Rule, settle

RULE = Rule("majority", frozenset({"correct"}), frozenset())


@pytest.fixture
def judged(decide):
    """A function that settles one reviewer's verdicts, by number of the answer."""

    def settled(**verdicts):
        pairs = {name: (said, None) if isinstance(said, str) else said for name, said in verdicts.items()}
        return {
            int(name[1:]): settle([decide("x", "anna", verdict, corrected=corrected)], RULE)
            for name, (verdict, corrected) in pairs.items()
        }

    return settled


def test_what_nobody_judged_passes_as_it_is(problem, grow):
    row = grow(problem(1))
    outcome = apply(row, {}, {})
    assert outcome.status == "unreviewed" and outcome.row is row


def test_an_accepted_conversation_says_who_accepted_it(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply(row, {}, judged(n1="correct"))
    assert outcome.row["conversation"] == row["conversation"] and outcome.row["id"] == row["id"]
    assert outcome.row["provenance"]["verification"] == {
        "status": "accepted",
        "answers": [{"answer": 1, "on": "seed", "verdict": "correct", "by": ["anna"]}],
    }


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [("wrong", "wrong_answer"), ("minor_error", "minor_error"), ("incoherent", "incoherent_question")],
)
def test_a_faulty_seed_rejects_what_grew_from_it(problem, grow, judged, verdict, reason):
    outcome = apply(grow(problem(1)), {}, judged(n1=verdict))
    assert outcome.row is None and outcome.reason == reason
    assert outcome.evidence["decisions"][0]["reviewer"] == "anna" and outcome.evidence["on"] == "seed"
    assert apply(grow(problem(1), first_answer="teacher"), {}, judged(n1=verdict)).row is None


def test_a_corrected_seed_ends_the_conversation_after_it(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply(row, {}, judged(n1=("wrong", "It is 5 m.")))
    assert outcome.status == "corrected"
    assert outcome.row["conversation"] == [{"input": "Problem 1?", "output": "It is 5 m."}]
    assert outcome.row["id"] == content_id(outcome.row["conversation"])
    told = outcome.row["provenance"]["verification"]
    assert told["was"] == row["id"] and told["answers"][0]["before"] == "It is 4 m."
    assert told["cut"] == row["conversation"][1:]


def test_a_corrected_seed_leaves_a_teachers_own_answer(problem, grow, judged):
    row = grow(problem(1), first_answer="teacher", answer="I get 5 m.")
    outcome = apply(row, {}, judged(n1=("wrong", "It is 5 m.")))
    assert outcome.status == "accepted" and outcome.row["conversation"] == row["conversation"]


def test_a_conversations_own_decision_comes_first(problem, grow, judged):
    row = grow(problem(1))
    assert apply(row, judged(n1="correct", n2="correct", n3="correct"), judged(n1="wrong")).status == "accepted"


def test_a_conversation_ends_before_its_first_wrong_answer(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply(row, judged(n1="correct", n2="wrong", n3="correct"), {})
    assert outcome.status == "shortened" and len(outcome.row["conversation"]) == 1
    assert [one["verdict"] for one in outcome.row["provenance"]["verification"]["answers"]] == ["correct", "wrong"]


def test_a_later_answer_is_corrected_in_its_place(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply(row, judged(n1="correct", n2=("wrong", "Then two."), n3="correct"), {})
    assert [exchange["output"] for exchange in outcome.row["conversation"]] == ["It is 4 m.", "Then two.", "Then 3."]
    assert row["conversation"][1]["output"] == "Then 2."  # the row that came is not touched


def test_a_dispute_rejects(problem, grow, decide):
    disputed = settle([decide("x", "anna", "wrong"), decide("x", "ben", "correct")], RULE)
    outcome = apply(grow(problem(1)), {2: disputed}, {})
    assert outcome.row is None and outcome.reason == "disputed" and len(outcome.evidence["decisions"]) == 2
