"""Local files, read as published, with what exactly was read."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import load
from workflow_scripts.common.rows import file_sha256

ROWS = [{"instruction": f"Question {n}?", "response": "Answer."} for n in range(3)]


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    import pandas as pd

    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.json", "a.csv", "a.parquet"):
        path = tmp_path / name
        data, origin = load({"path": str(path)}, None)
        assert data.to_list() == ROWS, name
        assert origin == {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}"}
    assert load({"path": str(path)}, 2)[0].to_list() == ROWS[:2]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "x", "unknown kind of file. Use one of .jsonl"),
        ("missing.jsonl", None, "no such file. Correct the path"),
        ("a.jsonl", "", "the file is empty"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2: not valid JSON"),
        ("a.json", '[{"a": 1}', "cannot be read as json"),
        ("a.parquet", "no parquet", "cannot be read as parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as caught:
        load({"path": str(tmp_path / name)}, None)
    assert name in str(caught.value)
    assert words in str(caught.value)
