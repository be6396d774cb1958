"""The training data of a model: whole conversations or their first exchanges."""

import json

import pandas as pd
import pytest

from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.training.select_training_data import main, rewritten, select_exchanges

TALK = [{"input": "Why?", "output": "So."}, {"input": "How?", "output": "With water."}]


def test_select_exchanges():
    row = {"id": "a", "conversation": TALK}
    assert select_exchanges(row, "conversations") == row
    assert select_exchanges(row, "first_exchange") == {"id": "a", "conversation": TALK[:1]}


@pytest.mark.parametrize(("techniques", "expected"), [(["amplify"], False), (["orca", "amplify"], True), (None, False)])
def test_whether_an_opening_was_rewritten(techniques, expected):
    assert rewritten({"techniques": techniques}) is expected


def test_main_keeps_ids_and_writes_counts(tmp_path):
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
