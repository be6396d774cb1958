"""Every rule in the environment that its `conda:` file describes, and in nothing else; or in one image for all."""

import os
import shutil
from pathlib import Path

import pytest

from tests.workflow.test_faults import served
from tests.workflow.tiny_run import RESULTS, configure_all

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]


def first(folder: Path) -> str:
    """PATH with that folder before all others."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(
    not os.environ.get("TEST_ENVIRONMENTS"),
    reason="builds every environment, gigabytes of them: set TEST_ENVIRONMENTS=1",
)
def test_each_environment_is_enough_for_its_rules(project, tmp_path_factory, monkeypatch):
    if shutil.which("conda") is None:
        monkeypatch.setenv("PATH", first(TESTS / "conda_standin" / "bin"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with served(tmp_path_factory.mktemp("server"), "--delay", "0.02") as server:
        # With embeddings, so that the labels' environment is used as well.
        words = configure_all(
            project, server.base_url, seeds={"deduplication": {"semantic": 0.07}, "labels": {"by": "classifier"}}
        )
        printed = project.run(*words, "--sdm", "conda")
    built = list((project.folder / ".snakemake" / "conda").glob("*_/"))
    assert len(built) == len(list(Path("envs").glob("*.yaml")))
    assert (project.folder / RESULTS / "report" / "index.html").is_file(), printed


def test_every_job_runs_in_the_image(project, monkeypatch):
    """Through a stand-in, which tells what snakemake asks of apptainer; the image itself is not built here."""
    monkeypatch.setenv("PATH", first(TESTS / "apptainer_standin"))
    words = configure_all(project, "http://127.0.0.1:9/v1")
    seeds = str(RESULTS / "seeds" / "data.jsonl")
    jobs = project.planned(*words, "--", seeds)
    printed = project.run(*words, "--sdm", "apptainer", "--", seeds)
    assert (project.folder / "images").read_text().splitlines() == ["capybara.sif"] * sum(jobs.values())
    assert "Done. Look at" not in printed  # there is no report yet
