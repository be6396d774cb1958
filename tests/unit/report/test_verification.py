"""The verification section: order of the rates, figure, and escaped text."""

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import write_json
from workflow_scripts.report.pages import render
from workflow_scripts.report.verification import section
from workflow_scripts.verification.metrics import PUBLISHED, share


def statistics(**changed):
    nothing = share(0, 0)
    return {
        "in": 4, "out": 4, "rejected": {}, "decisions": 0, "changed_minds": 0, "unmatched": {}, "reviewers": [],
        "conversations": {"unreviewed": 4, "accepted": 0, "corrected": 0, "shortened": 0},
        "left": {"open": 3, "disputed": 0, "hours": 0.4},
        "error_rates": {
            "all": nothing, "by_field": {}, "by_source": {}, "by_topic": {}, "doubted_by_a_check": nothing, "published": PUBLISHED,
        },
        "agreement": {"answers_with_two_or_more": 0, "krippendorff_alpha": None, "pairs": []},
        **changed,
    }  # fmt: skip


@pytest.fixture
def page(tmp_path):
    """A function that renders the section from statistics."""

    def render_section(stats):
        write_json(tmp_path / "stats.json", stats)
        template = package_file("report/templates/verification.html.jinja")
        return render(template, verification=section(tmp_path / "stats.json"))

    return render_section


def test_without_decisions_the_open_items_are_counted(page):
    text = page(statistics())
    assert "4 passed without a decision" in text and "Queue: 3 open items" in text
    assert "<svg" not in text and "Reviewers" not in text


def test_rates_are_compared_with_the_published_ones(page):
    rates = {
        "all": share(7, 20), "by_field": {"physics": share(7, 20)}, "by_source": {"Camel": share(7, 20)},
        "by_topic": {"<script>alert(1)</script>": share(7, 20)}, "doubted_by_a_check": share(1, 2), "published": PUBLISHED,
    }  # fmt: skip
    person = {
        "reviewer": "anna", "degree": None, "items": 20, "minutes_per_item": 1.5, "gold_exact": share(1, 2),
        "gold_fault_or_not": share(2, 2),
    }  # fmt: skip
    pairs = [{"reviewers": ["anna", "ben"], "answers": 20, "same": 15, "cohen_kappa": 0.5}]
    text = page(
        statistics(
            error_rates=rates,
            reviewers=[person],
            unmatched={"unknown_item": 2},
            agreement={"answers_with_two_or_more": 20, "krippendorff_alpha": 0.512, "pairs": pairs},
        )
    )
    assert "Published: 30 % to 40 %" in text and "18 to 57 %" in text and "alpha 0.51" in text
    assert "2 entries of the decision files match no item of this run" in text and "1 of 2 faulty" in text
    assert text.count("<svg") == 1 and "<script>" not in text and "&lt;script&gt;" in text
