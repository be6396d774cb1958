"""Decisions from exports of both formats, spreadsheets and JSONL: each once, changed verdicts kept, errors located."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.verification.decisions import (
    InvalidEntry,
    merge_decisions,
    parse_decision,
    read_file,
    read_reviewers,
)


def annotation(*verdicts, account=2, at="2026-03-01T10:00:00.123456Z", seconds=61.26, **more):
    """An annotation as Label Studio exports it, with confidence 4 and a correction of every wrong answer."""
    result = []
    for number, verdict in enumerate(verdicts):
        result.append({"from_name": f"verdict_{number}", "type": "choices", "value": {"choices": [verdict]}})
        result.append({"from_name": f"confidence_{number}", "type": "rating", "value": {"rating": 4}})
        if verdict == "wrong":
            result.append(
                {"from_name": f"corrected_{number}", "type": "textarea", "value": {"text": ["Better.", "So."]}}
            )
    columns = {"completed_by": account, "result": result, "updated_at": at, "created_at": at, "lead_time": seconds}
    return {"id": 7, "was_cancelled": False, **columns, **more}


def entry(*annotations, item="aaaa", answers=1):
    data = {"item": item, "reviewer": "anna", "title": "physics", "exchanges": [{"html": "x"}] * answers}
    return {"id": 1, "data": data, "annotations": list(annotations)}


@pytest.fixture
def read(tmp_path):
    """A function that writes a file and returns its decisions and invalid entries."""

    def read_content(name, content, accounts=None):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return [
            parse_decision(where.replace(f"{tmp_path}/", ""), row) for where, row in read_file(path, accounts or {})
        ]

    return read_content


def test_an_export(read):
    correct, wrong = read("e.json", [entry(annotation("correct", "wrong"), answers=2)], {2: "anna"})
    assert (correct["item"], correct["answer"], correct["verdict"], correct["confidence"]) == ("aaaa", 1, "correct", 4)
    assert (correct["reviewer"], correct["seconds"], correct["at"]) == (
        "anna",
        61.3,
        "2026-03-01T10:00:00.123456+00:00",
    )
    assert (wrong["answer"], wrong["corrected"]) == (2, "Better.\n\nSo.")


def test_a_flat_export_gives_the_same_decisions(read):
    flat = {
        "id": 1, "item": "aaaa", "reviewer": "anna", "exchanges": [{"html": "x"}], "verdict_0": "wrong", "confidence_0": 4,
        "corrected_0": ["Better.", "So."], "annotator": 2, "annotation_id": 7, "lead_time": 61.26,
        "created_at": "2026-03-01T10:00:00.123456Z", "updated_at": "2026-03-01T10:00:00.123456Z",
    }  # fmt: skip
    assert read("flat.json", [flat]) == read("e.json", [entry(annotation("wrong"))])


def test_skipped_and_unannotated_tasks_yield_nothing(read):
    assert read("e.json", [entry(), entry(annotation("correct", was_cancelled=True))]) == []


def test_the_account_identifies_the_reviewer(read):
    account = {"id": 9, "email": "ben@reviewers.invalid"}
    rows = read(
        "e.json", [entry(annotation("correct", account=account), annotation("correct", account=2))], {2: "cleo"}
    )
    assert [row["reviewer"] for row in rows] == ["ben", "cleo"]


def test_an_unknown_account_is_not_replaced_by_the_tasks_reviewer(read):
    (problem,) = read("e.json", [entry(annotation("correct", account=1))], {2: "anna"})
    assert problem.reason == "missing_field" and "verification.reviewers" in problem.message


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
def test_reasons_of_invalid_entries(read, row, reason):
    decision, problem = read("e.json", [entry(annotation("correct")), row])
    assert isinstance(decision, dict) and isinstance(problem, InvalidEntry)
    assert problem.reason == reason and problem.where.startswith("e.json, entry 2")


def test_a_spreadsheet_with_semicolons_and_a_byte_order_mark(read):
    text = (
        "\ufeffitem;answer;question;reviewer;verdict;confidence;corrected;note;date\r\n"
        "aaaa;1;'=1+1;ben;wrong;5;'-4 m;\"two\nlines\";2026-03-02\r\n"
        "bbbb;1;x;ben;;;;;\r\ncccc;2;x;ben;correct;;;;\r\n"
    )
    wrong, correct = read("b.csv", text)
    assert (wrong["corrected"], wrong["note"], wrong["at"]) == ("-4 m", "two\nlines", "2026-03-02T00:00:00+00:00")
    assert (correct["item"], correct["answer"], correct["confidence"], correct["at"]) == ("cccc", 2, None, None)


def test_an_invalid_spreadsheet_row_is_located(read):
    (problem,) = read("b.csv", "item,answer,reviewer,verdict\naaaa,one,ben,correct\n")
    assert (problem.where, problem.reason) == ("b.csv, line 2", "wrong_value")


def test_invalid_files(read, tmp_path):
    with pytest.raises(UserError, match=r"b\.csv: no column item, answer. Fill in the spreadsheet"):
        read("b.csv", "reviewer,verdict\nben,correct\n")
    with pytest.raises(UserError, match="not an export of Label Studio"):
        read("e.json", {"a": 1})
    with pytest.raises(UserError, match="unknown file type"):
        read("e.xlsx", "")
    (tmp_path / "latin.csv").write_bytes("item;größe".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.csv, line 1: not valid UTF-8"):
        list(read_file(tmp_path / "latin.csv", {}))


def rating(value):
    """An export with this confidence."""
    made = annotation("correct")
    made["result"][1]["value"]["rating"] = value
    return [entry(made)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"verdict": ["correct"]}, "verdict is a list, expected a text: ['correct']"),
        ({"note": {"a": 1}}, "note is an object, expected a text: {'a': 1}"),
        ({"reviewer": True}, "reviewer is true or false, expected a text: True"),
        ({"confidence": float("inf")}, "confidence is 'inf', expected a whole number"),
        ({"confidence": [3]}, "confidence is '[3]', expected a whole number"),
        ({"confidence": 3.5}, "confidence is '3.5', expected a whole number"),
        ({"answer": 1.7}, "answer is '1.7', expected a whole number"),
        ({"answer": True}, "answer is 'True', expected a whole number"),
        ({"seconds": float("nan")}, "seconds is 'nan', expected a number of seconds"),
        ({"at": "12026-01-01"}, "at is '12026-01-01', expected a date like 2026-03-31, up to the year 9999"),
        ({"at": "9999-12-31T23:59:59-05:00"}, "at is '9999-12-31T23:59:59-05:00', expected a date like 2026-03-31"),
        ({"note": "half \ud83d"}, "half of a surrogate pair"),
    ],
)
def test_odd_values_are_one_line_each(read, row, message):
    given = {"item": "aaaa", "answer": 1, "reviewer": "anna", "verdict": "correct", **row}
    (problem,) = read("d.jsonl", "\n" + json.dumps(given) + "\n")
    assert problem.where == "d.jsonl, line 2" and problem.message.startswith(message)
    assert "\n" not in problem.message


def test_whole_numbers_may_be_written_as_text_or_with_a_point(read):
    given = {"item": "aaaa", "answer": "2", "reviewer": "anna", "verdict": "correct", "confidence": 4.0, "seconds": "3"}
    (row,) = read("d.jsonl", json.dumps(given))
    assert (row["answer"], row["confidence"], row["seconds"]) == (2, 4, 3.0)


def test_an_infinite_rating_of_an_export(read):
    (problem,) = read("e.json", json.dumps(rating(1)).replace('"rating": 1', '"rating": 1e400'))
    assert (problem.where, problem.message) == (
        "e.json, entry 1, answer 1",
        "confidence is 'inf', expected a whole number",
    )


def test_a_byte_order_mark(read):
    for name, content in (
        ("e.json", [entry(annotation("correct"))]),
        ("d.jsonl", {"item": "aaaa", "answer": 1, "reviewer": "anna", "verdict": "correct"}),
    ):
        (row,) = read(name, "\ufeff" + json.dumps(content))
        assert row["verdict"] == "correct"


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ([None], "`annotations` is not a list of objects"),
        ({"result": []}, "`annotations` is not a list of objects"),
        ([annotation("correct", result=[None])], "`result` is not a list of objects"),
        (
            [annotation("correct", result=[{"from_name": "verdict_0", "value": "correct"}])],
            "`value` of verdict_0 is not an object",
        ),
        (
            [
                annotation(
                    "correct",
                    result=[{"from_name": "verdict_0", "value": {"choices": [one]}} for one in ("correct", "wrong")],
                )
            ],
            "two different results for verdict_0",
        ),
    ],
)
def test_a_part_of_an_export_that_is_not_of_its_form(read, annotations, message):
    with pytest.raises(UserError, match=rf"e\.json, entry 1: {message}"):
        read("e.json", [{**entry(), "annotations": annotations}])


def test_an_entry_that_is_neither_form_of_an_export(read):
    with pytest.raises(UserError, match=r"e\.json, entry 1: neither `data` nor `annotation_id`"):
        read("e.json", [{"item": "aaaa", "verdict_0": "correct"}])


def test_no_message_tells_a_reviewer_to_delete(read):
    for name, content in (("e.json", "[{"), ("d.jsonl", "{"), ("d.jsonl", "[]"), ("e.json", "3")):
        with pytest.raises(UserError) as caught:
            read(name, content + "\n")
        assert "elete" not in str(caught.value)


def test_a_changed_verdict_is_kept_and_the_last_one_counts(decide):
    rows = [
        decide("x", "a", "correct", at="2026-03-05"),
        decide("x", "a", "wrong", at="2026-03-01"),  # an older export, listed later
        decide("x", "b", "wrong"),
        decide("x", "b", "correct"),
    ]
    ordered = merge_decisions([{name: value for name, value in row.items() if name != "counts"} for row in rows])
    assert [(row["reviewer"], row["verdict"]) for row in ordered if row["counts"]] == [
        ("a", "correct"),
        ("b", "correct"),
    ]
    assert len(ordered) == 4


def test_imported_twice_is_the_same_as_once(read):
    once = read("e.json", [entry(annotation("correct"))])
    twice = once + read("copy.json", [entry(annotation("correct"))])
    assert merge_decisions(once) == merge_decisions(twice)
    assert merge_decisions(twice) == merge_decisions(
        [dict(row) for row in merge_decisions(once)]
    )  # and from the file that the workflow wrote


def test_profiles(tmp_path):
    path = tmp_path / "reviewers.yaml"
    path.write_text("anna: {fields: [physics], degree: MSc, account: 2}\n")
    assert read_reviewers(path)["anna"]["account"] == 2 and read_reviewers(None) == {}
    path.write_text("- anna\n")
    with pytest.raises(UserError, match="for each reviewer"):
        read_reviewers(path)
