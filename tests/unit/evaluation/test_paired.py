"""Paired comparisons of item results with known statistics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.evaluation.paired import adjust, combine, compare

items = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=60)


def arrays(pairs):
    return [np.array(side, dtype=float) for side in zip(*pairs, strict=True)]


def test_ten_items_with_known_statistics():
    base, tuned = arrays([(0, 1)] * 3 + [(1, 0)] + [(1, 1)] * 4 + [(0, 0)] * 2)
    row = compare(base, tuned)
    assert (row["base"], row["tuned"], row["gained"], row["lost"]) == (0.5, 0.7, 3, 1)
    assert row["difference"] == pytest.approx(0.2)
    # The differences 1, 1, 1, -1 and six 0 have the mean 0.2 and the squares' sum 4: variance (4 - 10 * 0.04) / 9 = 0.4.
    assert row["stderr"] == pytest.approx(math.sqrt(0.4 / 10))
    # Student's t of nine degrees of freedom: 2.262157.
    assert row["high"] - row["difference"] == pytest.approx(2.262157 * 0.2, rel=1e-6)
    # McNemar, exact: of four disagreements three or more, or one or fewer, go one way: (1 + 4 + 4 + 1) / 16.
    assert row["p"] == pytest.approx(10 / 16)


def test_eight_to_nothing_is_beyond_noise():
    row = compare(*arrays([(0, 1)] * 8 + [(1, 1)] * 92))
    assert row["p"] == pytest.approx(2 / 2**8)
    assert row["difference"] == pytest.approx(0.08)


def test_pairing_detects_differences_that_two_error_bars_hide():
    """Twelve items gained and none lost of 1,000: two error bars of 0.016 each overlap, the paired one excludes zero."""
    base, tuned = arrays([(0, 1)] * 12 + [(1, 1)] * 500 + [(0, 0)] * 488)
    row = compare(base, tuned)
    unpaired = math.sqrt(base.var(ddof=1) / 1000 + tuned.var(ddof=1) / 1000)
    assert row["difference"] < unpaired and row["low"] > 0 and row["p"] < 0.001


def test_a_metric_that_is_not_binary():
    row = compare(np.array([0.1, 0.4, 0.3]), np.array([0.2, 0.6, 0.6]))
    assert row["test"] == "paired t" and row["gained"] is None
    assert row["difference"] == pytest.approx(0.2) and row["stderr"] == pytest.approx(0.1 / math.sqrt(3))
    assert row["p"] == pytest.approx(0.0741799, rel=1e-5)  # t = 2 * sqrt(3) with two degrees of freedom


def test_equal_models_have_no_difference():
    row = compare(np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    assert (row["difference"], row["stderr"], row["p"]) == (0, 0, 1)


def test_one_document_has_no_standard_error():
    row = compare(np.array([0.0]), np.array([1.0]))
    assert math.isnan(row["stderr"]) and row["p"] == 1


def test_different_documents_are_an_error():
    with pytest.raises(ValueError, match="not the same documents"):
        compare(np.zeros(3), np.zeros(4))


@given(items)
def test_swapping_the_models_changes_only_the_sign(pairs):
    base, tuned = arrays(pairs)
    there, back = compare(base, tuned), compare(tuned, base)
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["stderr"] == pytest.approx(back["stderr"]) and there["p"] == pytest.approx(back["p"])
    assert (there["gained"], there["lost"]) == (back["lost"], back["gained"])
    assert there["difference"] == pytest.approx((there["gained"] - there["lost"]) / len(pairs))


def test_equal_models_are_rarely_called_different():
    """Two equal models on 200 documents, 400 times: at most about 5 % false alarms; McNemar's exact test gives fewer."""
    rng = np.random.default_rng(1)
    alarms = sum(compare(*rng.integers(0, 2, (2, 200)).astype(float))["p"] < 0.05 for _ in range(400))
    assert alarms <= 30


def test_adjusted_p_values_of_a_known_case():
    assert adjust([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert adjust([]) == []


def test_a_suite_combines_its_tasks():
    rows = [{"difference": 0.1, "stderr": 0.03}, {"difference": 0.3, "stderr": 0.04}]
    found = combine(rows, [1, 1])
    assert found["difference"] == pytest.approx(0.2) and found["stderr"] == pytest.approx(0.025)
    assert found["low"] == pytest.approx(0.2 - 1.959964 * 0.025)
    weighted = combine(rows, [3, 1])
    assert weighted["difference"] == pytest.approx(0.15)
    assert weighted["stderr"] == pytest.approx(math.hypot(0.09, 0.04) / 4)
