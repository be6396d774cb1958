"""Decisions as they come: exports of both kinds, spreadsheets, JSONL; each once, a changed mind kept, faults named."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.verification.decisions import Problem, checked, in_order, read_file, read_reviewers


def annotation(*verdicts, account=2, at="2026-03-01T10:00:00.123456Z", seconds=61.26, **more):
    """An annotation as Label Studio exports it, with a confidence of 4, and a correction of whatever is wrong."""
    result = []
    for number, verdict in enumerate(verdicts):
        result.append({"from_name": f"verdict_{number}", "type": "choices", "value": {"choices": [verdict]}})
        result.append({"from_name": f"confidence_{number}", "type": "rating", "value": {"rating": 4}})
        if verdict == "wrong":
            result.append(
                {"from_name": f"corrected_{number}", "type": "textarea", "value": {"text": ["Better.", "So."]}}
            )
    told = {"completed_by": account, "result": result, "updated_at": at, "created_at": at, "lead_time": seconds}
    return {"id": 7, "was_cancelled": False, **told, **more}


def entry(*annotations, item="aaaa", answers=1):
    data = {"item": item, "reviewer": "anna", "title": "physics", "exchanges": [{"html": "x"}] * answers}
    return {"id": 1, "data": data, "annotations": list(annotations)}


@pytest.fixture
def read(tmp_path):
    """A function that reads a file of a name and content: the decisions and problems in it."""

    def made(name, content, accounts=None):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return [checked(where.replace(f"{tmp_path}/", ""), row) for where, row in read_file(path, accounts or {})]

    return made


def test_an_export(read):
    correct, wrong = read("e.json", [entry(annotation("correct", "wrong"), answers=2)], {2: "anna"})
    assert (correct["item"], correct["answer"], correct["verdict"], correct["confidence"]) == ("aaaa", 1, "correct", 4)
    assert (correct["reviewer"], correct["seconds"], correct["at"]) == (
        "anna",
        61.3,
        "2026-03-01T10:00:00.123456+00:00",
    )
    assert (wrong["answer"], wrong["corrected"]) == (2, "Better.\n\nSo.")


def test_a_flat_export_says_the_same(read):
    flat = {
        "id": 1, "item": "aaaa", "reviewer": "anna", "exchanges": [{"html": "x"}], "verdict_0": "wrong", "confidence_0": 4,
        "corrected_0": ["Better.", "So."], "annotator": 2, "annotation_id": 7, "lead_time": 61.26,
        "created_at": "2026-03-01T10:00:00.123456Z", "updated_at": "2026-03-01T10:00:00.123456Z",
    }  # fmt: skip
    assert read("flat.json", [flat]) == read("e.json", [entry(annotation("wrong"))])


def test_skipped_and_untouched_tasks_yield_nothing(read):
    assert read("e.json", [entry(), entry(annotation("correct", was_cancelled=True))]) == []


def test_who_decided_is_told_by_the_account(read):
    whole = {"id": 9, "email": "ben@reviewers.invalid"}
    rows = read("e.json", [entry(annotation("correct", account=whole), annotation("correct", account=2))], {2: "cleo"})
    assert [row["reviewer"] for row in rows] == ["ben", "cleo"]


def test_an_account_that_is_nobodys_is_not_taken_for_the_tasks_reviewer(read):
    (found,) = read("e.json", [entry(annotation("correct", account=1))], {2: "anna"})
    assert found.reason == "missing_field" and "verification.reviewers" in found.words


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (entry(annotation()), "missing_field"),
        (entry(annotation("corect")), "unknown_verdict"),
        ({"id": 1, "data": {"image": "cat.png"}, "annotations": [annotation("correct")]}, "other_project"),
        (entry(annotation("correct", at="yesterday")), "wrong_value"),
    ],
    ids=["no verdict", "misspelt", "another project", "time"],
)
def test_what_is_wrong_with_an_entry(read, row, reason):
    found = read("e.json", [entry(annotation("correct")), row])
    assert isinstance(found[0], dict) and isinstance(found[1], Problem)
    assert found[1].reason == reason and found[1].where.startswith("e.json, entry 2")


def test_a_spreadsheet_with_semicolons_and_a_byte_order_mark(read):
    text = (
        "\ufeffitem;answer;question;reviewer;verdict;confidence;corrected;note;date\r\n"
        "aaaa;1;'=1+1;ben;wrong;5;'-4 m;\"two\nlines\";2026-03-02\r\n"
        "bbbb;1;x;ben;;;;;\r\ncccc;2;x;ben;correct;;;;\r\n"
    )
    wrong, correct = read("b.csv", text)
    assert (wrong["corrected"], wrong["note"], wrong["at"]) == ("-4 m", "two\nlines", "2026-03-02T00:00:00+00:00")
    assert (correct["item"], correct["answer"], correct["confidence"], correct["at"]) == ("cccc", 2, None, None)


def test_a_spreadsheet_names_its_row(read):
    (found,) = read("b.csv", "item,answer,reviewer,verdict\naaaa,one,ben,correct\n")
    assert (found.where, found.reason) == ("b.csv, row 2", "wrong_value")


def test_files_that_are_none(read, tmp_path):
    with pytest.raises(UserError, match=r"b\.csv: no column item, answer. Fill in the spreadsheet"):
        read("b.csv", "reviewer,verdict\nben,correct\n")
    with pytest.raises(UserError, match="not an export of Label Studio"):
        read("e.json", {"a": 1})
    with pytest.raises(UserError, match="unknown kind of file"):
        read("e.xlsx", "")
    (tmp_path / "latin.csv").write_bytes("item;größe".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.csv: not valid UTF-8"):
        list(read_file(tmp_path / "latin.csv", {}))


def test_a_changed_mind_is_kept_and_the_last_word_counts(decide):
    rows = [
        decide("x", "a", "correct", at="2026-03-05"),
        decide("x", "a", "wrong", at="2026-03-01"),  # an older export, listed later
        decide("x", "b", "wrong"),
        decide("x", "b", "correct"),
    ]
    ordered = in_order([{name: value for name, value in row.items() if name != "counts"} for row in rows])
    assert [(row["reviewer"], row["verdict"]) for row in ordered if row["counts"]] == [
        ("a", "correct"),
        ("b", "correct"),
    ]
    assert len(ordered) == 4


def test_nothing_is_doubled(read):
    once = read("e.json", [entry(annotation("correct"))])
    twice = once + read("again.json", [entry(annotation("correct"))])
    assert in_order(once) == in_order(twice)
    assert in_order(twice) == in_order([dict(row) for row in in_order(once)])  # and from our own file again


def test_profiles(tmp_path):
    path = tmp_path / "reviewers.yaml"
    path.write_text("anna: {fields: [physics], degree: MSc, account: 2}\n")
    assert read_reviewers(path)["anna"]["account"] == 2 and read_reviewers(None) == {}
    path.write_text("- anna\n")
    with pytest.raises(UserError, match="for each reviewer"):
        read_reviewers(path)
