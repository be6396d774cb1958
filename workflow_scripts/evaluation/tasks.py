"""lm-eval's tasks: found by name, loaded with their data, and recorded with the revision of the data."""

import importlib.util
import re
import sys
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

OWN_TASKS = package_file("evaluation/lm_eval_tasks")
COMMIT_HASH = re.compile(r"[0-9a-f]{40}")


def folders(include_path: str | None) -> list[Path]:
    """The folders with task files, in order of precedence: the user's, the project's, lm-eval's."""
    spec = importlib.util.find_spec("lm_eval")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("lm_eval")
    built_in = Path(spec.submodule_search_locations[0]) / "tasks"
    return [*([Path(include_path)] if include_path else []), OWN_TASKS, built_in]


def task_file(name: str, places: list[Path]) -> Path | None:
    """The YAML file that defines a single task, or None for a group, a tag or an unknown name.

    This takes 1 s; lm-eval's index parses about 14,000 YAML files, which takes 15 s.
    """
    defines = re.compile(rb"""^["']?task["']?:\s*["']?""" + re.escape(name.encode()) + rb"""["']?\s*(?:#.*)?$""", re.M)
    for place in places:
        for path in sorted(place.rglob("*.yaml")):
            if defines.search(path.read_bytes()):
                return path
    return None


def task_manager(include_path: str | None, include_defaults: bool = True) -> Any:
    """lm-eval's TaskManager for all tasks, needed for groups, tags and unknown names."""
    from lm_eval.tasks import TaskManager

    places = [OWN_TASKS, *([Path(include_path)] if include_path else [])]
    return TaskManager(include_path=[str(path) for path in places], include_defaults=include_defaults)


def check_task(manager: Any, name: str) -> None:
    """UserError with the most similar names if lm-eval does not have the task."""
    if name in manager.all_tasks:
        return
    hint = suggest(name, manager.all_tasks, count=3)
    raise UserError(
        f"lm-eval has no task {name}; {hint} `lm_eval ls tasks` lists all. Set "
        "`evaluation.include_path` to the folder of your own task files."
    )


def load(name: str, include_path: str | None, revisions: dict[str, str]) -> dict[str, Any]:
    """Load a task, or the tasks of a group; returns the result of TaskManager.load: {tasks, groups, group_map}.

    `revisions` pins Hub datasets to commits. UserError if the task does not exist or its data cannot be loaded.
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
            loaded: dict[str, Any] = manager.load([spec])
            check_nltk(name)
            return loaded
        except UserError:
            raise
        except ImportError as error:  # code of the task, such as ifeval's checks
            raise UserError(
                f"task {name}: the Python package {error.name} that its code imports is not installed. Install it in the "
                "environment of the evaluation (envs/evaluation.yaml with `--sdm conda`)."
            ) from error
        except IndexError as error:  # lm-eval reads the first document when it loads a task
            raise UserError(
                f"task {name}: it has no documents to score. Check the split and filter of the task."
            ) from error
        except Exception as error:  # Hub, network, loader and task files raise many classes of errors
            message = " ".join(str(error).split())[:400].rstrip(".") or type(error).__name__
            raise UserError(
                f"task {name}: its data cannot be loaded: {message}. Check the network, HF_ENDPOINT, HF_TOKEN for a gated "
                "dataset, and the task file if it is your own."
            ) from error


def check_nltk(name: str) -> None:
    """UserError if lm-eval's ifeval was loaded without NLTK's data for sentences, which it tries to download.

    Otherwise the first document that needs them would fail, after hours of generation.
    """
    if not any(module.endswith("ifeval.instructions_util") for module in sys.modules):
        return
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError as error:
        raise UserError(
            f"task {name}: NLTK's data `punkt_tab` could not be downloaded. Fetch the task where the network is (`snakemake "
            "download`), or set NLTK_DATA to a folder with tokenizers/punkt_tab."
        ) from error


def _pinned(path: Path, revisions: dict[str, str]) -> Row:
    """The settings that pin the data of a task file to a commit; empty if `revisions` does not contain its dataset."""
    if not revisions:
        return {}
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(path, resolve_func=False)
    dataset = config.get("dataset_path")
    if dataset not in revisions:
        return {}
    return {"dataset_kwargs": {**(config.get("dataset_kwargs") or {}), "revision": revisions[dataset]}}


def record(task: Any) -> Row:
    """The record of a loaded task: dataset, config, revision, version, output type, documents per split."""
    return {
        "dataset": task.config.dataset_path,
        "config": task.config.dataset_name,
        "revision": revision(task),
        "version": task.VERSION,
        "output_type": task.OUTPUT_TYPE,
        "documents": {split: len(rows) for split, rows in task.dataset.items()},
    }


def revision(task: Any) -> str | None:
    """The commit of a Hub dataset, or the hash of local files; None if lm-eval generated the data."""
    local = sorted(_strings((task.config.dataset_kwargs or {}).get("data_files")))
    if local:
        return "sha256:" + "+".join(file_sha256(Path(name))[:16] for name in local if Path(name).is_file())
    files = [file["filename"] for split in task.dataset.values() for file in getattr(split, "cache_files", [])]
    # `datasets` caches a Hub dataset in a folder named after its commit.
    return next((name for name in Path(files[0]).parts[::-1] if COMMIT_HASH.fullmatch(name)), None) if files else None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def check_data(name: str, loaded: dict[str, Any], recorded: Row) -> None:
    """UserError if the data of a task differ from those fetched for this run."""
    for leaf, task in loaded["tasks"].items():
        current, fetched = record(task), recorded["tasks"].get(leaf)
        if fetched != current:
            raise UserError(
                f"task {name}: its data differ from those fetched for this run (revision {current['revision']}, fetched "
                f"{(fetched or {}).get('revision')}). Delete its file in `evaluation/tasks/` and run again."
            )
