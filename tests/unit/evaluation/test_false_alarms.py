"""Equal models are called different in at most 5 % of simulated evaluations, up to the error of the simulation."""

import numpy as np
import pytest

from workflow_scripts.evaluation.compare_models import adjust_p_values, compare_suites
from workflow_scripts.evaluation.judge import summary
from workflow_scripts.evaluation.paired import LEVEL, compare

RUNS = 200
MOST = LEVEL + 2.6 * (LEVEL * (1 - LEVEL) / RUNS) ** 0.5  # 99.5 % of the simulations of an exact test are below
TASKS = 4


def two_equal_models(rng, documents, binary=True):
    """Results of two models with the same chance on every document; documents differ in difficulty."""
    chance = rng.uniform(0.1, 0.9, documents)
    if binary:
        return (rng.random((2, documents)) < chance).astype(float)
    return chance + rng.normal(0, 0.2, (2, documents))


def suite_comparison(rng, documents, shared):
    """(row of its average, rows of the tasks) of a suite; its last two tasks have the same documents if `shared`."""
    tasks = [two_equal_models(rng, documents) for _ in range(TASKS)]
    if shared:
        tasks[-1] = tasks[-2]
    rows = [
        {"model": "capybara", "reference": "base", "asked": f"t{number}", "task": f"t{number}", "metric": "acc", "filter": "none",
         **compare(*task)}
        for number, task in enumerate(tasks)
    ]  # fmt: skip
    custom = {"metric": "acc", "average": ["mean"], "tasks": [row["task"] for row in rows]}
    custom |= {"same_questions": [["t2", "t3"]]} if shared else {}
    (row,) = compare_suites(rows, {"suites": ["s"], "custom": {"s": custom}}, [("base", "capybara")], {})
    return row, adjust_p_values(rows)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("documents", [20, 200])
def test_a_task(binary, documents):
    rng = np.random.default_rng(11)
    alarms = sum(compare(*two_equal_models(rng, documents, binary))["p"] < LEVEL for _ in range(RUNS))
    assert alarms / RUNS <= MOST


@pytest.mark.parametrize("shared", [False, True])
def test_a_suite(shared):
    rng = np.random.default_rng(12)
    found = [suite_comparison(rng, 60, shared) for _ in range(RUNS)]
    assert sum(row["beyond_noise"] for row, _ in found) / RUNS <= MOST
    # The adjusted p-values: any false alarm among the tasks.
    assert sum(any(task["beyond_noise"] for task in tasks) for _, tasks in found) / RUNS <= MOST


def test_tasks_with_the_same_questions_would_give_false_alarms_as_independent():
    rng = np.random.default_rng(13)
    alarms = 0
    for _ in range(RUNS):
        task = {"asked": "a", "task": "a", "metric": "acc", "filter": "none", **compare(*two_equal_models(rng, 60))}
        rows = [{"model": "capybara", "reference": "base", **task}, {"model": "capybara", "reference": "base", **task, "asked": "b", "task": "b"}]  # fmt: skip
        custom = {"s": {"metric": "acc", "average": ["mean"], "tasks": ["a", "b"]}}
        (row,) = compare_suites(rows, {"suites": ["s"], "custom": custom}, [("base", "capybara")], {})
        alarms += row["p"] < LEVEL
    assert alarms / RUNS > 2 * LEVEL


@pytest.mark.parametrize("turns", [2, 4])
def test_judged_questions(turns):
    """The turns of a question agree more often than not: pooled, they would be too many observations."""
    rng = np.random.default_rng(14)
    alarms = 0
    for _ in range(RUNS):
        verdicts = []
        for question in range(80):
            leaning = rng.random() < 0.5
            for turn in range(1, turns + 1):
                tuned = leaning if rng.random() < 0.8 else not leaning
                first, second = ("A", "B") if tuned else ("B", "A")
                verdicts.append(
                    {"id": str(question), "turn": turn, "tuned_first": first, "reference_first": second, "outcome": "win" if tuned else "loss"}
                )  # fmt: skip
        alarms += summary(verdicts)["p"] < LEVEL
    assert alarms / RUNS <= MOST
