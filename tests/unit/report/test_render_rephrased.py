"""The page of candidates for rephrased items: by relation, every text escaped."""

import re

import pytest

from workflow_scripts.common.rows import write_json, write_jsonl
from workflow_scripts.decontamination.tables import rephrased_table
from workflow_scripts.report.render_rephrased import main

HOSTILE = "<script>alert(1)</script> \u05d0 {{ 7 * 7 }}"


def candidate(number, relation, **fields):
    return {
        "id": f"c{number}", "source": "Dove", "turn": 0, "role": "user", "start": 0, "end": 9, "benchmark": "x", "item": f"q{number}",
        "similarity": 0.8, "item_text": f"Question {number}?", "found_text": f"Passage {number}.", "relation": relation,
        "reason": None, "allowed": None, "counts": False, **fields,
    }  # fmt: skip


@pytest.fixture
def render(tmp_path):
    def run(rows, model="judge"):
        write_jsonl(tmp_path / "rephrased.jsonl", rows)
        table = rephrased_table(rows, ["x", "y"]) | {"judge": {"model": model}}
        write_json(tmp_path / "stats.json", {"rephrased": table})
        files = {
            name: str(tmp_path / f"{name}.{ending}") for name, ending in (("rephrased", "jsonl"), ("stats", "json"))
        }
        words = [part for name, path in files.items() for part in (f"--{name}", path)]
        main(["--title", HOSTILE, *words, "--browser", "conversations.html", "--page", str(tmp_path / "page.html")])
        return (tmp_path / "page.html").read_text()

    return run


def test_candidates_are_grouped_by_relation_and_sorted_by_similarity(render):
    rows = [
        candidate(1, "same_subject"),
        candidate(2, "rephrased", similarity=0.7),
        candidate(3, "rephrased", counts=True, reason="Both ask the same."),
        candidate(4, None),
        candidate(5, "translated", allowed="a common question"),
    ]
    page = render(rows)
    anchors = re.findall(r'<h2 id="[^"]+">([^<]+)</h2>', page)
    assert anchors == ["Rephrased", "Translated", "Same subject", "Not judged"]
    assert page.index("Passage 3.") < page.index("Passage 2.") < page.index("Passage 5.")
    assert "c3, removed" in page and "c5, allowed: a common question" in page and "c1, listed only" in page
    assert "Both ask the same." in page and '<a href="conversations.html#c3">' in page
    assert "<td>x</td>" in page and "<td>y</td>" not in page and "The model judge judged the relation" in page


def test_every_text_is_escaped(render):
    rows = [
        candidate(1, "rephrased", item_text=HOSTILE, found_text=HOSTILE, reason=HOSTILE, id=HOSTILE, source=HOSTILE)
    ]
    page = render(rows)
    assert "<script" not in page and "{{ 7 * 7 }}" in page and page.count("&lt;script&gt;") >= 6


def test_without_a_judge_and_without_candidates(render):
    assert "No judge was configured" in render([candidate(1, None)], model=None)
    assert "No candidates." in render([])
