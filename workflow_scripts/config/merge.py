"""The configuration outside Snakemake, for commands that tell what a run would take."""

from pathlib import Path

import yaml
from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import Row


def merged_config(overlays: list[Path], base: Path = Path("config.yaml")) -> Row:
    """The configuration as Snakemake merges it: mappings key by key, lists as a whole."""
    config: Row = {}
    for path in (base, *overlays):
        try:
            update_config(config, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file.") from error
        except yaml.YAMLError as error:
            raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from error
    return config
