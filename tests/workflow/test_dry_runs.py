"""What would run, without running it."""

from pathlib import Path

import pytest
import yaml

PRESETS = sorted(Path("presets").glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_prints_its_whole_graph(project, preset):
    own = yaml.safe_load(preset.read_text())
    files = [own["builds_on"]] if "builds_on" in own else []
    jobs = project.planned("--configfile", *files, str(preset))
    assert jobs["train_model"] == 1 and jobs["render_report"] == 1
    batches = {rule: count for rule, count in jobs.items() if rule.startswith("evaluate_tasks_")}
    assert batches == {f"evaluate_tasks_{number}": 2 for number in range(1, 5)} and "evaluate_task" not in jobs
    assert jobs["fetch_task"] == 76  # lm-eval's tasks: three of the 79 are asked for with two numbers of shots
    assert jobs.get("synthesize_shard", 0) == (0 if preset.stem == "released-data" else 29)


def test_the_slurm_profile_is_understood(project):
    jobs = project.planned("--workflow-profile", "profiles/slurm")
    assert jobs["synthesize_shard"] == 4
