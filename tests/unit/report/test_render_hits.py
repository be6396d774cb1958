"""The page of hits: differences are marked on both sides, text is escaped, reasons for removal come first."""

import re

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.report.contamination import mark_differences
from workflow_scripts.report.render_hits import main


def hit(**fields):
    return {
        "id": "c1", "source": None, "turn": 2, "role": "user", "start": 4, "end_turn": 2, "end": 30, "benchmark": "x", "item": "q1",
        "tier": "A", "field": "question", "removes": True, "distance": 1, "length": 21, "similarity": 0.952381, "level": 95,
        "allowed": None, "counts": True, "item_text": "Why does <b>it</b> erode?", "found_text": "Why does <b>it</b> eroda?",
        "item_normal": "why does b it b erode", "found_normal": "why does b it b eroda", **fields,
    }  # fmt: skip


@pytest.fixture
def page(tmp_path):
    def make(*hits):
        write_jsonl(tmp_path / "hits.jsonl", hits)
        main(["--title", "t", "--hits", str(tmp_path / "hits.jsonl"), "--page", str(tmp_path / "hits.html")])
        return (tmp_path / "hits.html").read_text()

    return make


def test_differences_are_marked_on_both_sides():
    assert mark_differences("a stone", "a stne") == (
        [("a st", False), ("o", True), ("ne", False)],
        [("a st", False), ("ne", False)],
    )


def test_both_texts_of_a_hit_are_escaped(page):
    html = page(hit())
    assert html.startswith("<!doctype html>") and "<b>it</b>" not in html
    assert "erod<mark>e</mark>" in html and "erod<mark>a</mark>" in html
    assert "c1: turn 2 (user), characters 4 to 30; 1 edit" in re.sub(r"\s+", " ", html)


def test_removed_hits_come_first(page):
    html = page(
        hit(benchmark="a", counts=False, removes=False, field="passage"),
        hit(benchmark="b", id="kept", counts=False, allowed="asked by all"),
        hit(benchmark="b", id="gone"),
    )
    assert html.index(">b</h2>") < html.index("in gone, removed") < html.index("in kept, allowed: asked by all")
    assert html.index("in kept") < html.index(">a</h2>") < html.index("listed only")


def test_a_file_without_hits(tmp_path):
    write_jsonl(tmp_path / "rejected.jsonl", [{"id": "a", "reason": "contaminated", "evidence": []}])
    words = ["--title", "t", "--page", str(tmp_path / "hits.html"), "--hits"]
    with pytest.raises(UserError, match="file not found"):
        main([*words, str(tmp_path / "none.jsonl")])
    with pytest.raises(UserError, match=r"not a decontamination hit: .*rejected\.jsonl, row 1"):
        main([*words, str(tmp_path / "rejected.jsonl")])


def test_a_hit_links_to_its_conversation(page, tmp_path):
    assert "conversations.html" not in page(hit())
    write_jsonl(tmp_path / "hits.jsonl", [hit(id='c"1')])
    words = ["--title", "t", "--hits", str(tmp_path / "hits.jsonl"), "--browser", "conversations.html"]
    main([*words, "--page", str(tmp_path / "hits.html")])
    assert '<a href="conversations.html#c%221">c&#34;1</a>: turn 2' in (tmp_path / "hits.html").read_text()


def test_the_number_of_hits(page):
    assert "<p>0 hits." in page() and "<p>1 hit." in page(hit()) and "<p>2 hits." in page(hit(), hit(id="c2"))
