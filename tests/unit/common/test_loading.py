"""Files are read as published: texts are identical in every format, nothing is inferred, errors name file and line."""

import csv
import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.common import csv_files, json_files, text_files
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import fetch, local_file
from workflow_scripts.common.parquet_files import parquet_rows
from workflow_scripts.common.rows import file_sha256, read_json
from workflow_scripts.common.text_files import BLOCK_BYTES, LINE_BYTES

ROWS = [{"instruction": f"Question {n}?", "response": "Answer."} for n in range(3)]


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def as_jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_csv(rows):
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([row.get(name) for name in names] for row in rows)
    return out.getvalue().encode()


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def as_parquet(rows):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


FORMATS = {
    "a.jsonl": as_jsonl,
    "a.ndjson": as_jsonl,
    "lines.json": as_jsonl,
    "a.json": lambda rows: json.dumps(rows, indent=1).encode(),
    "array.jsonl": lambda rows: json.dumps(rows).encode(),
    "a.zip": lambda rows: zipped({f"{n:04}.json": json.dumps(row, indent=1) for n, row in enumerate(rows)}),
    "a.jsonl.gz": lambda rows: gzip.compress(as_jsonl(rows)),
    "a.jsonl.zst": lambda rows: zstd(as_jsonl(rows)),
    "a.json.gz": lambda rows: gzip.compress(json.dumps(rows).encode()),
    "bom.jsonl": lambda rows: b"\xef\xbb\xbf" + as_jsonl(rows),
}
TEXT_FORMATS = {
    **FORMATS,
    "a.csv": as_csv,
    "bom.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "a.csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "a.parquet": as_parquet,
}


def load(path, columns=None, **entry):
    """The rows of a file as `fetch` writes them, after checking that `rows` gives the same."""
    folder = path.parent / "fetched"
    facts = fetch({"path": str(path), **entry}, folder / "rows.parquet", folder / "origin.json")
    names = set(pq.read_schema(folder / "rows.parquet").names) if columns is None else columns
    rows = list(parquet_rows([folder / "rows.parquet"], names))
    assert read_json(folder / "origin.json") == facts
    assert facts["rows"] == len(rows)
    if "rows" not in entry:
        assert [{name: row.get(name) for name in names} for row in local_file(path).rows(names)] == rows
    return rows


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_every_kind_of_file_gives_the_same_rows(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(TEXT_FORMATS[name](ROWS))
    assert load(path) == ROWS
    assert load(path, rows=2) == ROWS[:2]
    assert load(path, rows=9) == ROWS
    origin = read_json(tmp_path / "fetched" / "origin.json")
    assert origin == {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}", "rows": 3}


# Texts that a reader may take for something else, and any others.
TRAPS = ["None", "NA", "N/A", "null", "nan", "", " ", "0.50", "00123", "1e5", "2020-05-10", "2020-05-10T01:02:03Z", "true",
         "-0", "1_000", '"', "'", ",", ";", "\t", "\n", "\r", "\r\n", "\\n", "{}", "[1]", "#", "\u2028", "\x85", "\x1c", "é", "e\u0301",
         "\u200b", "\ufeff", "😀", "𐍈", "\x00"]  # fmt: skip
TEXT = st.sampled_from(TRAPS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXT |= st.lists(st.sampled_from(TRAPS), max_size=4).map("".join)
NUMBER = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["id", "question", "A", "über", 'q"u,o', "a.b", " "])


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_texts_are_identical_in_every_format(tmp_path_factory, data):
    names = data.draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, TEXT)), min_size=1, max_size=6))
    folder = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK_BYTES", data.draw(st.sampled_from([1, 7, 64, 2**20])))
        patch.setattr(csv_files, "BATCH_ROWS", 2)
        patch.setattr(csv_files, "BLOCK_BYTES", data.draw(st.sampled_from([7, 64, 2**20])))
        patch.setattr(json_files, "BATCH_ROWS", 2)
        for name, write in TEXT_FORMATS.items():
            path = folder / name
            path.write_bytes(write(rows))
            assert load(path) == rows, name


@settings(max_examples=12, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUE, min_size=1, max_size=4), min_size=1, max_size=6), st.integers(1, 80))
def test_any_values_are_identical_in_every_json_format(tmp_path_factory, rows, block_bytes):
    """Rows lack columns, columns change their type, begin late, nest; a missing value and null are both None."""
    folder = tmp_path_factory.mktemp("values")
    names = {name for row in rows for name in row}
    expected = [{name: row.get(name) for name in names} for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK_BYTES", block_bytes)
        patch.setattr(json_files, "BATCH_ROWS", 2)
        for name, write in FORMATS.items():
            (folder / name).write_bytes(write(rows))
            found = load(folder / name)
            # As JSON, because 1, 1.0 and True are equal in Python.
            assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True), name


def test_numbers_dates_and_names_of_nothing_in_csv_are_texts(tmp_path):
    (tmp_path / "a.csv").write_text("q,a,b\r\nNone,0.50,00123\r\n\r\nNA,2020-05-10,\r\n")
    assert load(tmp_path / "a.csv") == [
        {"q": "None", "a": "0.50", "b": "00123"},
        {"q": "NA", "a": "2020-05-10", "b": ""},
    ]


@pytest.mark.parametrize("block_bytes", [8, 32, 2**20])
def test_quotes_where_rfc_4180_does_not_allow_them(tmp_path, monkeypatch, block_bytes):
    """Such a file is parsed by the csv module; a long file also where Arrow gives up in the middle."""
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", block_bytes)
    rows = [{"q": f"A pipe of {n} inches", "a": "x" * n} for n in range(40)]
    path = tmp_path / "a.csv"
    path.write_text("q,a\n" + "".join(f"A pipe of {n} inches,{'x' * n}\n" for n in range(40)))
    assert load(path) == rows
    path.write_text("q,a\n" + "".join(f'A {n}" pipe,"say ""x"""\n' for n in range(40)))
    assert load(path) == [{"q": f'A {n}" pipe', "a": 'say "x"'} for n in range(40)]


def test_dates_in_json_are_texts(tmp_path):
    rows = [{"q": "When?", "a": day} for day in ("1999-12-31", "2001-02-03T04:05:06Z")]
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(rows))
    assert load(tmp_path / "a.jsonl") == rows
    assert pq.read_schema(tmp_path / "fetched" / "rows.parquet").field("a").type == pa.string()


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_column_that_changes_after_several_blocks(tmp_path, kind):
    """More than 10 MB of rows; then a column begins, one changes its type, one is no longer null."""
    filler = "stone " * 1000
    rows = [{"q": filler, "id": n, "late": None} for n in range(2000)]
    rows += [{"q": "Why?", "id": "x1", "late": "yes", **({"new": "column"} if kind == "jsonl" else {})}]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(as_csv(rows) if kind == "csv" else as_jsonl(rows))
    assert path.stat().st_size > 11_000_000 > 2 * BLOCK_BYTES
    found = load(path)
    if kind == "csv":
        assert (found[0]["id"], found[0]["late"]) == ("0", "")
        assert found[-1] == {"q": "Why?", "id": "x1", "late": "yes"}
    else:
        assert found[0] == {"q": filler, "id": 0, "late": None, "new": None}
        assert found[-1] == {"q": "Why?", "id": "x1", "late": "yes", "new": "column"}


def test_long_lines_in_a_json_file(tmp_path):
    rows = [{"q": "stone " * 5000, "n": n} for n in range(3)]
    (tmp_path / "a.json").write_bytes(as_jsonl(rows))
    assert load(tmp_path / "a.json") == rows


def test_odd_values_of_columns_that_are_not_needed(tmp_path):
    """A number beyond float64, NaN, a key that occurs twice, half a surrogate pair: only the needed column is decoded."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"q": "a", "n": 1e400}\n{"q": "b", "n": NaN, "n": -1e999}\n{"q": "c", "n": 123456789012345678901234567890}\n'
        b'null\n{"q": "d", "n": "\\ud800"}\n{"q": "e", "n": ["\\udfff"]}\n'
    )
    assert [row["q"] for row in load(path, {"q"})] == ["a", "b", "c", None, "d", "e"]


def test_columns_of_parquet_that_are_not_needed(tmp_path):
    """A picture by path, a map, a year beyond 9999, invalid UTF-8."""
    far = pa.array([10**15], pa.timestamp("ms"))
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    table = pa.table(
        {"q": ["a"], "when": far, "bad": bad, "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
         "image": [{"bytes": None, "path": "gone/1.png"}]}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet", {"q"}) == [{"q": "a"}]
    for name in ("when", "bad"):
        with pytest.raises(UserError, match=r"a\.parquet, row 1: not readable \(.*\)\. Fix the row"):
            list(local_file(tmp_path / "a.parquet").rows({"q", name}))


@pytest.mark.parametrize(
    "name", ["a[1].jsonl", "a*.jsonl", "a?.jsonl", "{a}.jsonl", "a::b.jsonl", "100%.jsonl", "a b'\"c.jsonl", "é→.jsonl"]
)
def test_a_file_name_is_not_a_pattern(tmp_path, name):
    folder = tmp_path / "dir [x]"
    folder.mkdir()
    for other in ("a1.jsonl", "ab.jsonl", "a.jsonl"):
        (folder / other).write_bytes(as_jsonl([{"q": "another file"}]))
    (folder / name).write_bytes(as_jsonl([{"q": "mine"}]))
    assert load(folder / name) == [{"q": "mine"}]


def load_bytes(tmp_path, name, content):
    """The error message for a file, without its path."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "fetched").iterdir()) if (tmp_path / "fetched").exists() else True
    return str(caught.value).removeprefix(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", ": unknown kind of file. Use one of .jsonl"),
        ("a.parquet.gz", b"x", ": unknown kind of file. Use one of .jsonl"),
        ("a.jsonl", b"", ": the file is empty."),
        ("a.jsonl", b"\n\n", ": the file contains no rows."),
        ("a.json", b"[]", ": the file contains no rows."),
        ("a.csv", b"instruction,response\n", ": the file contains no rows."),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', ", line 2: not valid JSON (Expecting value at column 7). Fix the line"),
        ("a.jsonl", b'{"a": 1}\n\n{"a": 1, "b"}\n', ", line 3: not valid JSON (Expecting ':' delimiter at column 13)"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', ", line 2: a JSON object was expected, not list."),
        ("a.json", b'[{"a": 1},\n 3]', ", row 2: a JSON object was expected, not int."),
        ("a.json", b'[{"a": 1}', ", line 1: not valid JSON (Expecting ',' delimiter at column 10). Fix the file."),
        ("a.parquet", b"no parquet", ": not a readable parquet file ("),
        ("a.zip", b"no zip", ": not a readable zip archive (File is not a zip file). Replace the file."),
        ("a.zip", zipped({}), ": the file contains no rows."),
        ("a.zip", zipped({"0.json": '{"a": "x"}', "1.json": '{"a": "x'}), ", 1.json, line 1: not valid JSON (Unterminated"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 9, mtime=0)[:-9], ": damaged gzip file (Truncated compressed stream). Replace"),
        ("a.jsonl.zst", b"no zstd", ": damaged zstd file ("),
        ("a.jsonl", b'{"a": "x"}\n{"a": "\xff"}\n', ", line 2: not valid UTF-8 (invalid start byte). Fix the line"),
        ("a.json", b'[{"a": "x"},\n\n{"a": "\xff"}]', ", line 3: not valid UTF-8 (invalid start byte). Fix the line."),
        ("a.csv", b"a,b\nx,\xe9\n", ", line 2: not valid UTF-8 (invalid continuation byte). Fix the line."),
        ("a.csv", b'a,b\nx,y\n"x","y","z"\n', ", line 3: 3 cells, but the header has 2. Put a text that contains a comma"),
        ("a.csv", b'a,b\n"x\ny",z\nx\n', ", line 4: 1 cells, but the header has 2. Put"),
        ("a.csv", b'a,b\nx,y\nx,"y\nx,y\n', ", line 3: not valid CSV (a quote is opened and never closed). Fix the row."),
        ("a.csv", b'a,b\nx,"y"z\n', ", line 2: not valid CSV (',' expected after '\"'; a quote inside a quoted cell is"),
        ("a.csv", b"a,b,a\nx,y,z\n", ", line 1: two columns are named 'a'. Rename one."),
    ],
)  # fmt: skip
def test_an_unreadable_file_is_reported(tmp_path, name, content, message):
    assert load_bytes(tmp_path, name, content).startswith(message)


def test_a_missing_file_is_reported(tmp_path):
    for name in ("missing.jsonl", "folder.json"):
        (tmp_path / "folder.json").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=rf"{name}: no such file\. Correct the path in the config"):
            load(tmp_path / name)


@pytest.mark.parametrize("lines", [0, 1, 3, 70_000])
def test_lines_are_counted_across_blocks(tmp_path, lines):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": "' + b"x" * 90 + b'"}\n' + b'{"a": "y"}\n' * lines + b"\xff\n")
    with pytest.raises(UserError, match=rf"a\.jsonl, line {lines + 2}: not valid UTF-8"):
        load(tmp_path / "a.jsonl")


def test_an_overlong_line_is_not_read_into_memory(tmp_path):
    path = tmp_path / "a.jsonl"
    with open(path, "wb") as file:  # a sparse file: it takes no space on the disk
        file.write(b'{"a": 1}\n{"a": "')
        file.truncate(LINE_BYTES * 8)
    tracemalloc.start()
    with pytest.raises(UserError) as caught:
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value) == (f"{path}, line 2: longer than 64 MiB; its line ends are probably lost. Fix the line.")
    assert peak < 4 * LINE_BYTES


def test_two_columns_of_one_name_in_parquet(tmp_path):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["q", "q"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: two columns have the same name\. Rename one"):
        load(tmp_path / "a.parquet")


def test_a_failed_fetch_leaves_no_file(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": "x"}\n' * 1_000_000 + b"{\n")
    with pytest.raises(UserError, match="line 1000001"):
        load(tmp_path / "a.jsonl")
    assert not list(Path(tmp_path / "fetched").iterdir())


def test_a_document_that_grows_a_thousandfold_is_an_error_and_its_lines_are_not(tmp_path):
    row = b'{"a": "' + b"x" * 1000 + b'"}\n'
    rows = 120_000  # 121 MB
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"[" + b",".join([row] * rows) + b"]")
    assert path.stat().st_size < 2**20
    with pytest.raises(UserError, match=r"a\.zip, a\.json: more than 1\d\d MiB when decompressed, 200 times"):
        local_file(path).write(tmp_path / "rows.parquet", None)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"[" + b",".join([row] * rows) + b"]"))
    with pytest.raises(UserError, match=r"a\.json\.gz: more than 1\d\d MiB when decompressed"):
        local_file(tmp_path / "a.json.gz").write(tmp_path / "rows.parquet", None)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", row * rows)
    tracemalloc.start()
    try:
        assert local_file(path).write(tmp_path / "rows.parquet", 10) == 10
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_a_long_line_in_an_archive_is_an_error(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", b'{"a": "' + b"x" * (65 * 2**20) + b'"}\n')
    with pytest.raises(UserError, match=r"a\.zip, a\.jsonl, line 1: longer than 64 MiB"):
        local_file(path).write(tmp_path / "rows.parquet", None)
