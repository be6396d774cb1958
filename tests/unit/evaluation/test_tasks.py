"""lm-eval's task names, checked against lm-eval itself (its thousands of built-in tasks left out, for speed)."""

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation.tasks import check_task


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("tasks")
    for name in ("stones_easy", "gems_hard"):
        (folder / f"{name}.yaml").write_text(f"task: {name}\ndataset_path: json\noutput_type: multiple_choice\n")
    return TaskManager(include_path=str(folder), include_defaults=False)


def test_a_task_that_exists(manager):
    check_task(manager, "stones_easy")


def test_a_misspelt_task_names_the_nearest(manager):
    with pytest.raises(
        UserError, match=r"no task stone_easy\. Did you mean stones_easy( or stones_hard)?\?.*include_path"
    ):
        check_task(manager, "stone_easy")


def test_an_unknown_task_says_where_to_look(manager):
    with pytest.raises(UserError, match=r"no task mmlu\. `lm_eval ls tasks`"):
        check_task(manager, "mmlu")
