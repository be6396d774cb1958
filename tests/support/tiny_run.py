"""A whole run in seconds: every stage, with a scripted teacher and a random base model of a few thousand weights.

For tests of how jobs run, stop and resume, where the texts do not matter.
"""

from pathlib import Path

import yaml

from tests.support.runs import Project, configure
from tests.support.tiny_training import make_base

RESULTS = Path("results/mine")


def configure_all(project: Project, base_url: str, **changed: dict) -> list[str]:
    """Options of snakemake for a whole run with the teacher at `base_url`; `changed` sections are laid over it."""
    words = configure(project, base_url, shard_size=10)
    if not (project.folder / "base").is_dir():
        make_base(project.folder)
    own = yaml.safe_load((project.folder / "mine.yaml").read_text())
    own["seeds"]["limit"] = 20
    own["synthesis"]["exchanges"] = [{"count": 2, "weight": 1}]
    own |= {
        "decontamination": {"benchmarks": ["pocket_science"]},
        "dataset": {"test_fraction": 0.2},
        "training": {
            "base": {"model": "./base", "revision": None},
            "max_length": 256,
            "global_batch_size": 4,
            "save_steps": 1,
        },
        "evaluation": {
            "suites": [],
            "tasks": ["pocket_science"],
            "peers": {"smollm2-instruct": {"model": "./base", "revision": None, "template": "user_assistant"}},
            "limit": 4,
            "output_tokens": 4,
        },
    }
    for section, values in changed.items():
        own[section] = own.get(section, {}) | values
    (project.folder / "mine.yaml").write_text(yaml.safe_dump(own))
    return words
