"""Score one model on one or more lm-eval tasks with one load of the model; each result is lm-eval's own JSON."""

import argparse
import json
import logging
import math
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, file_sha256, not_finite, read_json, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import items, models, shots, tasks

# Keys of lm-eval's result that vary between runs and machines without effect on the score.
VOLATILE_KEYS = ("date", "pretty_env_info", "git_hash", "upper_git_hash", "samples")


def code() -> str:
    """A hash of the modules that produce a result."""
    return content_id(
        [file_sha256(Path(module.__file__ or "")) for module in (sys.modules[__name__], items, models, shots, tasks)]
    )


def evaluate(name: str, entry: Row, recorded: Row, model: Any, about: Row, settings: Row) -> tuple[Row, Any] | None:
    """lm-eval's result with the settings to reproduce it, and the table of items; None on all ranks but the first.

    Each task is scored in a separate call, so its batches, and the last digits of its scores, do not depend on the tasks
    that share the model. UserError if the data have changed, the number of shots is fixed by the task or exceeds the
    documents, or a number is not finite.
    """
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    loaded = tasks.load(entry["task"], settings["include_path"], settings["revisions"])
    tasks.check_data(name, loaded, recorded)
    guarded = shots.guard(name, loaded)
    if settings["batch_size"] == "auto" and hasattr(model, "batch_sizes"):
        model.batch_sizes = {}  # they were found for the lengths of the previous task
    result = simple_evaluate(
        model=model,
        model_args=about["model_args"],
        tasks=list(loaded["groups"].values())[:1] or list(loaded["tasks"].values()),
        num_fewshot=entry["shots"],
        batch_size=settings["batch_size"],
        limit=settings["limit"],
        device=about["device"],
        apply_chat_template=settings["apply_chat_template"],
        fewshot_as_multiturn=settings["fewshot_as_multiturn"],
        system_instruction=settings["system_instruction"],
        gen_kwargs=settings["gen_kwargs"] or None,
        log_samples=True,
        task_manager=TaskManager(include_defaults=False),  # the tasks are loaded already
    )
    if result is None:
        return None
    for leaf, count in result["n-shot"].items():
        if entry["shots"] is not None and leaf in loaded["tasks"] and count != entry["shots"]:
            raise UserError(f"task {name}: lm-eval fixes {leaf} at {count} shots. Set that number.")
    table = items.table(result["samples"])
    check_finite(name, result["results"], table)
    replaced = {leaf: guard.replaced for leaf, guard in guarded.items() if guard.replaced}
    return {
        **{key: value for key, value in result.items() if key not in VOLATILE_KEYS},
        "capybara": about | recorded | {"replaced_shots": replaced},
    }, table


def check_finite(name: str, results: Row, table: Any) -> None:
    """UserError unless all log-likelihoods and scores are finite; a standard error that is not is replaced by N/A."""
    rows = table["loglikelihoods"].to_pylist()
    if damaged := sum(not all(map(math.isfinite, values)) for values in rows):
        raise UserError(
            f"task {name}: the log-likelihoods of {damaged} of {len(rows)} documents are not finite. The model's weights are "
            "damaged, or `evaluation.dtype` is too narrow for them. Set it to bfloat16 or float32, or train the model again."
        )
    for values in results.values():
        values |= {key: "N/A" for key, value in values.items() if "_stderr" in key and not_finite(value)}
    if place := not_finite(results):
        raise UserError(f"task {name}: the score {place}, which is not a finite number. Check the task's metric.")


def main(argv: list[str] | None = None) -> None:
    """Write the result and the items of every task; finished tasks are kept if a later one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the model in this run")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--adapter", type=Path, help="folder of an adapter to apply to the model, unmerged")
    parser.add_argument("--entries", required=True, type=json.loads, help="{name: {task, shots}} as JSON")
    parser.add_argument("--records", required=True, type=Path, nargs="+", help="records of fetch_task")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation` of the config, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument(
        "--finished", required=True, type=Path, help="folder of finished tasks; kept when the job fails"
    )
    parser.add_argument("--results", required=True, type=Path, nargs="+", help="JSON files to write, <entry>.json")
    parser.add_argument(
        "--tables", required=True, type=Path, nargs="+", help="parquet files to write, in the same order"
    )
    args = parser.parse_args(argv)

    settings = args.settings
    models.check_folder(args.model, args.adapter)
    if settings["apply_chat_template"]:
        models.check_template(args.adapter or args.model, args.name)
    records = {record["task"]: record for record in map(read_json, args.records)}
    versions = {package: version(package) for package in ("lm_eval", "torch", "transformers")}
    versioned = [settings, models.fingerprint(args.model, args.adapter), code(), versions]
    kept = {
        name: args.finished / f"{name}-{content_id(versioned, entry, records[entry['task']])}"
        for name, entry in args.entries.items()
    }
    todo = [name for name, folder in kept.items() if not (folder / "result.json").is_file()]
    failed = score(args, todo, records, kept) if todo else []
    if int(os.environ.get("RANK", "0")):
        return
    if failed:
        finished = len(kept) - len(failed)
        done = f" {finished} finished task{'s are' if finished > 1 else ' is'} kept." if finished else ""
        raise UserError(
            f"{failed[0]}{done}" if len(failed) == 1 else f"{len(failed)} tasks failed: {'; '.join(failed)}{done}"
        )
    for result, table in zip(args.results, args.tables, strict=True):
        result.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept[result.stem] / "items.parquet", table)
        shutil.copyfile(kept[result.stem] / "result.json", result)


def score(args: argparse.Namespace, todo: list[str], records: dict[str, Row], kept: dict[str, Path]) -> list[str]:
    """Score the unfinished tasks, each into its folder of `kept`; returns the messages of the failed tasks."""
    import torch
    import transformers
    from lm_eval.utils import handle_non_serializable

    torch.set_num_threads(args.threads)
    settings = args.settings
    arguments = models.model_args(args.model, args.adapter, settings)
    about = {
        "backend": settings["backend"],
        "model_args": arguments,
        "device": models.device(settings),
        "adapter": "unmerged" if args.adapter else None,
        "chat_template": settings["apply_chat_template"],
        "threads": args.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    model = models.start(arguments, settings)
    failed = []
    for name in todo:
        entry = args.entries[name]
        try:
            scored = evaluate(name, entry, records[entry["task"]], model, about, settings)
        except UserError as error:
            failed.append(str(error).rstrip("."))
            logging.error("%s", error)
            continue
        except Exception as error:  # of lm-eval, the task's own code or the backend; the other tasks are scored
            failed.append(f"task {name}: {type(error).__name__}: {' '.join(str(error).split())[:400]}")
            logging.exception("task %s failed", name)
            continue
        if scored is None:
            continue
        result, table = scored
        kept[name].mkdir(parents=True, exist_ok=True)
        pq.write_table(table, kept[name] / "items.parquet", compression="zstd")
        text = json.dumps(result, indent=1, default=handle_non_serializable, ensure_ascii=False, allow_nan=False)
        write_text(kept[name] / "result.json", text + "\n")  # last: it marks the task as finished
        logging.info("%s: %s", name, result["results"])
    return failed


if __name__ == "__main__":
    run(main)
