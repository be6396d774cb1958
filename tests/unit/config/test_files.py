"""Configuration files: `extends` is resolved automatically, by Snakemake and by the commands alike."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.config import setup
from workflow_scripts.config.files import merged_config, read_file, with_extended
from workflow_scripts.config.locations import with_locations


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
    [
        ("a: [", ", line 2: not valid YAML"),
        ("- 1", ": expected a mapping of keys"),
        (b"a: 1\nb: \xff", ", line 2: not valid UTF-8"),
    ],
)
def test_a_file_that_is_not_a_configuration(folder, text, message):
    Path("x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=rf"^x\.yaml{message}"):
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
    assert alone[0]["seeds"]["limit"] == 20752 and alone[0]["training"]["method"] == "lora"


def test_values_of_the_command_line_still_win():
    config, _ = prepared("presets/capybara-13b.yaml", run="named", training={"epochs": 7})
    assert (config["run"], config["training"]["epochs"], config["training"]["method"]) == ("named", 7, "lora")


def test_the_default_file_given_explicitly_is_read_once():
    assert prepared("config.yaml")[1] == ["config.yaml"]


def stopped(*names):
    """The message with which a start ends."""
    with pytest.raises(SystemExit) as caught:
        prepared(*names)
    return str(caught.value.code)  # Python prints it and ends with status 1


def test_errors_stop_the_start_and_name_file_and_line(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("training:\n  over_long: cut\nrunn: x\n")
    assert stopped(str(mine)) == (
        f"Configuration errors:\n  {os.path.relpath(mine)}, line 3: runn: unknown key; did you mean `run`?\n"
        f"  {os.path.relpath(mine)}, line 2: training.over_long: renamed to training.overflow."
    )
    mine.write_text("extends: no.yaml\n")
    assert "no.yaml: no such file" in stopped(str(mine))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  b: 1\n c: 2\n", "line 3: not valid YAML (did not find expected key at column 2). Fix the file."),
        (
            "a: 1\nb:\n\t- 1\n",
            "line 3: not valid YAML (found character that cannot start any token at column 1). Fix the file.",
        ),
        (
            "seeds: {}\nrun: x\nseeds: {limit: 3}\n",
            "line 3: `seeds` is set twice, first in line 1. Delete one of them.",
        ),
        (
            "seeds:\n  limit: 1\n  sources: []\n  limit: 2\n",
            "line 4: `limit` is set twice, first in line 2. Delete one of them.",
        ),
    ],
)
def test_an_invalid_file_names_the_line(folder, text, message):
    Path("x.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_file(Path("x.yaml"))
    assert str(caught.value) == f"x.yaml, {message}"


@pytest.mark.parametrize("number", ["2e-5", "1E-4", "2.0e-5", "1.5e3", "1e+2", "+3e0"])
def test_numbers_with_an_exponent(folder, number):
    Path("x.yaml").write_text(f"a: {number}\nb: '{number}'\nc: x{number}\n")
    assert read_file(Path("x.yaml")) == {"a": float(number), "b": number, "c": f"x{number}"}


def test_where_a_key_is_set(folder):
    write("base.yaml", seeds={"sources": [{"id": "a"}, {"id": "b", "path": "x"}], "limit": 1}, tasks={"a.b": {"c": 1}})
    Path("top.yaml").write_text("seeds:\n  sources:\n    - id: z\n    - {id: y}\ntasks: {}\n")
    errors = {
        "seeds.sources[1].path: gone": "top.yaml, line 4: ",  # the list of top.yaml replaces that of base.yaml
        "seeds.sources[0] (z): x": "top.yaml, line 3: ",
        "seeds.limit: x": "base.yaml, line 2: ",
        "seeds.limit.more: x": "base.yaml, line 2: ",
        "tasks.a.b.c: x": "base.yaml, line 9: ",
        "training.epochs: from the command line": "",
    }
    files = paths("base.yaml", "top.yaml")
    assert with_locations(list(errors), files) == [f"{place}{line}" for line, place in errors.items()]
