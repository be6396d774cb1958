"""Configuration files: `extends` resolved, merged in order. Snakemake and the `capybara` command both read them here."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config

DEFAULT = Path("config.yaml")


def read_file(path: Path) -> Config:
    """One configuration file. UserError if it is missing or not a YAML mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file.") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping of keys to values.")
    return content


def with_extended(overlays: Sequence[Path]) -> list[Path]:
    """The files to merge, in order: every overlay is preceded by the file that it `extends`, and that by its own.

    A file that was given explicitly or is extended twice is read once, at its first place. UserError for a cycle.
    """
    files: list[Path] = []

    def add(path: Path, extended_by: tuple[Path, ...]) -> None:
        if path in extended_by:
            raise UserError(f"{path}: extends itself by way of {', '.join(map(str, extended_by))}. Remove one `extends:`.")
        if base := read_file(path).get("extends"):
            add(_place(base, path), (*extended_by, path))
        if path not in files:
            files.append(path)

    for overlay in overlays:
        add(overlay, ())
    return files


def _place(base: str, path: Path) -> Path:
    """`extends` names a file relative to the working directory, as all paths of a configuration, or next to the overlay."""
    beside = path.parent / base
    return Path(base) if Path(base).is_file() or not beside.is_file() else beside


def merged_config(overlays: Sequence[Path], default: Path = DEFAULT) -> Config:
    """The configuration as Snakemake merges it: mappings key by key, lists as a whole."""
    config: Config = {}
    for path in (default, *with_extended(overlays)):
        update_config(config, read_file(path))
    return config
