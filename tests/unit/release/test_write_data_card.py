"""The data card: valid for `huggingface_hub`, readable by `datasets`, with a computed licence."""

import re
import shutil

import pytest
from huggingface_hub import DatasetCard, metadata_load
from markdown_it import MarkdownIt

from tests.support.stand_in_hub import StandInHub
from tests.unit.release.test_write_model_card import HOSTILE
from tests.unit.release.tree import common, make
from workflow_scripts.release.write_data_card import main, size_category


def write(folder, **changes):
    path = folder / "release" / "data" / "README.md"
    main([*common(folder, **changes), "--card", str(path)])
    return path


def test_metadata(tmp_path):
    metadata = metadata_load(write(make(tmp_path)))
    assert metadata["license"] == "mit" and metadata["language"] == "en" and metadata["size_categories"] == "n<1K"
    assert metadata["source_datasets"] == ["org/seeds"]
    assert [entry["config_name"] for entry in metadata["configs"]] == ["messages"]


def test_it_passes_validation(tmp_path, monkeypatch):
    with StandInHub() as hub:
        monkeypatch.setattr("huggingface_hub.repocard.constants.ENDPOINT", hub.url)
        monkeypatch.setattr(hub, "token", None)
        DatasetCard.load(write(make(tmp_path))).validate()
        assert hub.requests == ["POST /api/validate-yaml"]


def test_datasets_loads_the_folder_with_its_card(tmp_path, monkeypatch):
    from datasets import load_dataset

    data = write(make(tmp_path)).parent
    for name, suffix in (("conversations", "jsonl"), ("messages", "parquet")):
        (data / name).mkdir()
        for split in ("train", "test"):
            shutil.copy(tmp_path / "dataset" / f"{split}.{suffix}", data / name / f"{split}.{suffix}")
    options = {"cache_dir": str(tmp_path / "cache")}
    messages = load_dataset(str(data), **options)
    assert messages.num_rows == {"train": 3, "test": 1} and messages["test"][0]["license"] == "MIT"
    conversations = load_dataset("json", data_files=str(data / "conversations" / "train.jsonl"), **options)
    assert conversations["train"][0]["conversation"][0] == {"input": "Why?", "output": "So."}


def test_mixed_licences_are_listed_and_not_combined(tmp_path):
    path = write(make(tmp_path, licenses=["MIT", "CC-BY-NC-4.0"]))
    metadata = metadata_load(path)
    assert metadata["license"] == "other" and metadata["license_name"] == "by-row"
    text = path.read_text()
    assert "`CC-BY-NC-4.0` (2 rows), `MIT` (2 rows)" in text
    assert "2 rows may not be used commercially, so the whole dataset may not either." in text


def test_no_language_is_stated_for_included_files(tmp_path):
    path = write(make(tmp_path), included=True)
    assert (
        "language" not in metadata_load(path)
        and "The language of conversations included from files was not checked." in path.read_text()
    )


def test_the_sources_of_rewritten_openings_are_explained(tmp_path):
    text = write(make(tmp_path, sources=["Airoboros"])).read_text()
    assert "a technique wrote" not in text
    text = write(make(tmp_path, sources=["Airoboros", "Synthetic-LaMini"])).read_text()
    assert "In rows of a source `Synthetic-…`, a technique wrote the first request" in text


def test_a_run_without_a_synthesis_mentions_none(tmp_path):
    path = write(make(tmp_path, synthesised=False))
    text = path.read_text().replace("multi-turn conversations and synthetic data", "")
    assert not re.search("amplify|teacher|synthe[st]i", text, re.IGNORECASE)
    assert metadata_load(path)["tags"] == ["capybara", "multi-turn"]


def test_a_hostile_source_is_displayed_as_text(tmp_path):
    text = write(make(tmp_path, sources=[HOSTILE], licenses=[HOSTILE])).read_text()
    shown = MarkdownIt("commonmark").enable("table").render(text.split("\n---\n", 1)[1])
    assert "<script" not in shown and "<img" not in shown and "<a " not in shown and "javascript:alert" in shown


@pytest.mark.parametrize(("rows", "name"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (20_000, "10K<n<100K")])
def test_sizes(rows, name):
    assert size_category(rows) == name
