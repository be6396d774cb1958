"""Every rule in the environment of its `conda:` file and nothing else; or in one image for all."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.runs import environment
from tests.support.tiny_run import RESULTS, configure_all
from tests.support.tiny_training import make_base
from workflow_scripts.teacher.servers import vllm_command

pytestmark = pytest.mark.slow

SUPPORT = Path(__file__).parents[1] / "support"
FILES = {path.stem for path in Path("envs").glob("*.yaml")}

builds = pytest.mark.skipif(
    not os.environ.get("TEST_ENVIRONMENTS"),
    reason="builds every environment, gigabytes of them: set TEST_ENVIRONMENTS=1",
)


def first(folder: Path) -> str:
    """PATH with that folder before all others."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def conda(monkeypatch):
    """Conda, or its stand-in."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if shutil.which("conda") is None:
        monkeypatch.setenv("PATH", first(SUPPORT / "conda_standin" / "bin"))


@builds
def test_each_environment_is_enough_for_its_rules(project, conda):
    """The pocket run, each job in the environment of its rule."""
    printed = project.run("--sdm", "conda")
    built = list((project.folder / ".snakemake" / "conda").glob("*_/"))
    assert len(built) == len(FILES - {"vllm"})
    jobs = len(re.findall(r"^Finished jobid: (?!.*Rule: (?:all|download)\b)", printed, re.MULTILINE))
    assert printed.count("Activating conda environment") >= jobs > 80
    assert (project.folder / "results" / "pocket" / "report" / "index.html").is_file()


# vLLM detects the device before it parses options, so a device is set first.
VLLM_SPEAKS = """
import sys
import vllm.platforms
from vllm.platforms.cpu import CpuPlatform
vllm.platforms._current_platform = CpuPlatform()
import lm_eval.models.vllm_causallms
from vllm.entrypoints.common.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
from workflow_scripts.evaluation import evaluate_task, judge_answers
from workflow_scripts.seeds import label_seeds
from workflow_scripts.synthesis import synthesize_shard
read = make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:])
print(read.model_tag, read.uds, read.max_model_len, read.tensor_parallel_size, read.revision)
"""


@builds
def test_vllms_environment(tmp_path, conda):
    """Its pins are compatible, the jobs' code and lm-eval's backend import, and `vllm serve` parses our options."""
    subprocess.run(["conda", "env", "create", "--file", "envs/vllm.yaml", "--prefix", str(tmp_path)], check=True)
    settings = yaml.safe_load(Path("config.yaml").read_text())["teacher"] | {"model": "some/teacher", "revision": "4c1"}
    _, _, *words = vllm_command("vllm", settings, Path("/tmp/a/socket"))
    done = subprocess.run(
        [tmp_path / "bin" / "python", "-c", VLLM_SPEAKS, *words], capture_output=True, text=True, env=environment()
    )
    assert done.stdout.splitlines()[-1:] == ["some/teacher /tmp/a/socket 2048 1 4c1"], done.stderr


@pytest.mark.parametrize(
    ("own", "target", "environments"),
    [
        ({}, "all", FILES - {"vllm"}),
        ({"teacher": {"kind": "vllm", "model": "./base"}}, "all", FILES - {"teacher"}),
        (
            {"evaluation": {"backend": "vllm"}},
            "evaluation/base/pocket_science.json",
            {"vllm", "evaluation", "training"},
        ),
        (
            {"teacher": {"kind": "vllm", "model": "./base"}, "seeds": {"labels": {"by": "teacher"}}},
            "seeds/labelled.parquet",
            {"vllm", "labels", "data"},  # `labels` for the embeddings
        ),
    ],
    ids=["llama.cpp", "teacher", "scores", "labels"],
)
def test_what_starts_vllm_has_its_environment(project, conda, own, target, environments):
    make_base(project.folder)
    (project.folder / "mine.yaml").write_text(yaml.safe_dump({"run": "mine", **own}))
    target = target if target == "all" else str(RESULTS / target)
    printed = project.run("--dry-run", "--configfile", "mine.yaml", "--sdm", "conda", "--", target)
    assert (
        set(re.findall(r"^Conda environment envs/(\w+)\.yaml will be created", printed, re.MULTILINE)) == environments
    )


def test_every_job_runs_in_the_image(project, monkeypatch):
    """Through a stand-in that records the calls of apptainer; the image itself is not built."""
    monkeypatch.setenv("PATH", first(SUPPORT / "apptainer_standin"))
    words = configure_all(project, "http://127.0.0.1:9/v1")
    seeds = str(RESULTS / "seeds" / "data.jsonl")
    jobs = project.planned(*words, "--", seeds)
    printed = project.run(*words, "--sdm", "apptainer", "--", seeds)
    assert (project.folder / "images").read_text().splitlines() == ["capybara.sif"] * sum(jobs.values())
    assert "Done. Report:" not in printed  # there is no report yet
