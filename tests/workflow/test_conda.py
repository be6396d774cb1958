"""Every rule in the environment that its `conda:` file describes, and in nothing else."""

import os
import shutil
from pathlib import Path

import pytest

from tests.workflow.test_faults import served
from tests.workflow.tiny_run import RESULTS, configure_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("TEST_ENVIRONMENTS"),
        reason="builds every environment, gigabytes of them: set TEST_ENVIRONMENTS=1",
    ),
]

STANDIN = Path(__file__).parents[1] / "conda_standin" / "bin"


def test_each_environment_is_enough_for_its_rules(project, tmp_path_factory, monkeypatch):
    if shutil.which("conda") is None:
        monkeypatch.setenv("PATH", f"{STANDIN}{os.pathsep}{os.environ['PATH']}")
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
