"""The whole page: text is displayed as text only, nothing is loaded from elsewhere, and every link has a target."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support import browser, report_run

HOSTILE = [
    "<script>alert(1)</script>",
    "</script></style></pre></details></div></section><h1>",
    "\"><img src=x onerror=alert(1)>' onmouseover=alert(1) ",
    "\u202egnp.exe\u202d \u2067abc \u200f\u05d0\u05d1 \u200b",
    "{{ 7 * 7 }} {% include 'x' %} ]]> <!-- \x00\x07\ufffe\ud800 &lt;b&gt; $\\frac{1}{2}$",
    "# heading\n\n[link](javascript:alert(1)) `code` ![x](http://a/b.png)",
]


class Outline(HTMLParser):
    """The tags of a page in order, the tags in its figures, its texts, links and identifiers."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.links, self.identifiers = [], [], [], []
        self.drawn, self.in_figure = set(), False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.in_figure = self.in_figure or tag == "svg"
        # The number of ticks in a figure depends on the width of its texts.
        if self.in_figure:
            self.drawn.add(tag)
        else:
            self.tags.append((tag, tuple(name for name, _ in attrs)))
        values = dict(attrs)
        self.links += [values[name] for name in ("href", "xlink:href", "src") if name in values]
        self.identifiers += [values["id"]] if "id" in values else []

    def handle_endtag(self, tag):
        if not self.in_figure or tag == "svg":
            self.tags.append((f"/{tag}", ()))
        self.in_figure = self.in_figure and tag != "svg"

    def handle_data(self, text):
        self.texts.append(text)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a run with ordinary text, and its path."""
    path = report_run.make(tmp_path_factory.mktemp("run"))
    return report_run.render(path), path


def test_the_order_of_the_sections(page):
    html, _ = page
    places = [html.index(f'id="{name}"') for name in (
        "run", "claims", "data", "quality", "flow", "verification", "decontamination", "training", "scores", "exchanges", "ablations", "outputs", "cost"
    )]  # fmt: skip
    assert places == sorted(places)


def test_every_link_has_a_target(page):
    html, path = page
    outline = Outline(html)
    assert len(outline.links) > 60
    for link in outline.links:
        parts = urlsplit(link)
        if parts.path:
            assert (path.parent / unquote(parts.path)).is_file(), link
        else:
            assert parts.fragment in outline.identifiers, link


def test_identifiers_are_unique(page):
    identifiers = Outline(page[0]).identifiers
    assert len(identifiers) == len(set(identifiers))


def test_nothing_is_loaded_or_executed(page):
    html, _ = page
    assert "default-src 'none'" in html
    assert not re.search(r"<(script|link|iframe|object|embed|form|base)\b", html)
    found = re.findall(r"(?:https?:)?//[^\s\"'<>)]+", html)
    assert set(found) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_hostile_text_changes_no_tag_and_is_displayed(page, tmp_path):
    text = "\n".join(HOSTILE)
    html = report_run.render(report_run.make(tmp_path, text, text))
    outline = Outline(html)
    harmless = Outline(page[0])
    assert outline.tags == harmless.tags and outline.drawn == harmless.drawn
    shown = text.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert sum(shown.strip() in part.replace("\x00", "\ufffd") for part in outline.texts) >= 10


@pytest.fixture(scope="module")
def long_page(tmp_path_factory):
    """The path of a page in which every text is a line of 100 KB and every name has 3 KB."""
    path = report_run.make(tmp_path_factory.mktemp("long"), "x" * 100_000, "y" * 3000)
    report_run.render(path)
    return path


def test_a_very_long_line_is_folded_and_truncated(long_page):
    html = long_page.read_text()
    assert "98,800 more characters" in html and "80,000 more in the file" in html
    longest = max(map(len, re.findall("x+", html)))
    assert longest <= 20_000


@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_never_wider_than_its_window(long_page, width):
    found = browser.measured(long_page, width)
    assert found == {"width": width, "wanted": width, "out": []}


def test_the_output_is_deterministic(page):
    html, path = page
    assert report_run.render(path) == html


def test_examples_are_from_different_sources_longest_first(tmp_path):
    from workflow_scripts.common.rows import write_jsonl
    from workflow_scripts.report.render_report import example_conversations

    talk = [{"input": "a", "output": "b"}]
    rows = [("one", 1), ("two", 2), ("one", 3), ("three", 1), ("four", 1)]
    write_jsonl(tmp_path / "train.jsonl", [{"source": name, "conversation": talk * count} for name, count in rows])
    found = example_conversations(Path(tmp_path, "train.jsonl"), 3)
    assert [(row["source"], len(row["conversation"])) for row in found] == [("one", 3), ("two", 2), ("three", 1)]
