"""lm-eval tasks by name, with a clear word for one that does not exist."""

import difflib
from typing import Any

from workflow_scripts.common.errors import UserError


def task_manager(include_path: str | None) -> Any:
    """lm-eval's TaskManager, with the project's own or the user's tasks beside the built-in ones."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=include_path)


def check_task(manager: Any, name: str) -> None:
    """UserError with the nearest names if lm-eval knows no such task."""
    if name in manager.all_tasks:
        return
    near = difflib.get_close_matches(name, manager.all_tasks, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UserError(
        f"lm-eval has no task {name}.{hint} `lm_eval ls tasks` lists them; your own belong into `evaluation.include_path`."
    )
