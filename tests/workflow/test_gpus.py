"""GPUs that a start requests, against those that there are: refused before any job, printed by dry runs."""

import re
from pathlib import Path

import pytest
import yaml

from workflow_scripts.config.files import merged_config

PRESETS = sorted(path.stem for path in Path("presets").glob("*.yaml"))
TWO_GPUS = {
    "run": "mine",
    "training": {"resources": {"gpus": 2}, "launcher": "torchrun --nproc-per-node 2", "micro_batch_size": 1},
}


@pytest.fixture
def cards(tmp_path_factory, monkeypatch):
    """A function that gives the machine this number of GPUs; before, it has none."""
    tools = tmp_path_factory.mktemp("tools")
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def install(count):
        (tools / "nvidia-smi").write_text(
            "#!/bin/sh\n" + "".join(f"echo '{n}, GPU-{n}{n}{n}{n}'\n" for n in range(count))
        )
        (tools / "nvidia-smi").chmod(0o755)

    return install


def on_gpus(printed: str, module: str) -> set[str]:
    return set(re.findall(rf"common\.on_gpus (\d+) .* -m workflow_scripts\.{module}", printed))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_dry_run_prints_the_gpus_of_the_preset(project, cards, preset):
    path = f"presets/{preset}.yaml"
    config = merged_config([Path(path)])
    printed = project.run(
        "--dry-run", "--printshellcmds", "--quiet", "host", "--configfile", path, "--", "training", "evaluation"
    )
    gpus = {stage: config[stage]["resources"]["gpus"] for stage in ("training", "evaluation")}
    assert on_gpus(printed, "training.train_model") == {str(gpus["training"])}
    assert on_gpus(printed, "evaluation.evaluate_task") == {str(gpus["evaluation"])}
    assert f"training.resources.gpus ({gpus['training']})" in printed and "Found here: 0 GPUs" in printed


@pytest.mark.parametrize(
    ("count", "words", "found"),
    [
        (None, [], "0 (nvidia-smi is not installed; state the number of other GPUs with `--resources gpu=N`)"),
        (4, [], "4 (nvidia-smi, CUDA_VISIBLE_DEVICES)"),
        (8, ["--resources", "gpu=1"], "1 (`--resources gpu`)"),
        (None, ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", "false", "--jobs", "1", "--resources", "gpu=4"],
         "4 (`resources: [gpu=…]` of the profile)"),
    ],
    ids=["none", "fewer", "limited", "cluster"],
)  # fmt: skip
def test_more_gpus_than_there_are_is_refused_before_any_job(project, cards, count, words, found):
    if count is not None:
        cards(count)
    printed = project.run("--configfile", "presets/capybara-7b-v1.yaml", *words, check=False)
    assert re.search(
        r"presets/capybara-7b-v1.yaml, line \d+: training.resources.gpus: train_model requires 8 GPUs", printed
    )
    assert f"Found: {found}." in printed and "Traceback" not in printed
    assert not (project.folder / "results").exists(), "no job has started"


def test_stages_that_need_no_gpu_run_without_one(project, cards):
    (project.folder / "mine.yaml").write_text(yaml.safe_dump(TWO_GPUS))
    project.run("--configfile", "mine.yaml", "--", "results/mine/seeds/adapted/dove.parquet")
    assert "requires 2 GPUs" in project.run("--configfile", "mine.yaml", "--", "training", check=False)
