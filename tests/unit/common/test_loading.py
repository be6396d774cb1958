"""Files are read as published, with their revision; errors report file and line."""

import json
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import CHUNK_BYTES, LINE_BYTES, check_lines, load
from workflow_scripts.common.rows import file_sha256

ROWS = [{"instruction": f"Question {n}?", "response": "Answer."} for n in range(3)]


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    import pandas as pd

    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    write_zip(tmp_path / "a.zip", {f"{n}.json": json.dumps(row) for n, row in enumerate(ROWS)})
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.json", "a.zip", "a.csv", "a.parquet"):
        path = tmp_path / name
        data, origin = load({"path": str(path)}, None)
        assert data.to_list() == ROWS, name
        assert origin == {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}"}
        assert load({"path": str(path)}, 2)[0].to_list() == ROWS[:2]
        assert load({"path": str(path)}, 9)[0].to_list() == ROWS


def load_bytes(tmp_path, name, content):
    """The error message for a file, without its path."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        load({"path": str(tmp_path / name)}, None)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", ": unknown kind of file. Use one of .jsonl"),
        ("a.jsonl", b"", ": the file is empty."),
        ("a.jsonl", b"\n\n", ": the file contains no rows."),
        ("a.json", b"[]", ": the file contains no rows."),
        ("a.csv", b"instruction,response\n", ": the file contains no rows."),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', ", line 2: not valid JSON"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', ", line 2: a JSON object was expected, not list."),
        ("a.json", b'[{"a": 1}', ": cannot be read as json"),
        ("a.parquet", b"no parquet", ": cannot be read as parquet"),
        ("a.zip", b"no zip", ": cannot be read as json: File is not a zip file. Fix the file."),
        (
            "a.jsonl",
            b'{"a": "x"}\n\n{"a": "\\ud800"}\n',
            ", row 2: half of a surrogate pair (\\ud800 to \\udfff), which is not a character. Fix or",
        ),
        ("a.jsonl", b'{"a": "x"}\n{"a": "\xff"}\n', ", line 2: not valid UTF-8 (invalid start byte). Fix or delete"),
        ("a.json", b'[{"a": "x"},\n\n{"a": "\xff"}]', ", line 3: not valid UTF-8 (invalid start byte). Fix or delete"),
        ("a.csv", b"a,b\nx,\xe9\n", ", line 2: not valid UTF-8 (invalid continuation byte). Fix or delete"),
        ("a.csv", b"a,b\nx,\xe9", ", line 2: not valid UTF-8 (unexpected end of data). Fix or delete"),
        (
            "a.jsonl",
            b'{"a": "x"}\n{"a": "\xe2\x82',
            ", line 2: not valid UTF-8 (unexpected end of data). Fix or delete",
        ),
    ],
)
def test_an_unreadable_file_is_reported(tmp_path, name, content, message):
    assert load_bytes(tmp_path, name, content).startswith(message)


def test_an_unreadable_archive_is_reported(tmp_path):
    for files, message in (
        ({}, ": cannot be read as json"),
        ({"0.json": '{"a": "x"}', "1.json": '{"a": "x'}, ": cannot be read as json: JSON parse error"),
        ({"0.json": '{"a": "x"}', "1.json": '{"b": "x"}'}, ": cannot be read as json: Couldn't cast"),
    ):
        write_zip(tmp_path / "made.zip", files)
        assert load_bytes(tmp_path, "a.zip", (tmp_path / "made.zip").read_bytes()).startswith(message)


def test_a_missing_file_is_reported(tmp_path):
    for name in ("missing.jsonl", "folder.json"):
        (tmp_path / "folder.json").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=rf"{name}: no such file\. Correct the path in the config"):
            load({"path": str(tmp_path / name)}, None)


@pytest.mark.parametrize("cut", range(5))
def test_a_character_may_span_two_chunks(tmp_path, cut):
    """A file is read in chunks; "€𐍈" (three and four bytes) may be cut anywhere."""
    text = "x" * (CHUNK_BYTES - cut) + "€𐍈\n" + "y"
    (tmp_path / "a").write_text(text, encoding="utf-8")
    check_lines(tmp_path / "a", LINE_BYTES)
    broken = text.encode().replace(b"\n", b"\n\xff")
    (tmp_path / "a").write_bytes(broken)
    with pytest.raises(UserError, match="line 2: not valid UTF-8"):
        check_lines(tmp_path / "a", LINE_BYTES)
    (tmp_path / "a").write_bytes(text.encode()[: CHUNK_BYTES - cut + 2] + b"\n")
    with pytest.raises(UserError, match="line 1: not valid UTF-8"):
        check_lines(tmp_path / "a", LINE_BYTES)


@pytest.mark.parametrize("before", [0, 1, 3, CHUNK_BYTES // 2 + 7])
def test_lines_are_counted_across_chunks(tmp_path, before):
    (tmp_path / "a").write_bytes(b"x\n" * before + b"\xff\n")
    with pytest.raises(UserError, match=f"a, line {before + 1}: not valid UTF-8"):
        check_lines(tmp_path / "a", LINE_BYTES)
    (tmp_path / "a").write_bytes(b"x\n" * before + b"yy\nx\n")
    with pytest.raises(UserError, match=f"a, line {before + 1}: longer than 0 MiB"):
        check_lines(tmp_path / "a", 1)
    check_lines(tmp_path / "a", 2)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_overlong_line_is_not_read_into_memory(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    with open(path, "wb") as file:  # a sparse file: it takes no space on the disk
        file.write(b'{"a": 1}\n{"a": "')
        file.truncate(LINE_BYTES * 11 // 10)
    import datasets  # noqa: F401  imported first, so that its memory is not counted

    tracemalloc.start()
    with pytest.raises(UserError) as caught:
        load({"path": str(path)}, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value) == (
        f"{path}, line 2: longer than 64 MiB; its line ends are probably lost. Fix or delete the line."
    )
    assert peak < 8 * CHUNK_BYTES


def test_a_json_document_may_be_one_line(tmp_path):
    """For example GPTeacher's files; a list of rows has no maximum length."""
    with open(tmp_path / "a.json", "wb") as file:
        file.truncate(LINE_BYTES + 10)
    check_lines(tmp_path / "a.json", None)
    with pytest.raises(UserError, match="longer than 64 MiB"):
        check_lines(tmp_path / "a.json", LINE_BYTES)


def test_a_row_of_mixed_types_is_kept(tmp_path):
    """The reader of the rows checks the values, since it knows which columns matter."""
    rows = [{"a": "x", "b": "x"}, {"a": 3, "b": "y"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data, _ = load({"path": str(tmp_path / "a.jsonl")}, None)
    assert data.to_list() == rows


def test_the_data_remain_readable_after_their_folder_is_deleted(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    data, _ = load({"path": str(tmp_path / "a.jsonl")}, None)
    assert not Path(data.cache_files[0]["filename"]).exists()
    (tmp_path / "a.jsonl").unlink()
    data.to_parquet(tmp_path / "a.parquet")
    assert load({"path": str(tmp_path / "a.parquet")}, None)[0].to_list() == ROWS
