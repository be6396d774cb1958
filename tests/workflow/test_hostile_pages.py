"""Hostile text of data and models in every page and card, opened in a real browser: nothing runs, and the text is shown."""

import json

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.support import browser, report_run
from tests.support.browser import HOSTILE
from tests.support.runs import Project, configure
from tests.unit.release import test_write_data_card, test_write_model_card, tree
from tests.unit.report.test_render_flips import flip
from tests.unit.report.test_render_hits import hit
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.release import write_model_card
from workflow_scripts.report import render_flips, render_hits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]
MARK = "dataset.ran = 'attribute'"
HARMLESS = {"ran": None, "links": 0, "handlers": 0, "shown": True}


def hits(folder):
    fields = ("id", "source", "benchmark", "item", "allowed", "item_text", "found_text", "item_normal", "found_normal")
    write_jsonl(folder / "hits.jsonl", [hit(**dict.fromkeys(fields, HOSTILE))])
    page = folder / "hits.html"
    words = ["--hits", str(folder / "hits.jsonl"), "--browser", "conversations.html", "--page", str(page)]
    render_hits.main(["--title", HOSTILE, *words])
    return page


def flips(folder):
    written = {"loglikelihoods": [-1.0, -2.0], "outputs": [HOSTILE]}
    fields = dict.fromkeys(("model", "asked", "task", "filter", "metric", "prompt"), HOSTILE)
    fields["target"] = json.dumps(HOSTILE)
    rows = [flip(**fields, options=[HOSTILE, HOSTILE]), flip(**fields, options=[], base=written, tuned=written)]
    write_jsonl(folder / "flips.jsonl", rows)
    page = folder / "flips.html"
    render_flips.main(["--run", HOSTILE, "--flips", str(folder / "flips.jsonl"), "--page", str(page)])
    return page


def index(folder):
    page = report_run.make(folder, HOSTILE, HOSTILE)
    report_run.render(page)
    return page


def in_html(card):
    """A card as a page, without the sanitising of the Hub."""
    page = card.with_suffix(".html")
    body = MarkdownIt("commonmark").enable("table").render(card.read_text().split("\n---\n", 1)[1])
    page.write_text(f"<!doctype html><html><head><title>c</title></head><body>{body}</body></html>")
    return page


def model_card(folder):
    tree.make(folder, sources=[HOSTILE, "Dove"], licenses=[HOSTILE, "MIT"], texts=(HOSTILE, HOSTILE))
    write_model_card.main(test_write_model_card.model_options(folder))
    return in_html(folder / "release" / "README.md")


def data_card(folder):
    made = tree.make(folder, sources=[HOSTILE], licenses=[HOSTILE], texts=(HOSTILE, HOSTILE))
    return in_html(test_write_data_card.write(made))


def snakemake_report(folder):
    """Of a run on hostile seeds, whose label is hostile, too."""
    project = Project(folder)
    words = configure(project, "http://127.0.0.1:9/v1")
    for name in ("made", "found"):
        rows = [{"instruction": f"{HOSTILE} {number}?", "response": HOSTILE} for number in range(20)]
        write_jsonl(folder / f"{name}.jsonl", rows)
    settings = yaml.safe_load((folder / "mine.yaml").read_text())
    settings["seeds"]["sources"][0]["label"] = HOSTILE
    (folder / "mine.yaml").write_text(yaml.safe_dump(settings))
    project.run("results/mine/seeds/data.jsonl", *words)
    project.run("results/mine/seeds/data.jsonl", "--report", "report.html", *words)
    return folder / "report.html"


@pytest.mark.parametrize("make", [hits, flips, index, model_card, data_card])
def test_hostile_text_is_shown_and_not_executed(make, tmp_path):
    assert browser.attacked(make(tmp_path), MARK) == HARMLESS


def test_a_report_of_snakemake_executes_no_text_of_a_row(tmp_path):
    found = browser.attacked(snakemake_report(tmp_path), MARK)
    assert found | {"shown": False} == HARMLESS | {"shown": False}


def test_the_attack_is_noticed(tmp_path):
    (tmp_path / "page.html").write_text(f"<!doctype html><html><head></head><body>{HOSTILE}</body></html>")
    found = browser.attacked(tmp_path / "page.html", MARK)
    assert found["ran"] and found["links"] and found["handlers"] >= 2
