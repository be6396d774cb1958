"""An ablation's conversations are those of the data set, whole or only their beginnings."""

import json

import pandas as pd
import pytest

from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.training.select_training_data import main, rewritten, variant

TALK = [{"input": "Why?", "output": "So."}, {"input": "How?", "output": "With water."}]


def test_a_variant():
    row = {"id": "a", "conversation": TALK}
    assert variant(row, "conversations") == row
    assert variant(row, "first_exchange") == {"id": "a", "conversation": TALK[:1]}


@pytest.mark.parametrize(("techniques", "expected"), [(["amplify"], False), (["orca", "amplify"], True), (None, False)])
def test_a_rewritten_opening(techniques, expected):
    assert rewritten({"techniques": techniques}) is expected


def test_main_keeps_ids_and_counts(tmp_path):
    messages = [
        {"role": role, "content": exchange[key]}
        for exchange in TALK
        for role, key in (("user", "input"), ("assistant", "output"))
    ]
    table = [
        {"id": name, "source": "Dove", "messages": messages, "provenance": json.dumps({"techniques": techniques})}
        for name, techniques in (("a", ["amplify"]), ("b", ["orca", "amplify"]))
    ]
    pd.DataFrame(table).to_parquet(tmp_path / "train.parquet")
    files = {"train": "train.parquet", "selected": "data.jsonl", "rejected": "rejected.jsonl", "stats": "stats.json"}
    main(
        [part for name, file in files.items() for part in (f"--{name}", str(tmp_path / file))]
        + ["--data", "first_exchange"]
    )
    rows = list(read_jsonl(tmp_path / "data.jsonl"))
    assert [(row["id"], row["conversation"]) for row in rows] == [("a", TALK[:1]), ("b", TALK[:1])]
    stats = read_json(tmp_path / "stats.json")
    assert (stats["in"], stats["out"], stats["exchanges"], stats["rewritten_openings"]) == (2, 2, 2, 1)
