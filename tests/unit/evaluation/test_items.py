"""The table of items: what a model did with each document, joined by the documents' content."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation.compare_models import compared, flips, marked, not_means, paired_items, suite_rows
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
    made = table({"stones": [sample(1, "h1", False), sample(0, "h0", True)]})
    assert metrics_of(made.schema) == ["acc"]
    first, second = made.to_pylist()
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
    made = table(
        {
            "sums": [
                sample(0, "h", True, filtered, arguments=[("1 + 1 =", {"until": []})], resps=[[" 2"]], metrics=["exact_match"], exact_match=value)
                for filtered, value in (("strict", 0.0), ("flexible", 1.0))
            ]
        }
    )  # fmt: skip
    assert [(row["filter"], row["exact_match"], row["outputs"]) for row in made.to_pylist()] == [
        ("flexible", 1, [" 2"]),
        ("strict", 0, [" 2"]),
    ]


def test_a_document_that_stands_twice_is_two_items():
    made = table({"stones": [sample(0, "h", True), sample(1, "h", False)]})
    assert made["copy"].to_pylist() == [0, 1]


def test_bypass_is_no_metric():
    assert table({"code": [sample(0, "h", True, metrics=["bypass"], bypass=None)]}).schema == FIXED


def frame(results, order=1):
    """Items of one model: {doc_hash: right}."""
    rows = [sample(number, name, right) for number, (name, right) in enumerate(list(results.items())[::order])]
    return table({"stones": rows}).to_pandas()


BASE = {"h0": True, "h1": False, "h2": False, "h3": True}
TUNED = {"h0": True, "h1": True, "h2": True, "h3": False}


def test_models_are_joined_by_content_not_by_place():
    both = paired_items(frame(BASE), frame(TUNED, order=-1), "stones", "capybara")
    (row,) = compared(both, ["acc"], "stones", "capybara")
    assert (row["gained"], row["lost"], row["difference"], row["documents"]) == (2, 1, 0.25, 4)


def test_other_documents_are_refused():
    with pytest.raises(UserError, match=r"task stones: base and capybara were scored on other documents \(2 of 5"):
        paired_items(frame(BASE), frame({**dict(list(TUNED.items())[:3]), "h9": True}), "stones", "capybara")


def test_flipped_items_carry_what_both_did():
    both = paired_items(frame(BASE), frame(TUNED), "stones", "capybara")
    turned = flips(both, ["acc"], "acc_norm", "stones", "capybara")  # it has no acc_norm
    assert [(row["doc_hash"], row["gained"], row["metric"]) for row in turned] == [
        ("h1", True, "acc"),
        ("h2", True, "acc"),
        ("h3", False, "acc"),
    ]
    assert turned[0]["base"]["loglikelihoods"] == [-2, -3] and turned[0]["tuned"]["loglikelihoods"] == [-2, -1]


def test_a_score_that_is_no_mean_of_its_items_is_not_compared():
    both = paired_items(frame(BASE), frame(TUNED), "stones", "capybara")
    rows = compared(both, ["acc"], "stones", "capybara")
    scores = [
        {"model": model, "asked": "stones", "task": "stones", "metric": "acc", "filter": "none", "value": value}
        for model, value in (("base", 0.5), ("capybara", 0.75))
    ]
    assert not_means(rows, pd.DataFrame(scores)) == rows
    scores[1]["value"] = 0.9
    assert not_means(rows, pd.DataFrame(scores)) == []


def test_a_suite_is_compared_only_whole():
    rng = np.random.default_rng(0)
    rows = [
        {"model": "capybara", "asked": name, "task": name, "filter": "none", "metric": "acc", "p": 0.5, "documents": 10, "difference": difference, "stderr": rng.random()}
        for name, difference in (("a", 0.1), ("b", 0.3))
    ]  # fmt: skip
    settings = {"suites": ["pair"], "custom": {"pair": {"metric": "acc", "average": ["mean"], "tasks": ["a", "b"]}}}
    (row,) = suite_rows(marked(rows), settings, ["capybara"])
    assert row["difference"] == pytest.approx(0.2)
    assert suite_rows(rows[:1], settings, ["capybara"]) == []
