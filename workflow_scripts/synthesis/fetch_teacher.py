"""Download the teacher from the Hub into the local Hub cache, because the jobs that serve it run offline."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.model_download import download
from workflow_scripts.common.rows import write_json


def main(argv: list[str] | None = None) -> None:
    """Write {model, commit} of the downloaded snapshot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="`model` and `revision`, as JSON")
    parser.add_argument("--record", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    # The folders of the Hub cache are named by commit.
    commit = Path(download(args.settings["model"], args.settings["revision"], None)).name
    write_json(args.record, {"model": args.settings["model"], "commit": commit})
    logging.info("teacher %s at commit %s", args.settings["model"], commit)


if __name__ == "__main__":
    run(main)
