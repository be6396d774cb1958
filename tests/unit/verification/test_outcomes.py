"""The effect of decisions on a conversation: accepted, corrected with both versions, shortened, rejected with evidence."""

import pytest

from workflow_scripts.common.rows import content_id
from workflow_scripts.verification.outcomes import apply_resolutions
from workflow_scripts.verification.resolution import ResolutionRule, resolve

RULE = ResolutionRule("majority", frozenset({"correct"}), frozenset())


@pytest.fixture
def judged(decide):
    """A function that resolves one reviewer's verdicts, by number of the answer."""

    def resolutions(**verdicts):
        pairs = {name: (value, None) if isinstance(value, str) else value for name, value in verdicts.items()}
        return {
            int(name[1:]): resolve([decide("x", "anna", verdict, corrected=corrected)], RULE)
            for name, (verdict, corrected) in pairs.items()
        }

    return resolutions


def test_an_unreviewed_conversation_passes_unchanged(problem, grow):
    row = grow(problem(1))
    outcome = apply_resolutions(row, {}, {})
    assert outcome.status == "unreviewed" and outcome.row is row


def test_an_accepted_conversation_names_its_reviewers(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply_resolutions(row, {}, judged(n1="correct"))
    assert outcome.row["conversation"] == row["conversation"] and outcome.row["id"] == row["id"]
    assert outcome.row["provenance"]["verification"] == {
        "status": "accepted",
        "answers": [{"answer": 1, "on": "seed", "verdict": "correct", "by": ["anna"]}],
    }


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [("wrong", "wrong_answer"), ("minor_error", "minor_error"), ("incoherent", "incoherent_question")],
)
def test_a_faulty_seed_rejects_its_conversations(problem, grow, judged, verdict, reason):
    outcome = apply_resolutions(grow(problem(1)), {}, judged(n1=verdict))
    assert outcome.row is None and outcome.reason == reason
    assert outcome.evidence["decisions"][0]["reviewer"] == "anna" and outcome.evidence["on"] == "seed"
    assert apply_resolutions(grow(problem(1), first_answer="teacher"), {}, judged(n1=verdict)).row is None


@pytest.mark.parametrize("verdict", ["wrong", "incoherent"])
def test_decisions_on_a_seed_do_not_apply_to_a_rewritten_opening(problem, grow, judged, verdict):
    row = grow(problem(1), first_answer="teacher", opening="lamini_topic")
    assert apply_resolutions(row, {}, judged(n1=verdict)).row == row
    own = apply_resolutions(row, judged(n1="wrong"), judged(n1="correct"))
    assert own.status == "rejected" and own.evidence["on"] == "conversation"


def test_a_corrected_seed_ends_the_conversation_after_it(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply_resolutions(row, {}, judged(n1=("wrong", "It is 5 m.")))
    assert outcome.status == "corrected"
    assert outcome.row["conversation"] == [{"input": "Problem 1?", "output": "It is 5 m."}]
    assert outcome.row["id"] == content_id(outcome.row["conversation"])
    verification = outcome.row["provenance"]["verification"]
    assert verification["was"] == row["id"] and verification["answers"][0]["before"] == "It is 4 m."
    assert verification["cut"] == row["conversation"][1:]


def test_a_corrected_seed_keeps_a_teachers_own_answer(problem, grow, judged):
    row = grow(problem(1), first_answer="teacher", answer="I get 5 m.")
    outcome = apply_resolutions(row, {}, judged(n1=("wrong", "It is 5 m.")))
    assert outcome.status == "accepted" and outcome.row["conversation"] == row["conversation"]


def test_a_conversations_own_decision_takes_precedence(problem, grow, judged):
    row = grow(problem(1))
    assert (
        apply_resolutions(row, judged(n1="correct", n2="correct", n3="correct"), judged(n1="wrong")).status
        == "accepted"
    )


def test_a_conversation_ends_before_its_first_wrong_answer(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply_resolutions(row, judged(n1="correct", n2="wrong", n3="correct"), {})
    assert outcome.status == "shortened" and len(outcome.row["conversation"]) == 1
    assert [note["verdict"] for note in outcome.row["provenance"]["verification"]["answers"]] == ["correct", "wrong"]


def test_a_later_answer_is_corrected_in_its_place(problem, grow, judged):
    row = grow(problem(1))
    outcome = apply_resolutions(row, judged(n1="correct", n2=("wrong", "Then two."), n3="correct"), {})
    assert [exchange["output"] for exchange in outcome.row["conversation"]] == ["It is 4 m.", "Then two.", "Then 3."]
    assert row["conversation"][1]["output"] == "Then 2."  # the input row is unchanged


@pytest.mark.parametrize(
    ("own", "seed", "label"),
    [
        ({}, {}, "CamelAI"),
        ({}, {"n1": "correct"}, "Verified-Camel"),
        ({"n1": "correct"}, {}, "Verified-Camel"),
        ({}, {"n1": ("wrong", "It is 5 m.")}, "Verified-Camel"),
        ({"n2": "correct"}, {}, "CamelAI"),
    ],
)
def test_a_problem_is_verified_once_an_expert_has_accepted_it(problem, grow, judged, own, seed, label):
    outcome = apply_resolutions(grow(problem(1)), judged(**own), judged(**seed))
    assert outcome.row["source"] == label


def test_an_accepted_seed_does_not_verify_another_answer(problem, grow, judged):
    row = grow(problem(1), first_answer="teacher", answer="I get 5 m.")
    assert apply_resolutions(row, {}, judged(n1="correct")).row["source"] == "CamelAI"


def test_a_dispute_rejects(problem, grow, decide):
    disputed = resolve([decide("x", "anna", "wrong"), decide("x", "ben", "correct")], RULE)
    outcome = apply_resolutions(grow(problem(1)), {2: disputed}, {})
    assert outcome.row is None and outcome.reason == "disputed" and len(outcome.evidence["decisions"]) == 2
