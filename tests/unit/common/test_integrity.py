"""Files that are not whole, found after something has failed."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from workflow_scripts.common.integrity import damaged


@pytest.fixture
def files(tmp_path):
    """A folder with a parquet file and one of safetensors."""
    pq.write_table(pa.table({"id": [str(number) for number in range(1000)]}), tmp_path / "rows.parquet")
    save_file({"weight": np.ones((64, 64), np.float32)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "notes.txt").write_text("what is no data is not looked at")
    return tmp_path


def test_whole_files_have_no_fault(files):
    assert damaged([files, files / "rows.parquet", files / "no such file"]) == []


@pytest.mark.parametrize("name", ["rows.parquet", "model.safetensors"])
@pytest.mark.parametrize("left", [0, 4, 0.5, 0.999], ids=["empty", "four bytes", "half", "nearly all"])
def test_a_file_that_is_cut_off(files, name, left):
    data = (files / name).read_bytes()
    (files / name).write_bytes(data[: left if isinstance(left, int) else int(len(data) * left)])
    (line,) = damaged([files])
    assert line.startswith(f"{files / name}: damaged, ") and line.endswith("delete it and run again: it is made anew")


def test_bytes_overwritten_in_the_middle(files):
    data = bytearray((files / "rows.parquet").read_bytes())
    data[4:400] = bytes(396)
    (files / "rows.parquet").write_bytes(data)
    assert len(damaged([files])) == 1


def test_safetensors_whose_header_is_no_json(files):
    path = files / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b"data_offsets", b"data_0ff\xffets"))
    assert len(damaged([path])) == 1


def test_an_entry_point_tells_of_it_in_one_line(files):
    (files / "rows.parquet").write_bytes(b"PAR1")
    code = (
        "import sys; from workflow_scripts.common.cli import run; import pyarrow.parquet as pq;"
        "run(lambda: pq.read_table(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(files / "rows.parquet")], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {files / 'rows.parquet'}: damaged, not a whole parquet file.")


def test_a_bug_keeps_its_traceback(files):
    code = "from workflow_scripts.common.cli import run; run(lambda: 1 / 0)"
    done = subprocess.run([sys.executable, "-c", code, str(files)], capture_output=True, text=True)
    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr
