"""The table of items, and its comparison between models by the content of the documents."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation.compare_models import (
    adjust_p_values,
    compare_items,
    compare_suites,
    flips,
    keep_means,
    model_pairs,
    pair_items,
)
from workflow_scripts.evaluation.items import FIXED, metrics_of, table


def sample(doc_id, doc_hash, right, filtered="none", **more):
    """One of lm-eval's samples of a multiple choice."""
    return {
        "doc_id": doc_id,
        "doc_hash": doc_hash,
        "doc": {"question": f"Q {doc_hash}"},
        "target": 1,
        "arguments": [(f"Q {doc_hash}", " a"), (f"Q {doc_hash}", " b")],
        "resps": [[(-2.0, False)], [(-1.0 if right else -3.0, right)]],
        "filter": filtered,
        "metrics": ["acc"],
        "acc": float(right),
        **more,
    }


def test_multiple_choices():
    items = table({"stones": [sample(1, "h1", False), sample(0, "h0", True)]})
    assert metrics_of(items.schema) == ["acc"]
    first, second = items.to_pylist()
    assert (first["doc_hash"], first["acc"], first["options"], first["loglikelihoods"]) == (
        "h0",
        1,
        [" a", " b"],
        [-2, -1],
    )
    assert (second["doc_hash"], second["acc"], second["outputs"]) == ("h1", 0, [])


def test_choices_that_differ_in_their_context():
    arguments = [("The cup because it", " fell"), ("The table because it", " fell")]
    (row,) = table({"w": [sample(0, "h", True, arguments=arguments)]}).to_pylist()
    assert row["options"] == ["The cup because it", "The table because it"]


def test_generations_with_two_filters():
    items = table(
        {
            "sums": [
                sample(0, "h", True, filtered, arguments=[("1 + 1 =", {"until": []})], resps=[[" 2"]], metrics=["exact_match"], exact_match=value)
                for filtered, value in (("strict", 0.0), ("flexible", 1.0))
            ]
        }
    )  # fmt: skip
    assert [(row["filter"], row["exact_match"], row["outputs"]) for row in items.to_pylist()] == [
        ("flexible", 1, [" 2"]),
        ("strict", 0, [" 2"]),
    ]


def test_a_repeated_document_is_two_items():
    items = table({"stones": [sample(0, "h", True), sample(1, "h", False)]})
    assert items["copy"].to_pylist() == [0, 1]


def test_bypass_is_not_a_metric():
    assert table({"code": [sample(0, "h", True, metrics=["bypass"], bypass=None)]}).schema == FIXED


def frame(results, order=1):
    """Items of one model: {doc_hash: right}."""
    rows = [sample(number, name, right) for number, (name, right) in enumerate(list(results.items())[::order])]
    return table({"stones": rows}).to_pandas()


BASE = {"h0": True, "h1": False, "h2": False, "h3": True}
TUNED = {"h0": True, "h1": True, "h2": True, "h3": False}


def test_models_are_joined_by_content_not_by_position():
    both = pair_items(frame(BASE), frame(TUNED, order=-1), "stones", "capybara")
    (row,) = compare_items(both, ["acc"], "stones", "capybara")
    assert (row["gained"], row["lost"], row["difference"], row["documents"]) == (2, 1, 0.25, 4)


def test_different_documents_are_an_error():
    with pytest.raises(UserError, match=r"task stones: base and capybara were scored on different documents \(2 of 5"):
        pair_items(frame(BASE), frame({**dict(list(TUNED.items())[:3]), "h9": True}), "stones", "capybara")


def test_flipped_items_contain_the_outputs_of_both_models():
    both = pair_items(frame(BASE), frame(TUNED), "stones", "capybara")
    flipped = flips(both, ["acc"], "acc_norm", "stones", "capybara")  # the task has no acc_norm
    assert [(row["doc_hash"], row["gained"], row["metric"]) for row in flipped] == [
        ("h1", True, "acc"),
        ("h2", True, "acc"),
        ("h3", False, "acc"),
    ]
    assert flipped[0]["base"]["loglikelihoods"] == [-2, -3] and flipped[0]["tuned"]["loglikelihoods"] == [-2, -1]


def test_a_score_that_is_not_the_mean_of_its_items_is_not_compared():
    both = pair_items(frame(BASE), frame(TUNED), "stones", "capybara")
    rows = compare_items(both, ["acc"], "stones", "capybara")
    scores = [
        {"model": model, "asked": "stones", "task": "stones", "metric": "acc", "filter": "none", "value": value}
        for model, value in (("base", 0.5), ("capybara", 0.75))
    ]
    assert keep_means(rows, pd.DataFrame(scores)) == rows
    scores[1]["value"] = 0.9
    assert keep_means(rows, pd.DataFrame(scores)) == []


def test_a_suite_is_compared_only_if_all_its_tasks_are():
    rng = np.random.default_rng(0)
    rows = [
        {"model": "capybara", "reference": "base", "asked": name, "task": name, "filter": "none", "metric": "acc", "p": 0.5, "documents": 10, "difference": difference, "stderr": rng.random()}
        for name, difference in (("a", 0.1), ("b", 0.3))
    ]  # fmt: skip
    settings = {"suites": ["pair"], "custom": {"pair": {"metric": "acc", "average": ["mean"], "tasks": ["a", "b"]}}}
    pairs = [("base", "capybara")]
    (row,) = compare_suites(adjust_p_values(rows), settings, pairs, {})
    assert row["difference"] == pytest.approx(0.2)
    assert compare_suites(rows[:1], settings, pairs, {}) == []


def test_every_model_is_compared_with_the_base_and_trained_ones_with_peers_and_each_other():
    assert model_pairs(["base", "capybara", "equal-tokens", "other"], ["other"]) == [
        ("base", "capybara"), ("base", "equal-tokens"), ("base", "other"),
        ("other", "capybara"), ("other", "equal-tokens"), ("capybara", "equal-tokens"),
    ]  # fmt: skip


def test_p_values_are_adjusted_within_each_pair_of_models():
    rows = [{"reference": pair, "model": "capybara", "p": p} for pair in ("base", "other") for p in (0.03, 0.5)]
    assert [row["p_adjusted"] for row in adjust_p_values(rows)] == [0.06, 0.5, 0.06, 0.5]
    assert not any(row["beyond_noise"] for row in rows)


def test_the_p_values_of_suites_are_adjusted():
    rows = [
        {"model": "capybara", "reference": "base", "asked": name, "task": name, "filter": "none", "metric": "acc", "documents": 100,
         "difference": difference, "stderr": 0.01}
        for name, difference in (("a", 0.021), ("b", 0.0))
    ]  # fmt: skip
    custom = {name: {"metric": "acc", "average": ["mean"], "tasks": [name]} for name in "ab"}
    first, second = compare_suites(rows, {"suites": ["a", "b"], "custom": custom}, [("base", "capybara")], {})
    assert first["p"] == pytest.approx(0.0357, abs=1e-4) and first["p_adjusted"] == pytest.approx(2 * first["p"])
    assert not first["beyond_noise"] and second["p_adjusted"] == 1


@pytest.mark.parametrize("how", ["declared", "the same data"])
def test_tasks_with_the_same_questions_are_not_independent(how):
    rows = [
        {"model": "capybara", "reference": "base", "asked": name, "task": name, "filter": "none", "metric": "acc", "documents": 100,
         "difference": 0.1, "stderr": 0.03}
        for name in "ab"
    ]  # fmt: skip
    suite = {"metric": "acc", "average": ["mean"], "tasks": ["a", "b"]}
    suite |= {"same_questions": [["a", "b"]]} if how == "declared" else {}
    data = {} if how == "declared" else dict.fromkeys("ab", ("rocks/gems", "None", "c0ffee"))
    settings, pairs = {"suites": ["pair"], "custom": {"pair": suite}}, [("base", "capybara")]
    (row,) = compare_suites(rows, settings, pairs, data)
    assert row["stderr"] == pytest.approx(0.03)
    settings["custom"]["pair"].pop("same_questions", None)
    (row,) = compare_suites(rows, settings, pairs, {})
    assert row["stderr"] == pytest.approx(0.03 / 2**0.5)
