"""Task names are checked against lm-eval, without its thousands of built-in tasks for speed."""

import sys

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation.tasks import OWN_TASKS, _pinned, check_nltk, check_task, folders, load, task_file


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("tasks")
    for name in ("stones_easy", "gems_hard"):
        (folder / f"{name}.yaml").write_text(f"task: {name}\ndataset_path: json\noutput_type: multiple_choice\n")
    return TaskManager(include_path=str(folder), include_defaults=False)


def test_a_task_that_exists_is_accepted(manager):
    check_task(manager, "stones_easy")


def test_a_misspelt_task_name_gets_a_suggestion(manager):
    with pytest.raises(UserError, match=r"no task stone_easy; did you mean `stones_easy`\?.*include_path"):
        check_task(manager, "stone_easy")


def test_an_unknown_task_lists_the_known_ones(manager):
    with pytest.raises(UserError, match=r"no task mmlu; known here: .*`lm_eval ls tasks`"):
        check_task(manager, "mmlu")


def test_a_task_is_found_by_its_file_and_the_users_file_comes_first(tmp_path):
    assert task_file("humaneval_completions", folders(None)) == OWN_TASKS / "humaneval_completions.yaml"
    assert task_file("piqa", folders(None)).name == "piqa.yaml"
    assert task_file("mmlu", folders(None)) is None, "a group has no task file"
    (tmp_path / "mine.yaml").write_text("task: piqa\n")
    assert task_file("piqa", folders(str(tmp_path))) == tmp_path / "mine.yaml"


def test_a_dataset_is_pinned_to_a_commit():
    path = OWN_TASKS / "humaneval_completions.yaml"
    assert _pinned(path, {"openai/openai_humaneval": "c0ffee"}) == {"dataset_kwargs": {"revision": "c0ffee"}}
    assert _pinned(path, {"baber/piqa": "c0ffee"}) == {}


def task_with_code(folder, code):
    """A task whose YAML file runs a function of a Python file."""
    (folder / "checks.py").write_text(code)
    (folder / "mine.yaml").write_text(
        "task: mine\ndataset_path: json\noutput_type: multiple_choice\nprocess_docs: !function checks.process\n"
    )
    return folder


def test_a_missing_package_is_not_reported_as_a_network_problem(tmp_path):
    folder = task_with_code(tmp_path, "import no_such_package_anywhere\n\ndef process(rows):\n    return rows\n")
    with pytest.raises(UserError, match="the Python package no_such_package_anywhere that its code imports") as error:
        load("mine", str(folder), {})
    assert "network" not in str(error.value)


def test_ifeval_without_the_data_of_nltk_is_an_error_before_anything_is_generated(monkeypatch):
    import nltk

    monkeypatch.setitem(sys.modules, "lm_eval.tasks.ifeval.instructions_util", sys)
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(UserError, match="task ifeval: NLTK's data `punkt_tab` could not be downloaded"):
        check_nltk("ifeval")
