"""lm-eval's tasks: found by name, loaded with their data, and recorded with the revision that the data have."""

import importlib.util
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Row

OWN = package_file("evaluation/lm_eval_tasks")
COMMIT = re.compile(r"[0-9a-f]{40}")


def folders(include_path: str | None) -> list[Path]:
    """Where tasks are looked for, in this order: the user's, the project's, lm-eval's own."""
    built_in = importlib.util.find_spec("lm_eval").submodule_search_locations[0]
    return [*([Path(include_path)] if include_path else []), OWN, Path(built_in) / "tasks"]


def task_file(name: str, places: list[Path]) -> Path | None:
    """The YAML file that defines a single task, None for groups and tags.

    lm-eval's index reads some fourteen thousand files as YAML, which takes a quarter of a minute; this takes a second.
    """
    defines = re.compile(rb"""^["']?task["']?:\s*["']?""" + re.escape(name.encode()) + rb"""["']?\s*(?:#.*)?$""", re.M)
    for place in places:
        for path in sorted(place.rglob("*.yaml")):
            if defines.search(path.read_bytes()):
                return path
    return None


def task_manager(include_path: str | None, include_defaults: bool = True) -> Any:
    """lm-eval's TaskManager over all tasks: needed for groups, tags and for names that do not exist."""
    from lm_eval.tasks import TaskManager

    places = [OWN, *([Path(include_path)] if include_path else [])]
    return TaskManager(include_path=[str(path) for path in places], include_defaults=include_defaults)


def check_task(manager: Any, name: str) -> None:
    """UserError with the nearest names if lm-eval knows no such task."""
    if name in manager.all_tasks:
        return
    hint = suggest(name, manager.all_tasks, count=3)
    raise UserError(
        f"lm-eval has no task {name}; {hint} `lm_eval ls tasks` lists them; your own belong into `evaluation.include_path`."
    )


def load(name: str, include_path: str | None, revisions: dict[str, str]) -> dict[str, Any]:
    """lm-eval's tasks by their names: one, or those of a group. What TaskManager.load gives: {tasks, groups, group_map}.

    `revisions` pins hub datasets to commits. UserError if there is no such task, or its data cannot be had.
    """
    from lm_eval.tasks import TaskManager

    path = task_file(name, folders(include_path))
    if path is None:
        manager = task_manager(include_path)
        check_task(manager, name)
        spec = name
    else:
        manager, spec = TaskManager(include_defaults=False), str(path)
    with tempfile.TemporaryDirectory() as folder:
        if path is not None and (pinned := _pinned(path, revisions)):
            spec = str(Path(folder) / f"{name}.yaml")
            Path(spec).write_text(yaml.safe_dump({"include": str(path.resolve()), "task": name, **pinned}), "utf-8")
        try:
            return manager.load([spec])
        except UserError:
            raise
        except IndexError as error:  # lm-eval looks at a task's first document when it loads the task
            raise UserError(f"task {name}: no document is left to score. Check the task's split and filter.") from error
        except Exception as error:  # one message for what hub, network, loader and task files may raise
            words = " ".join(str(error).split())[:400].rstrip(".") or type(error).__name__
            raise UserError(
                f"task {name}: its data cannot be loaded: {words}. Check the network, HF_ENDPOINT, HF_TOKEN for a gated "
                "dataset, and the task file if it is yours."
            ) from error


def _pinned(path: Path, revisions: dict[str, str]) -> Row:
    """What a task file is given beside its own content, so that its data come at a commit."""
    if not revisions:
        return {}
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(path, resolve_func=False)
    dataset = config.get("dataset_path")
    if dataset not in revisions:
        return {}
    return {"dataset_kwargs": {**(config.get("dataset_kwargs") or {}), "revision": revisions[dataset]}}


def record(task: Any) -> Row:
    """What exactly a loaded task evaluates: data set, config, revision, splits with their documents, version."""
    return {
        "dataset": task.config.dataset_path,
        "config": task.config.dataset_name,
        "revision": revision(task),
        "version": task.VERSION,
        "output_type": task.OUTPUT_TYPE,
        "documents": {split: len(rows) for split, rows in task.dataset.items()},
    }


def revision(task: Any) -> str | None:
    """The commit of a hub dataset, or the hash of local files; None where lm-eval generated the data itself."""
    local = sorted(_strings((task.config.dataset_kwargs or {}).get("data_files")))
    if local:
        return "sha256:" + "+".join(file_sha256(Path(name))[:16] for name in local if Path(name).is_file())
    files = [file["filename"] for split in task.dataset.values() for file in getattr(split, "cache_files", [])]
    # `datasets` keeps a hub dataset in a folder named by its commit.
    return next((name for name in Path(files[0]).parts[::-1] if COMMIT.fullmatch(name)), None) if files else None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def check_data(name: str, loaded: dict[str, Any], recorded: Row) -> None:
    """UserError if a task's data are not those that were fetched for this run."""
    for leaf, task in loaded["tasks"].items():
        now, then = record(task), recorded["tasks"].get(leaf)
        if then != now:
            raise UserError(
                f"task {name}: its data are not those that were fetched for this run (revision {now['revision']}, then "
                f"{(then or {}).get('revision')}). Delete its file in `evaluation/tasks/` and run again."
            )
