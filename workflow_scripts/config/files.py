"""Configuration files: `extends` resolved, merged in order. Snakemake and the `capybara` command both read them here."""

from collections.abc import Sequence
from pathlib import Path

from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml

DEFAULT = Path("config.yaml")


def read_file(path: Path) -> Config:
    """One configuration file. UserError if it is missing or not a YAML mapping."""
    try:
        content = read_yaml(path) or {}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; {_advice(path)}") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise UserError(f"{path}: not a file. Name a YAML file.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping of keys to values. Fix the file.")
    return content


def _advice(path: Path) -> str:
    """What to do about a file that does not exist."""
    if path == DEFAULT:
        return "run the command in the folder of the workflow."
    there = sorted(map(str, path.parent.glob("*.yaml")))
    return suggest(str(path), there) if there else "fix the path."


def with_extended(overlays: Sequence[Path]) -> list[Path]:
    """The files to merge, in order: every overlay is preceded by the file that it `extends`, and that by its own.

    A file that is also given explicitly, or extended twice, is read once, at its first place. UserError for a cycle.
    """
    files: list[Path] = []

    def add(path: Path, extended_by: tuple[Path, ...]) -> None:
        if any(_same(path, other) for other in extended_by):
            chain = " → ".join(map(str, (*extended_by, path)))
            raise UserError(f"{path}: extends itself ({chain}). Delete one `extends:`.")
        base = read_file(path).get("extends")
        if isinstance(base, str):  # any other value is an error of the schema
            add(_location(base, path), (*extended_by, path))
        if not any(_same(path, other) for other in files):
            files.append(path)

    for overlay in overlays:
        add(overlay, ())
    return files


def _same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve()


def _location(base: str, path: Path) -> Path:
    """The file that `path` extends: relative to the working directory, like all paths of a configuration, or to `path`."""
    neighbour = path.parent / base
    return neighbour if neighbour.is_file() and not Path(base).is_file() else Path(base)


def merged_config(overlays: Sequence[Path], default: Path = DEFAULT) -> Config:
    """`default`, the overlays and what they extend, merged as Snakemake does: mappings key by key, lists as a whole."""
    config: Config = {}
    for path in (default, *with_extended(overlays)):
        update_config(config, read_file(path))
    return config
