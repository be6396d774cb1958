"""FLASK's grid of skills, domains and levels of difficulty, from `flask.yaml`."""

from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.yaml_files import read_yaml

FILE = package_file("seeds/labels/flask.yaml")
SKILLS = 3  # per seed, as in FLASK


@dataclass(frozen=True)
class Label:
    """A label: its name in FLASK's spelling, our one-sentence definition, and our examples."""

    name: str
    meaning: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """12 skills, 10 domains, and 5 levels of difficulty, easiest first (FLASK, arXiv 2307.10928)."""

    skills: tuple[Label, ...]
    domains: tuple[Label, ...]
    difficulties: tuple[Label, ...]


def names(labels: tuple[Label, ...]) -> list[str]:
    """The names of the labels, in the order of the grid."""
    return [label.name for label in labels]


def load_grid(path: Path = FILE) -> Grid:
    """The grid. Raises KeyError or TypeError if the file has another structure."""
    content = read_yaml(path)
    return Grid(
        **{
            axis: tuple(Label(entry["name"], entry["meaning"], tuple(entry["examples"])) for entry in entries)
            for axis, entries in content.items()
        }
    )
