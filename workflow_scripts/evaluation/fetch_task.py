"""Download the data of an lm-eval task, so that it can be scored offline."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import write_json
from workflow_scripts.evaluation.tasks import load, record


def main(argv: list[str] | None = None) -> None:
    """Write the record of a task: dataset, config, revision, documents per split, task version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="lm-eval's name of the task")
    parser.add_argument("--include-path", help="folder of additional task files")
    parser.add_argument("--revisions", type=json.loads, default={}, help="commits of hub datasets, as JSON")
    parser.add_argument("--record", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    loaded = load(args.task, args.include_path, args.revisions)
    tasks = {name: record(task) for name, task in loaded["tasks"].items()}
    write_json(args.record, {"task": args.task, "tasks": tasks})
    logging.info("%s", tasks)


if __name__ == "__main__":
    run(main)
