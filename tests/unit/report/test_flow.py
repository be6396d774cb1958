"""The flow: numbers of the stages, rows from other sources, and links to files."""

import re
import xml.etree.ElementTree as ET

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.report import flow
from workflow_scripts.report.pages import render
from workflow_scripts.report.svg import SVG, XLINK

SEEDS = {"in": 1000, "out": 700, "rejected": {"over_limit": 250, "url": 50}, "per_kind": {"conversation": 200}}
SYNTHESIS = {"in": 500, "out": 400, "rejected": {"bad_turn": 100}}
ASSEMBLED = {"in": 690, "out": 680, "rejected": {"exact_duplicate": 10}, "split": 20, "parts": 60}
CLEAN = {"in": 680, "out": 670, "rejected": {"contaminated": 10}}
DATASET = {"in": 670, "out": 670, "rejected": {}, "train": 600, "test": 70}


@pytest.fixture
def chain():
    return flow.steps(SEEDS, [("synthesis", SYNTHESIS)], ASSEMBLED, CLEAN, DATASET)


def texts(figure):
    """The texts of a figure with their links."""
    root = ET.fromstring(figure.svg)
    linked = {}
    for anchor in root.iter(f"{{{SVG}}}a"):
        for element in anchor.iter(f"{{{SVG}}}text"):
            linked["".join(element.itertext()).strip()] = anchor.get(f"{{{XLINK}}}href")
    every = {"".join(element.itertext()).strip() for element in root.iter(f"{{{SVG}}}text")}
    return {text: linked.get(text) for text in every}


def test_included_rows_are_the_remaining_input(chain):
    # 200 conversations among the seeds, 400 generated ones, and 40 from splitting 20 into 60; the other 50 were included.
    assert chain[2].joins == {"included": 50, "by splitting": 40}
    assert chain[0].bypass == 200 and chain[0].bypass_steps == 1


def test_every_number_links_to_its_file(chain):
    found = texts(flow.flow_chart(chain, 600, 70))
    assert found["1,000"] == "../seeds/stats.json"
    assert found["250 over limit"] == found["50 url"] == "../seeds/rejected.jsonl"
    assert found["200 bypass,"] == "../seeds/data.jsonl"
    assert found["100 bad turn"] == "../synthesis/rejected.jsonl"
    assert found["50 included"] == "../conversations/stats.json"
    assert found["10 exact duplicate"] == "../conversations/rejected.jsonl"
    assert found["10 contaminated"] == "../decontamination/rejected.jsonl"
    assert found["600 for training"] == "../dataset/train.jsonl" and found["70 held out"] == "../dataset/test.jsonl"
    assert all(address for text, address in found.items() if re.search(r"\d", text)), found


def test_a_further_stage_is_a_further_step(chain):
    verified = {"in": 400, "out": 390, "rejected": {"wrong": 10}}
    more = flow.steps(SEEDS, [("synthesis", SYNTHESIS), ("verification", verified)], ASSEMBLED, CLEAN, DATASET)
    assert [step.name for step in more] == [
        "seeds", "synthesis", "verification", "conversations", "decontamination", "dataset"
    ]  # fmt: skip
    assert more[0].bypass_steps == 2 and more[3].joins["included"] == chain[2].joins["included"] + 10
    assert texts(flow.flow_chart(more, 600, 70))["10 wrong"] == "../verification/rejected.jsonl"


def test_a_run_without_seeds_begins_with_included_conversations():
    assembled = {"in": 90, "out": 90, "rejected": {}, "split": 0, "parts": 0}
    chain = flow.steps(None, [], assembled, {"in": 90, "out": 90, "rejected": {}}, {**DATASET, "in": 90, "out": 90})
    assert chain[0].joins == {"included": 90}
    assert texts(flow.flow_chart(chain, 80, 10))["90 included"]


def test_the_table_has_the_same_numbers(chain):
    audit = {"conversations": 600, "split": 3, "dropped": [], "truncated": 1, "samples": 603}
    shown = flow.section(chain, DATASET, [("capybara", {"takes": "first_exchange"}, audit)])
    page = render(package_file("report/templates/flow.html.jinja"), flow=shown)
    assert (
        '<a href="../seeds/rejected.jsonl">250</a> <a href="conversations.html#stage=seeds&amp;reason=over_limit">'
        in page
    )
    assert '<a href="../decontamination/data.jsonl">670</a>' in page
    assert "first exchange" in page and '<a href="../training/capybara/audit.json">603</a>' in page


def test_widths_are_proportional_to_rows(chain):
    """The bars of the steps, measured in the SVG."""
    root = ET.fromstring(flow.flow_chart(chain, 600, 70).svg)
    bars = {}
    for anchor in root.iter(f"{{{SVG}}}a"):
        for path in anchor.iter(f"{{{SVG}}}path"):
            if "var(--ink)" in path.get("style", ""):
                xs = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", path.get("d"))]
                bars.setdefault(anchor.get(f"{{{XLINK}}}href"), max(xs) - min(xs))
    full_width = bars["../seeds/stats.json"]
    assert bars["../synthesis/stats.json"] / full_width == pytest.approx(0.5, abs=0.01)
    assert bars["../conversations/stats.json"] / full_width == pytest.approx(0.69, abs=0.01)
