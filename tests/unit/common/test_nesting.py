"""Nested JSON and YAML: levels are counted, strings are not, and no reader follows them."""

import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import local_file
from workflow_scripts.common.nesting import MAX_NESTING, nested_too_deeply
from workflow_scripts.common.rows import read_json, read_jsonl, read_user_json
from workflow_scripts.common.yaml_files import read_yaml

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a\n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='[]{}"\\a'), inner),
    max_leaves=60,
)


@given(VALUES, st.integers(0, 60))
def test_a_value_of_few_levels_is_accepted(value, more):
    for _ in range(more):
        value = [value, "}]"]
    assert not nested_too_deeply(json.dumps([value] * 30).encode())


@pytest.mark.parametrize("levels", [2 * MAX_NESTING + 1, 1000, 20_000, 1_000_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a": ', "}"), ('[{"a\\"]": ', "}]"), ('["]", ', "]")])
def test_many_levels_are_not(start, end, levels):
    assert nested_too_deeply((start * levels + "1" + end * levels).encode())


def nested(levels):
    return f'{{"instruction": "Why?", "meta": {"[" * levels + "]" * levels}}}'


@pytest.mark.parametrize("levels", [300, 980, 20_000, 1_000_000])
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".zip"])
def test_a_nested_row_is_an_error_with_its_place(tmp_path, suffix, levels):
    path = tmp_path / f"rows{suffix}"
    content = "\n".join([nested(2), nested(levels), ""])
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("rows.jsonl", content)
    else:
        path.write_text(content)
    with pytest.raises(UserError, match=r"rows\.jsonl?.*line 2: nested too deeply.*Fix the line"):
        local_file(path).write(tmp_path / "rows.parquet", None)


@pytest.mark.parametrize("levels", [300, 980, 20_000, 1_000_000])
def test_a_nested_document_is_an_error(tmp_path, levels):
    path = tmp_path / "rows.json"
    path.write_text(f"[{nested(levels)}]")
    with pytest.raises(UserError, match=r"rows\.json: nested too deeply.*Fix the file"):
        local_file(path).write(tmp_path / "rows.parquet", None)
    reads = (read_user_json, lambda path: list(read_jsonl(path)), read_json)  # a job wrote what the last one reads
    for read in reads[: 3 if levels >= 1000 else 2]:
        with pytest.raises(UserError, match=r"rows\.json.*nested too deeply"):
            read(path)


@pytest.mark.parametrize("levels", [300, 20_000, 1_000_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ("{a: ", "}"), ("- ", ""), ("[", "")])
def test_a_nested_yaml_file_is_an_error(tmp_path, start, end, levels):
    path = tmp_path / "config.yaml"
    path.write_text(start * levels + "1" + end * levels)
    with pytest.raises(UserError, match=r"config\.yaml, line 1: nested too deeply.*Fix the file"):
        read_yaml(path)
