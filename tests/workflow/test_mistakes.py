"""User errors: one clear message each, before or while the workflow runs."""

import json

import pytest
import yaml


def overlay(project, **values):
    """Options for a configuration file with these values."""
    path = project.folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"run": "mine", **values}))
    return "--configfile", str(path)


def seeds(path, **more):
    """A `seeds:` section with one source."""
    source = {"id": "mine", "label": "Mine", "path": str(path), "layout": "instruction", "license": "MIT", **more}
    return {"sources": [source], "limit": 4}


def test_a_misspelt_key(project):
    printed = project.run("-n", *overlay(project, training={"learing_rate": 1}), check=False)
    assert "training.learing_rate: unknown key; did you mean `learning_rate`?" in printed
    assert "Traceback" not in printed


def test_a_broken_line(project):
    lines = [json.dumps({"instruction": f"Question {n}?", "response": "An answer."}) for n in range(10)]
    lines[6] = '{"instruction": "Question 7?", "response"'
    path = project.folder / "broken.jsonl"
    path.write_text("\n".join(lines) + "\n")
    target = "results/mine/seeds/sources/mine.parquet"
    printed = project.run(target, *overlay(project, seeds=seeds(path)), check=False)
    assert f"{path}, line 7: not valid JSON" in printed
    assert "Traceback" not in printed


def adapted(project, *lines):
    """The output of snakemake when these lines are a source that cannot be read."""
    path = project.folder / "other.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return project.run("results/mine/seeds/adapted/mine.parquet", *overlay(project, seeds=seeds(path)), check=False)


def test_a_column_that_is_not_there(project):
    printed = adapted(project, '{"text": "Hello"}')
    assert "seed source mine" in printed and "no column instruction or prompt or question" in printed
    assert "Name yours under `columns`" in printed and "Traceback" not in printed


def test_a_row_of_the_wrong_type(project):
    printed = adapted(project, '{"instruction": "a", "response": "b"}', '{"instruction": 5, "response": "b"}')
    assert "seed source mine" in printed and ", row 2: `instruction` is int, expected text" in printed
    assert "Traceback" not in printed


@pytest.mark.slow  # imports lm-eval
def test_an_unknown_task(project):
    target = "results/mine/evaluation/tasks/arc_eazy.json"
    printed = project.run(target, *overlay(project, evaluation={"tasks": ["arc_eazy"]}), check=False)
    assert "lm-eval has no task arc_eazy; did you mean `arc_easy`" in printed
    assert "Traceback" not in printed


def test_a_limit_that_leaves_no_document(project):
    printed = project.run("-n", *overlay(project, evaluation={"limit": 0}), check=False)
    assert "evaluation.limit: 0 must be at least 1" in printed


@pytest.mark.slow
def test_a_task_whose_data_cannot_be_had(project, tmp_path, monkeypatch):
    """No network, and nothing was fetched before."""
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    target = "results/mine/evaluation/tasks/piqa.json"
    printed = project.run(target, *overlay(project, evaluation={"tasks": ["piqa"]}), check=False)
    assert "task piqa: its data cannot be loaded: " in printed and "Check the network, HF_ENDPOINT" in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_the_folder_of_another_configuration(project):
    project.run("results/pocket/seeds/sources/dove.parquet")
    path = project.folder / "rows.jsonl"
    path.write_text('{"instruction": "Question?", "response": "An answer."}\n')
    printed = project.run("-n", *overlay(project, run="pocket", seeds=seeds(path)), check=False)
    assert "results/pocket contains the results of another configuration (config.yaml), not of config.yaml" in printed
    assert "Set another `run:` name." in printed


def test_the_output_ends_with_the_users_file_and_line(project):
    (project.folder / "mine.yaml").write_text("run: mine\ntraining:\n  warmup_ratio: 1\n  learning_rate: 2e-5\n")
    printed = project.run("-n", "--configfile", "mine.yaml", check=False)
    assert printed.endswith(
        "Configuration errors:\n  mine.yaml, line 3: training.warmup_ratio: 1 must be less than 1 (share of the steps with warm-up).\n"
    )
    assert "common.smk" not in printed and "setup.py" not in printed


def test_a_section_that_is_set_twice(project):
    path = project.folder / "config.yaml"
    text = path.read_text()
    path.write_text(f"{text}\nseeds: {{limit: 3}}\n")
    lines = text.splitlines()
    printed = project.run("-n", check=False)
    first, second = lines.index("seeds:") + 1, len(lines) + 2
    assert f"config.yaml, line {second}: `seeds` is set twice, first in line {first}. Delete one of them." in printed
    assert "Traceback" not in printed and "common.smk" not in printed


def test_a_start_in_another_folder(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    printed = project.run("-n", "--directory", str(other), check=False)
    assert "config.yaml: no such file; run the command in the folder of the workflow." in printed
    assert "Traceback" not in printed and "common.smk" not in printed
