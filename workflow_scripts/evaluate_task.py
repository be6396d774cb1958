"""Score one model on one lm-eval task; the result is lm-eval's own JSON."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_text
from workflow_scripts.evaluation.tasks import check_task, task_manager


def main(argv: list[str] | None = None) -> None:
    """Write lm-eval's results, configurations and versions for the task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--task", required=True, help="lm-eval's name of the task")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="the task's entry and `evaluation` of the config, as JSON"
    )
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--result", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    import torch
    from lm_eval import simple_evaluate
    from lm_eval.utils import handle_non_serializable

    torch.set_num_threads(args.threads)
    settings = args.settings
    manager = task_manager(settings.get("include_path"))
    check_task(manager, args.task)
    if not (args.model / "config.json").is_file():
        raise UserError(f"{args.model}: no config.json, so no model to score. Delete the folder and run again.")
    results = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(args.model), "dtype": settings["dtype"]},
        tasks=[args.task],
        num_fewshot=settings.get("num_fewshot"),
        batch_size=settings["batch_size"],
        limit=settings.get("limit"),
        device="cuda" if torch.cuda.is_available() else "cpu",
        apply_chat_template=settings["apply_chat_template"],
        task_manager=manager,
        log_samples=False,
    )
    if results is None:  # lm-eval returns nothing on the other ranks of a distributed run
        return
    # Seconds and paths of this machine stay out of `results`; the rest is lm-eval's, unchanged.
    write_text(args.result, json.dumps(results, indent=1, default=handle_non_serializable, ensure_ascii=False) + "\n")
    logging.info("%s", results["results"])


if __name__ == "__main__":
    run(main)
