"""Inputs that readers often misread, through snakemake: file names, cells of CSV files, shifted rows."""

import csv
import gzip
import json

import pytest
import yaml

from workflow_scripts.common.rows import read_jsonl, write_jsonl

pytestmark = pytest.mark.slow

NAME = "rows [1] {a} 100% *é 'x'"  # a name that a glob, a format string or a shell would change
RESULTS = "all results [of] 'mine' 50%"
REQUEST = "Which of the listed stones floats on water, if any of them does?"


def overlay(project, **values):
    """Options for a configuration file with these values."""
    path = project.folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"run": "mine", "results": RESULTS, **values}, allow_unicode=True))
    return "--configfile", str(path)


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def test_seeds_from_a_csv_file_with_a_name_like_a_pattern(project):
    write_csv(
        project.folder / f"{NAME}.csv",
        [["instruction", "response", "input"], [REQUEST, "None", "0.50"], ["NA", "2020-05-10", ""]],
    )
    write_csv(project.folder / "rows 1 a 100% bé 'x'.csv", [["instruction", "response"], ["Another file?", "Yes."]])
    source = {"id": "mine", "label": "Mine", "path": f"{NAME}.csv", "layout": "instruction", "license": "MIT"}
    cleaning = {"rules": ["empty"], "min_request_chars": 0, "min_answer_chars": 0}
    config = overlay(
        project,
        seeds={
            "sources": [source],
            "cleaning": cleaning,
            "labels": {"by": "none"},
            "deduplication": {"semantic_distance": None},
            "composition": None,
            "oversample": None,
        },
    )
    project.run("seeds", *config)
    rows = sorted(read_jsonl(project.folder / RESULTS / "mine/seeds/data.jsonl"), key=lambda row: row["meta"]["row"])
    assert [(row["instruction"], row["context"], row["response"]) for row in rows] == [
        (REQUEST, "0.50", "None"),
        ("NA", "", "2020-05-10"),
    ]
    assert [row["dataset"] for row in rows] == [f"{NAME}.csv"] * 2


def test_a_shifted_row_stops_the_run_with_its_line(project):
    write_csv(
        project.folder / "rows.csv",
        [["instruction", "response"], [REQUEST, "None"], [REQUEST, "None of them", "a note"]],
    )
    source = {"id": "mine", "label": "Mine", "path": "rows.csv", "layout": "instruction", "license": "MIT"}
    printed = project.run(
        f"{RESULTS}/mine/seeds/sources/mine.parquet", *overlay(project, seeds={"sources": [source]}), check=False
    )
    assert "error: seed source mine: rows.csv, line 3: 3 cells, but the header has 2." in printed
    assert "Traceback" not in printed


def test_a_benchmark_and_conversations_with_names_like_patterns(project):
    """A benchmark's choices None and 0.50 are found; rejected rows name file and row."""
    talk = [
        {"from": "human", "value": f"{REQUEST}\nA. None of the listed\nB. 0.50\nC. 007"},
        {"from": "gpt", "value": "A."},
    ]
    rows = [
        {"conversations": talk},
        {"conversations": None},
        {"conversations": [{**turn, "value": f"Well, {turn['from']}."} for turn in talk]},
    ]
    rows.append(rows[2])
    content = "".join(json.dumps(row) + "\n" for row in rows)
    (project.folder / f"{NAME}.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    write_csv(
        project.folder / f"{NAME}.csv",
        [["q", "A", "B", "C", "answer"], [REQUEST, "None of the listed", "0.50", "007", "0"]],
    )
    custom = {
        "one": {
            "path": f"{NAME}.csv",
            "question": "q",
            "choices": ["A", "B", "C"],
            "answer": "answer",
            "answer_is": "index",
        },
    }
    included = [{"path": f"{NAME}.jsonl.gz", "label": "Chats", "license": "MIT"}]
    project.run(
        "decontamination",
        *overlay(
            project,
            seeds={"sources": []},
            conversations={"include": included},
            decontamination={"benchmarks": ["one"], "custom": custom},
        ),
    )
    folder = project.folder / RESULTS / "mine"
    items = list(read_jsonl(folder / "decontamination/items/one.jsonl"))
    assert items[0]["choices"] == ["None of the listed", "0.50", "007"]
    rejected = list(read_jsonl(folder / "conversations/rejected.jsonl"))
    file = f"{NAME}.jsonl.gz"
    assert {row["reason"]: (row["provenance"]["dataset"], row["provenance"]["row"]) for row in rejected} == {
        "no_exchange": (file, 2),
        "exact_duplicate": (file, 4),
    }
    [removed] = read_jsonl(folder / "decontamination/rejected.jsonl")
    assert (removed["provenance"]["row"], removed["evidence"]["hits"][0]["benchmark"]) == (1, "one")
    assert [row["provenance"]["row"] for row in read_jsonl(folder / "decontamination/data.jsonl")] == [3]


def test_rejected_rows_remain_if_all_rows_are_rejected(project):
    write_jsonl(
        project.folder / "chats.jsonl",
        [
            {"conversations": []},
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": " \u200b"}]},
        ],
    )
    included = [{"path": "chats.jsonl", "label": "Chats", "license": "MIT"}]
    options = overlay(
        project, seeds={"sources": []}, conversations={"include": included}, decontamination={"benchmarks": []}
    )
    printed = project.run("dataset", *options, check=False)
    assert "too few conversations after decontamination: 0" in printed and "Traceback" not in printed
    rejected = read_jsonl(project.folder / RESULTS / "mine/conversations/rejected.jsonl")
    assert sorted(row["reason"] for row in rejected) == ["empty_answer", "no_exchange"]
