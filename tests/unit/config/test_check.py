"""Mistakes in a configuration: each is one line that names the key and says what to do."""

import copy
from pathlib import Path

import pytest
import yaml

from workflow_scripts.config.check import claim_folder, folder_mistake, mistakes

POCKET = yaml.safe_load(Path("config.yaml").read_text())
FILES = ["config.yaml"]


def after(change):
    config = copy.deepcopy(POCKET)
    change(config)
    return mistakes(config, FILES)


def test_the_pocket_configuration_has_none():
    assert mistakes(POCKET, FILES) == []


def put(path, value):
    def change(config):
        *way, last = path
        for name in way:
            config = config[name]
        config[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("training", "learing_rate"), 1, ["training.learing_rate", "unknown key", "learning_rate"]),
        (("sedes",), {}, ["sedes", "unknown key", "seeds"]),
        (("seeds", "limit"), "64", ["seeds.limit", "'64'", "wrong type", "integer"]),
        (("seeds", "limit"), 0, ["seeds.limit", "at least 1"]),
        (("teacher", "kind"), "gpt", ["teacher.kind", "'gpt'", "llama.cpp, endpoint"]),
        (("teacher", "kind"), "endpoint", ["teacher.base_url"]),
        (("teacher", "api_key_env"), "sk-123-abc", ["teacher.api_key_env", "NAME of the environment variable"]),
        (("seeds", "sources", 0, "path"), "no/such.jsonl", ["seeds.sources[0] (airoboros)", "no such file", "no/such.jsonl"]),
        (("seeds", "sources", 0, "license"), "CC-BY-NC-4.0", ["airoboros", "CC-BY-NC-4.0", "allow_licenses"]),
        (("seeds", "sources", 1, "id"), "airoboros", ["seeds.sources[1]", "twice"]),
        (("decontamination", "benchmarks"), ["mmluu"], ["unknown benchmark mmluu", "did you mean `mmlu`?"]),
        (("evaluation", "include_path"), "no/folder", ["evaluation.include_path", "no/folder"]),
        (("evaluation", "num_fewshot"), {"mmlu": 5}, ["evaluation.num_fewshot.mmlu", "evaluation.tasks"]),
        (("training", "base", "model"), "meta-llama/Llama-2-7b-hf", ["training.base.revision", "commit"]),
        (("builds_on",), "presets/x.yaml", ["builds_on", "--configfile presets/x.yaml"]),
        (("synthesis", "exchanges"), [{"count": 9, "weight": 1}], ["synthesis.exchanges[0].count", "at most 8"]),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_it(path, value, words):
    found = after(put(path, value))
    assert len(found) == 1
    assert all(word in found[0] for word in words), found[0]


def test_a_missing_key_is_named():
    assert after(lambda config: config["training"].pop("epochs")) == ["training.epochs: missing."]


def test_a_source_with_two_places_or_none():
    assert "either `path` or `hub`" in after(lambda config: config["seeds"]["sources"][0].pop("path"))[0]


def test_nothing_to_work_on():
    assert "nothing to work on" in after(put(("seeds", "sources"), []))[0]


@pytest.mark.parametrize("preset", sorted(Path("presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_presets_are_sound(preset):
    from snakemake.utils import update_config

    config, files = copy.deepcopy(POCKET), list(FILES)
    own = yaml.safe_load(preset.read_text())
    for path in filter(None, (own.get("builds_on"), str(preset))):
        update_config(config, yaml.safe_load(Path(path).read_text()))
        files.append(path)
    assert mistakes(config, files) == []
    assert config["run"] == preset.stem


def test_a_folder_belongs_to_the_files_that_made_it(tmp_path):
    config = {"results": str(tmp_path), "run": "mine"}
    claim_folder(config, ["config.yaml"])
    assert folder_mistake(config, ["config.yaml"]) is None
    message = folder_mistake(config, ["config.yaml", "other.yaml"])
    assert "results of another configuration" in message and "`run:`" in message


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    message = folder_mistake({"results": str(tmp_path / "file"), "run": "mine"}, FILES)
    assert "is a file" in message and "`results:`" in message
