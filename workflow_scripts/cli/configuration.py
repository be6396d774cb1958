"""The configuration of the commands: `--configfile`, read and checked as Snakemake does."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config
from workflow_scripts.config.check import mistakes
from workflow_scripts.config.files import DEFAULT, merged_config, with_extended
from workflow_scripts.config.locations import with_locations


def configfile_option() -> argparse.ArgumentParser:
    """The option `--configfile`, for `parents=` of a parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="configuration files of the run, as for snakemake; default config.yaml alone",
    )
    return parser


def checked_configuration(overlays: Sequence[Path], created: tuple[str, ...] = ()) -> Config:
    """config.yaml, the overlays and what they extend, merged. UserError with all configuration errors.

    Errors of the keys in `created` are ignored: the command itself creates the files that they name. The teacher's key is
    not needed, because no command sends a request to the teacher.
    """
    config = merged_config(overlays)
    if errors := [line for line in mistakes(config, needs_key=False) if not line.startswith(created)]:
        files = [DEFAULT, *with_extended(overlays)]
        raise UserError("\n  ".join(["the configuration has errors:", *with_locations(errors, files)]))
    return config
