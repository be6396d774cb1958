"""The decontamination section: the table of benchmarks, and the first hits."""

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.report.contamination import by_relevance, section
from workflow_scripts.report.pages import render

CELL, NONE = {"items": 1, "conversations": 2}, {"items": 0, "conversations": 0}


def entry(cell, **more):
    levels = {"100": cell, "97": cell}
    nothing = {"100": NONE, "97": NONE}
    return {
        "items": 5, "tiers": {"A": 3, "B": 1, "C": 1}, "levels": levels, "passages": nothing, "listed": nothing, "words": nothing,
        "allowed": nothing, **more,
    }  # fmt: skip


def hit(**fields):
    return {
        "id": "c1", "source": "Dove", "turn": 2, "role": "user", "start": 4, "end_turn": 2, "end": 30, "benchmark": "law", "item": "q1",
        "tier": "A", "field": "question", "removes": True, "distance": 1, "length": 21, "similarity": 0.952381, "level": 95,
        "allowed": None, "counts": True, "item_text": "Why?", "found_text": "Why!", "item_normal": "why", "found_normal": "wha", **fields,
    }  # fmt: skip


@pytest.fixture
def stats():
    return {
        "in": 9, "out": 8, "rejected": {"contaminated": 1}, "levels": [100, 97], "remove_at": 97, "items": 10, "rephrased": None,
        "suites": {"mmlu": entry(CELL, benchmarks=["law", "physics"]), "boolq": entry(NONE, benchmarks=["boolq"])},
        "benchmarks": {"law": entry(CELL), "physics": entry(NONE), "boolq": entry(NONE)},
    }  # fmt: skip


def test_members_without_hits_are_omitted(stats):
    rows = section(stats, [], 20)["rows"]
    assert [(row["name"], row["member"]) for row in rows] == [("mmlu", False), ("law", True), ("boolq", False)]


def test_the_section_counts_in_singular_and_plural(stats):
    page = render(
        package_file("report/templates/contamination.html.jinja"),
        contamination=section(stats, [hit(), hit(id="c2")], 1),
    )
    assert "1 conversation with a hit at 97 % or above was removed." in page and "10 benchmark items" in page
    assert "Tier A (9 items)" in page and "1 / 2" in page and '<a href="hits.html">All 2 hits</a>' in page
    assert page.count("<details") == 1
    stats["rejected"] = {"contaminated": 2}
    page = render(package_file("report/templates/contamination.html.jinja"), contamination=section(stats, [hit()], 1))
    assert (
        "2 conversations with a hit at 97 % or above were removed." in page
        and '<a href="hits.html">The hit</a>' in page
    )


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ({"rejected": {"contaminated": 1}}, "the seeds were searched in the same way; 1 seed was removed."),
        ({"rejected": {}}, "the seeds were searched in the same way; 0 seeds were removed."),
        (None, ""),
    ],
)
def test_the_section_counts_removed_seeds(stats, seeds, text):
    values = section(stats, [], 1, seeds)
    page = render(package_file("report/templates/contamination.html.jinja"), contamination=values)
    assert text in page and ("seeds" in page) == (seeds is not None)


def test_reasons_for_removal_come_first():
    hits = [hit(id="listed", counts=False, removes=False), hit(id="allowed", counts=False), hit(id="removed")]
    assert [row["id"] for row in by_relevance(hits)] == ["removed", "allowed", "listed"]
