"""What would run, without running it."""

import re
from pathlib import Path

import pytest
import yaml

PRESETS = sorted(Path("presets").glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_prints_its_whole_graph(project, preset):
    own = yaml.safe_load(preset.read_text())
    files = [own["extends"]] if "extends" in own else []
    jobs = project.planned("--configfile", *files, str(preset))
    assert jobs["train_model"] == 1 and jobs["render_report"] == 1
    batches = {rule: count for rule, count in jobs.items() if rule.startswith("evaluate_tasks_")}
    assert batches == {f"evaluate_tasks_{number}": 2 for number in range(1, 5)} and "evaluate_task" not in jobs
    assert jobs["fetch_task"] == 76  # lm-eval's tasks: three of the 79 are asked for with two numbers of shots
    assert jobs.get("synthesize_shard", 0) == (0 if preset.stem == "released-data" else 29)


def test_the_slurm_profile_is_understood(project):
    jobs = project.planned("--workflow-profile", "profiles/slurm")
    assert jobs["synthesize_shard"] == 4


EVERYTHING = {
    "decontamination": {"parts": 3},
    "training": {"models": {"capybara": {}, "seeds-only": {"data": "first_exchange"}}},
    "evaluation": {"tasks": ["humaneval"], "execute_code": True, "two_turn": {"questions": "questions.jsonl"}},
    "release": {"gguf_converter": "python convert_hf_to_gguf.py"},
}


@pytest.mark.parametrize(
    ("files", "own"),
    [
        ([], {}),
        ([], EVERYTHING),
        (["presets/capybara-7b-v1.yaml"], {}),
        (["presets/capybara-7b-v1.yaml", "presets/released-data.yaml"], {}),
    ],
    ids=["pocket", "everything on", "V1", "released data"],
)
def test_the_run_asks_for_a_file_of_every_job(project, files, own):
    """Else a job whose outputs are gone, because it failed when it ran again, would not be missed."""
    (project.folder / "questions.jsonl").write_text('{"id": "1", "turns": ["Why?", "And then?"]}\n')
    (project.folder / "mine.yaml").write_text(yaml.safe_dump({"run": "mine", **own}))
    printed = project.run("--forceall", "--dag", "--configfile", *files, "mine.yaml")
    jobs = dict(re.findall(r'^\s*(\d+)\[label = "([^"\\]+)', printed, re.MULTILINE))
    (last,) = (number for number, name in jobs.items() if name == "all")
    asked = set(re.findall(rf"^\s*(\d+) -> {last}$", printed, re.MULTILINE))
    assert len(asked) > 30 and {name for number, name in jobs.items() if number not in asked} == {"all"}
