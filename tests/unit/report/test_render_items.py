"""The page of scored items."""

import json

import pyarrow.parquet as pq
import pytest

from tests.unit.evaluation.test_items import sample
from workflow_scripts.evaluation.items import table
from workflow_scripts.report import render_items

CANARY = "</pre><script>alert(1)</script>"


def page(tmp_path, by_model):
    """The HTML for one task; `by_model`: samples of each model."""
    paths = []
    for model, samples in by_model.items():
        paths.append(tmp_path / model / "stones.0shot.parquet")
        paths[-1].parent.mkdir(parents=True)
        pq.write_table(table({"stones": samples}), paths[-1])
    render_items.main([
        "--run", "mine", "--tables", *map(str, paths), "--settings", json.dumps({"suites": [], "custom": {}}),
        "--page", str(tmp_path / "items.html"),
    ])  # fmt: skip
    return (tmp_path / "items.html").read_text()


def test_every_item_has_the_outcome_of_every_model(tmp_path):
    base = [sample(number, f"h{number}", right) for number, right in enumerate((True, False))]
    tuned = [sample(number, f"h{number}", True) for number in (0, 1)]
    html = page(tmp_path, {"base": base, "capybara": tuned})
    assert html.count('<details class="item"') == 2
    assert "right: base, capybara; wrong: no model" in html and "right: capybara; wrong: base" in html
    assert "of 2 items, the same number" not in html


def test_a_prompt_that_differs_between_models_is_displayed_for_each(tmp_path):
    wrapped = [("USER: Q h0 ASSISTANT:", " a"), ("USER: Q h0 ASSISTANT:", " b")]
    html = page(tmp_path, {"base": [sample(0, "h0", True)], "capybara": [sample(0, "h0", True, arguments=wrapped)]})
    assert "Prompt of base:" in html and "USER: Q h0 ASSISTANT:" in html
    assert "Prompt of" not in page(tmp_path / "same", {"base": [sample(0, "h0", True)]})


def test_the_page_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(render_items, "MAX_ITEMS", 3)
    rows = [sample(number, f"h{number}", True) for number in range(9)]
    html = page(tmp_path, {"base": rows, "capybara": rows[::-1]})
    assert html.count('<details class="item"') == 3 and "The page has 3 of 9 items" in html
    assert html.count("right: base, capybara") == 3, "the models have different items"


@pytest.mark.parametrize("place", ["prompt", "output"])
def test_text_of_a_data_set_is_escaped(tmp_path, place):
    own = {"arguments": [(CANARY, " a"), (CANARY, " b")]} if place == "prompt" else {"resps": [[CANARY]]}
    html = page(tmp_path, {"base": [sample(0, "h0", True, **own)]})
    assert CANARY not in html and "&lt;script&gt;" in html and html.count("<script>") == 1


def test_nothing_was_scored(tmp_path):
    assert "Nothing was scored." in page(tmp_path, {})
