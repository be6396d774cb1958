"""Download what an lm-eval task needs, so that scoring later runs without a network."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json
from workflow_scripts.evaluation.tasks import check_task, task_manager


def main(argv: list[str] | None = None) -> None:
    """Write the task's record: data set, config, splits with their number of documents, task version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="lm-eval's name of the task")
    parser.add_argument("--include-path", help="folder of further task files")
    parser.add_argument("--record", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    manager = task_manager(args.include_path)
    check_task(manager, args.task)
    try:
        loaded = manager.load([args.task])["tasks"]
    except Exception as error:  # one message for what hub, network and task files may raise
        raise UserError(
            f"task {args.task}: its data cannot be loaded: {error}. Check the network and HF_ENDPOINT."
        ) from error
    tasks = {
        name: {
            "dataset": task.config.dataset_path,
            "config": task.config.dataset_name,
            "version": task.VERSION,
            "documents": {split: len(rows) for split, rows in task.dataset.items()},
        }
        for name, task in loaded.items()
    }
    write_json(args.record, {"task": args.task, "tasks": tasks})
    logging.info("%s", tasks)


if __name__ == "__main__":
    run(main)
