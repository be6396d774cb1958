"""Configuration files: `extends` is resolved automatically, by Snakemake and by the commands alike."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.config import setup
from workflow_scripts.config.files import merged_config, read_file, with_extended


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a chain c → b → a."""
    monkeypatch.chdir(tmp_path)
    write("config.yaml", x={"a": 0, "b": 0, "c": 0, "z": 0}, items=[0])
    write("a.yaml", x={"a": 1}, items=[1])
    write("b.yaml", extends="a.yaml", x={"b": 2})
    write("c.yaml", extends="b.yaml", x={"c": 3})
    write("mine.yaml", x={"z": 9}, items=[])
    return tmp_path


def write(name, **content):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(yaml.safe_dump(content))


def paths(*names):
    return [Path(name) for name in names]


def test_a_chain(folder):
    assert with_extended(paths("c.yaml")) == paths("a.yaml", "b.yaml", "c.yaml")
    merged = merged_config(paths("c.yaml", "mine.yaml"))
    assert merged == {"x": {"a": 1, "b": 2, "c": 3, "z": 9}, "items": [], "extends": "b.yaml"}


def test_a_file_that_is_also_given_explicitly(folder):
    assert with_extended(paths("a.yaml", "b.yaml", "c.yaml")) == paths("a.yaml", "b.yaml", "c.yaml")
    assert with_extended(paths("a.yaml", "c.yaml")) == paths("a.yaml", "b.yaml", "c.yaml")
    assert with_extended(paths("./a.yaml", str(folder / "b.yaml"))) == [Path("a.yaml"), folder / "b.yaml"]
    assert merged_config(paths("a.yaml", "b.yaml", "c.yaml")) == merged_config(paths("c.yaml"))


def test_order(folder):
    """An overlay after the preset overrides it, also if the preset's base is named once more at the end."""
    assert with_extended(paths("mine.yaml", "b.yaml")) == paths("mine.yaml", "a.yaml", "b.yaml")
    assert with_extended(paths("b.yaml", "mine.yaml", "a.yaml")) == paths("a.yaml", "b.yaml", "mine.yaml")
    assert merged_config(paths("mine.yaml", "a.yaml"))["items"] == [1]
    assert merged_config(paths("a.yaml", "mine.yaml"))["items"] == []


def test_two_presets_with_one_base(folder):
    write("d.yaml", extends="a.yaml", x={"c": 4})
    assert with_extended(paths("b.yaml", "d.yaml")) == paths("a.yaml", "b.yaml", "d.yaml")


def test_a_base_next_to_its_overlay(folder):
    """Paths are relative to the working directory; a file that is only next to the overlay is found, too."""
    write("sub/base.yaml", x={"a": 5})
    write("sub/top.yaml", extends="base.yaml")
    assert with_extended(paths("sub/top.yaml")) == paths("sub/base.yaml", "sub/top.yaml")


@pytest.mark.parametrize("chain", [["a.yaml"], ["a.yaml", "b.yaml"], ["a.yaml", "b.yaml", "./a.yaml"]])
def test_a_cycle(folder, chain):
    for name, base in zip(chain, [*chain[1:], chain[0]], strict=True):
        write(name, extends=base)
    with pytest.raises(UserError, match=r"extends itself \(.*→.*\)\. Delete one `extends:`"):
        with_extended(paths(chain[0]))


def test_a_missing_file(folder):
    with pytest.raises(UserError, match=r"^mime\.yaml: no such file; did you mean `mine\.yaml`\?$"):
        merged_config(paths("mime.yaml"))
    write("d.yaml", extends="gone/x.yaml")
    with pytest.raises(UserError, match=r"^gone/x\.yaml: no such file; fix the path\.$"):
        merged_config(paths("d.yaml"))
    Path("config.yaml").unlink()
    with pytest.raises(
        UserError, match=r"^config\.yaml: no such file; run the command in the folder of the workflow\.$"
    ):
        merged_config([])


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "not valid YAML"), ("- 1", "expected a mapping of keys"), (b"\xff", "not valid YAML")],
)
def test_a_file_that_is_not_a_configuration(folder, text, message):
    Path("x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=rf"^x\.yaml: {message}"):
        read_file(Path("x.yaml"))


def test_an_empty_file(folder):
    Path("x.yaml").touch()
    assert read_file(Path("x.yaml")) == {}


# Snakemake's own merging, and what `setup.prepare` does with it.


def prepared(*names, **command_line):
    """(configuration, files) of a start of Snakemake with these overlays and `--config` values."""
    config = read_file(Path("config.yaml"))
    for name in names:
        update_config(config, read_file(Path(name)))
    update_config(config, command_line)
    workflow = SimpleNamespace(
        overwrite_configfiles=[os.path.abspath(name) for name in names],
        config_settings=SimpleNamespace(config=command_line),
        is_main_process=True,
        output_settings=SimpleNamespace(dryrun=True),
    )
    files = setup.prepare(workflow, config)
    return config, files


@pytest.mark.parametrize("preset", sorted(Path("presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_snakemake_and_the_commands_read_a_preset_alike(preset):
    config, files = prepared(str(preset))
    assert config == merged_config([preset])
    assert files == ["config.yaml", *map(str, with_extended([preset]))]


def test_a_preset_alone_is_the_same_as_with_its_base():
    alone = prepared("presets/capybara-13b.yaml")
    assert alone == prepared("presets/capybara-7b-v1.yaml", "presets/capybara-13b.yaml")
    assert alone == prepared("presets/capybara-13b.yaml", "presets/capybara-7b-v1.yaml")
    assert alone[0]["seeds"]["limit"] == 14139 and alone[0]["training"]["method"] == "lora"


def test_values_of_the_command_line_still_win():
    config, _ = prepared("presets/capybara-13b.yaml", run="named", training={"epochs": 7})
    assert (config["run"], config["training"]["epochs"], config["training"]["method"]) == ("named", 7, "lora")


def test_the_default_file_given_explicitly_is_read_once():
    assert prepared("config.yaml")[1] == ["config.yaml"]


def test_errors_stop_the_start(tmp_path):
    (tmp_path / "mine.yaml").write_text("training: {over_long: cut}\nrunn: x\n")
    with pytest.raises(WorkflowError) as caught:
        prepared(str(tmp_path / "mine.yaml"))
    message = str(caught.value)
    assert "runn: unknown key; did you mean `run`?" in message
    assert "training.over_long: renamed to training.overflow." in message
    (tmp_path / "mine.yaml").write_text("extends: no.yaml\n")
    with pytest.raises(WorkflowError, match=r"no\.yaml: no such file"):
        prepared(str(tmp_path / "mine.yaml"))
