"""The model card shows what a data set says and does nothing of it."""

import pandas as pd
import pytest

from workflow_scripts.report.scores import read_scores
from workflow_scripts.write_model_card import plain


@pytest.mark.parametrize(
    "text", ["![x](https://e.example/p.png)", "[c](javascript:alert(1))", "<script>x</script>", "a | b\n# c"]
)
def test_hostile_text_is_plain(text):
    shown = plain(text)
    assert "<" not in shown and "\n" not in shown
    assert not any(f"{mark}" in shown.replace(f"\\{mark}", "") for mark in "[]()|#!")


def test_filters_are_told_apart(tmp_path):
    row = {"model": "base", "task": "gsm8k", "shots": 5, "metric": "exact_match", "value": 0.07, "stderr": None}
    path = tmp_path / "scores.csv"
    pd.DataFrame([{**row, "filter": "strict-match"}, {**row, "filter": "flexible-extract", "value": 0.33}]).to_csv(path)
    frame = read_scores(path)
    assert list(frame["metric"]) == ["exact_match (strict-match)", "exact_match (flexible-extract)"]
    assert list(frame["stderr"]) == [None, None]
