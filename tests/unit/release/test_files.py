"""Files of a release: copied or linked, listed, checksummed."""

import os
import shutil
import subprocess

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.release import files


def test_large_files_are_hard_linked_and_small_ones_are_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HARD_LINK_BYTES", 4)
    for name, text in (("large", "weights"), ("small", "x")):
        (tmp_path / name).write_text(text)
        files.place(tmp_path / name, tmp_path / "out" / name)
        files.place(tmp_path / name, tmp_path / "out" / name)  # again, as a second run does
        assert (tmp_path / "out" / name).read_text() == text
    assert (tmp_path / "large").stat().st_nlink == 2 and (tmp_path / "small").stat().st_nlink == 1


def test_a_file_is_copied_if_hard_links_are_not_supported(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(files, "HARD_LINK_BYTES", 4)
    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "large").write_text("weights")
    files.place(tmp_path / "large", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "weights" and (tmp_path / "large").stat().st_nlink == 1


def test_hidden_files_and_the_checksums_are_not_listed(tmp_path):
    for name in ("b/.snakemake_timestamp", "b/x.json", "a.md", files.SUMS, ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in files.listed(tmp_path)] == ["a.md", "b/x.json"]


def test_pickles_are_rejected(tmp_path):
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(
        UserError, match=r"pytorch_model.bin may execute code when loaded. Save the model as safetensors"
    ):
        files.model_files(tmp_path)


def test_sha256sum_accepts_the_checksums(tmp_path):
    for name in ("model/a.json", "README.md", "with space.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    digests = {name: file_sha256(tmp_path / name) for name in ("model/a.json", "README.md", "with space.txt")}
    text = files.sums(digests)
    assert files.read_sums(text) == digests
    (tmp_path / files.SUMS).write_text(text)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--quiet", "-c", files.SUMS], cwd=tmp_path, check=True)
