"""Command line options of the entry points that use a teacher."""

import argparse
import json
from pathlib import Path

from workflow_scripts.common.types import Config
from workflow_scripts.teacher.runtime_settings import runtime_settings


def add_teacher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --teacher, --threads and --teacher-folder. `args.teacher` then holds all settings of the teacher."""
    parser.add_argument(
        "--teacher",
        required=True,
        type=_teacher_settings,
        help="the keys of `teacher` in the config that affect answers, as JSON; {} if no teacher is needed",
    )
    parser.add_argument("--threads", required=True, type=int, help="CPU threads of a teacher that runs in this job")
    parser.add_argument(
        "--teacher-folder",
        required=True,
        type=Path,
        help="folder of stored answers (cache/) and logs of servers (servers/), shared by all jobs",
    )


def _teacher_settings(text: str) -> Config:
    settings: Config = json.loads(text)
    return settings | runtime_settings() if settings else settings
