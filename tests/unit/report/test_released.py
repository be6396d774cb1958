"""The tables that compare the conversations with the released file."""

from workflow_scripts.report.released import section, tables
from workflow_scripts.synthesis.comparison import compare
from workflow_scripts.synthesis.released import FIGURES


def row(source="Airoboros", **fields):
    talk = [{"input": "Why?", "output": "So."}, {"input": "Explain how granite erodes.", "output": "Slowly. " * 100}]
    provenance = {"first_answer": "seed", "steps": [{"name": "amplify", "moves": ["mechanism"]}]}
    return {"id": source, "source": source, "conversation": talk, "provenance": provenance, **fields}


def test_every_measured_figure_has_a_row():
    compared = compare([row(), row("Mine")])
    shown = section({"released": compared})
    titles, rows = zip(*shown["all"], strict=True)
    assert titles == ("Conversations", "Follow-ups", "Answers of the teacher")
    assert sum(map(len, rows)) == len(compared["all"]) == shown["figures"] <= len(FIGURES)
    assert sum(each["off"] for table in rows for each in table) == shown["off"] > 0
    assert list(shown["sources"]) == ["Airoboros", "Mine"]


def test_numbers_are_formatted_by_kind():
    rows = {each["text"]: each for _, table in tables(compare([row()])["per_source"]["Airoboros"]) for each in table}
    assert rows["exchanges, mean"] == {
        "text": "exchanges, mean", "value": "2.0", "interval": "0.0 to 4.0", "n": 1, "released": "3.4", "released_n": None,
        "target": "2.5 to 4.2", "off": False,
    }  # fmt: skip
    assert rows["imperatives"]["value"] == "100 %" and rows["imperatives"]["interval"] == "21 to 100 %"
    assert rows["worked mathematics"]["target"] == "–" and rows["imperatives"]["released"] == "38 %"
