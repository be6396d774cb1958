"""Dry runs: the graphs of presets and profiles."""

import re
from pathlib import Path

import pytest
import yaml


@pytest.mark.parametrize("preset", ["capybara-7b-v1", "released-data"])  # the others differ from V1 in numbers
def test_a_preset_prints_its_whole_graph(project, preset):
    jobs = project.planned("--configfile", f"presets/{preset}.yaml")
    assert jobs["train_model"] == 1 and jobs["render_report"] == 1
    batches = {rule: count for rule, count in jobs.items() if rule.startswith("evaluate_tasks_")}
    # The base model, the trained one, and the peers of V1.
    assert batches == {f"evaluate_tasks_{number}": 4 for number in range(1, 6)}
    assert jobs["fetch_peer"] == 2 and "evaluate_task" not in jobs
    assert jobs["fetch_task"] == 92  # lm-eval's tasks: three of the 95 entries differ in the number of shots only
    assert jobs.get("synthesize_shard", 0) == (0 if preset == "released-data" else 42)


EVERYTHING = {
    "decontamination": {"shards": 3, "rephrased": {"by": "similarity"}},
    "training": {"models": {"capybara": {}, "seeds-only": {"data": "first_exchange"}}},
    "evaluation": {"tasks": ["humaneval"], "execute_code": True, "multi_turn": {"questions": "questions.jsonl"}},
    "release": {"gguf_converter": "python convert_hf_to_gguf.py"},
}


@pytest.mark.parametrize(
    ("files", "own"),
    [([], EVERYTHING), (["presets/released-data.yaml"], {})],
    ids=["everything on", "released data"],
)
def test_the_targets_name_a_file_of_every_job(project, files, own):
    """Otherwise Snakemake would not replace the missing outputs of a job that failed in a rerun."""
    (project.folder / "questions.jsonl").write_text('{"id": "1", "turns": ["Why?", "And then?"]}\n')
    (project.folder / "mine.yaml").write_text(yaml.safe_dump({"run": "mine", **own}))
    printed = project.run("--forceall", "--dag", "--configfile", *files, "mine.yaml")
    jobs = dict(re.findall(r'^\s*(\d+)\[label = "([^"\\]+)', printed, re.MULTILINE))
    (last,) = (number for number, name in jobs.items() if name == "all")
    asked = set(re.findall(rf"^\s*(\d+) -> {last}$", printed, re.MULTILINE))
    assert len(asked) > 30 and {name for number, name in jobs.items() if number not in asked} == {"all"}


STAGES = ["seeds", "synthesis", "verification", "conversations", "decontamination"]
STAGES += ["dataset", "training", "evaluation", "report", "release"]
INDEX_RULES = {"fetch_benchmark", "index_benchmarks"}


def test_each_stage_is_a_target(project):
    """`snakemake STAGE` plans the jobs of that stage and of the stages it needs; all targets together are the run."""
    printed = project.run("--forceall", "--dag", "--", "all", *STAGES)
    rules = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', printed, re.MULTILINE))
    needs: dict[str, set[str]] = {}
    for needed, job in re.findall(r"^\s*(\d+) -> (\d+)$", printed, re.MULTILINE):
        needs.setdefault(job, set()).add(needed)
    modules = {path.stem: path.parent.name for path in Path("workflow_scripts").glob("*/*.py")}
    (run,) = (job for job, rule in rules.items() if rule == "all")
    for number, stage in enumerate(STAGES):
        (target,) = (job for job, rule in rules.items() if rule == stage)
        jobs, todo = set(), [target]
        while todo:
            todo += needs.get(job := todo.pop(), set()) - jobs
            jobs.add(job)
        # The seeds are searched with the index of the benchmarks, before the stage that searches the conversations.
        stages = {
            modules[rules[job]]
            for job in jobs - {target}
            if rules[job] not in INDEX_RULES or stage == "decontamination"
        }
        assert stage in stages and not set(STAGES[number + 1 :]) & stages
        assert needs[target] <= needs[run]
    assert needs[run] == set(rules) - {run, *(job for job, rule in rules.items() if rule in STAGES)}


@pytest.mark.parametrize(
    "profile", sorted(path.name for path in Path("profiles").iterdir() if (path / "profile.v9+.yaml").is_file())
)
def test_every_profile_has_the_defaults_of_rules(project, profile):
    """Memory and runtime of a rule without `resources:`."""
    content = yaml.safe_load(Path("profiles", profile, "profile.v9+.yaml").read_text())
    defaults = dict(entry.split("=") for entry in content["default-resources"])
    assert defaults["mem_mb"] == "4000" and defaults["runtime"] == "60"
    printed = project.run(
        "-n",
        "--quiet",
        "host",
        "--workflow-profile",
        f"profiles/{profile}",
        "--",
        "results/pocket/seeds/adapted/dove.parquet",
    )
    assert "mem_mb=4000" in printed and "runtime=60" in printed


def test_an_overlay_extends_a_preset_by_itself(project):
    """The 13B preset alone plans the same jobs as after the file that it extends."""
    alone = project.planned("--configfile", "presets/capybara-13b.yaml")
    assert alone == project.planned("--configfile", "presets/capybara-7b-v1.yaml", "presets/capybara-13b.yaml")
