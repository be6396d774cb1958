"""Damaged files are reported after a failure."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from workflow_scripts.common.integrity import describe_damage


@pytest.fixture
def files(tmp_path):
    """A folder with a parquet file and one of safetensors."""
    pq.write_table(pa.table({"id": [str(number) for number in range(1000)]}), tmp_path / "rows.parquet")
    save_file({"weight": np.ones((64, 64), np.float32)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "notes.txt").write_text("files of other types are not checked")
    return tmp_path


def test_complete_files_are_not_reported(files):
    assert describe_damage([files, files / "rows.parquet", files / "no such file"]) == []


@pytest.mark.parametrize("name", ["rows.parquet", "model.safetensors"])
@pytest.mark.parametrize("left", [0, 4, 0.5, 0.999], ids=["empty", "four bytes", "half", "nearly all"])
def test_a_truncated_file_is_reported(files, name, left):
    data = (files / name).read_bytes()
    (files / name).write_bytes(data[: left if isinstance(left, int) else int(len(data) * left)])
    (line,) = describe_damage([files])
    assert line.startswith(f"{files / name}: damaged, ") and line.endswith("delete it and run again")


def test_a_damaged_file_is_named_at_any_depth(files):
    folder = files / "final" / "adapter"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes((files / "model.safetensors").read_bytes()[:-1])
    (line,) = describe_damage([files])
    assert line.startswith(f"{folder / 'adapter_model.safetensors'}: damaged, ")


def test_bytes_overwritten_in_the_middle_are_reported(files):
    data = bytearray((files / "rows.parquet").read_bytes())
    data[4:400] = bytes(396)
    (files / "rows.parquet").write_bytes(data)
    assert len(describe_damage([files])) == 1


def test_a_safetensors_header_that_is_not_json_is_reported(files):
    path = files / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b"data_offsets", b"data_0ff\xffets"))
    assert len(describe_damage([path])) == 1


def test_an_entry_point_reports_it_in_one_line(files):
    (files / "rows.parquet").write_bytes(b"PAR1")
    code = (
        "import sys; from workflow_scripts.common.cli import run; import pyarrow.parquet as pq;"
        "run(lambda: pq.read_table(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(files / "rows.parquet")], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {files / 'rows.parquet'}: damaged, not a complete parquet file.")


def test_a_bug_keeps_its_traceback(files):
    code = "from workflow_scripts.common.cli import run; run(lambda: 1 / 0)"
    done = subprocess.run([sys.executable, "-c", code, str(files)], capture_output=True, text=True)
    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr
