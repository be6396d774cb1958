"""Figures in a page: text stays text, colours are CSS variables, identifiers are unique."""

import re
import xml.etree.ElementTree as ET

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.report import figures, svg

HOSTILE = "</text></svg><script>alert(1)</script>$x^2$\u202egnp.\x00\x08"


def figure(name="sources", **counts):
    return figures.bar_chart(name, "alt", counts or {"a": 3, "b": 1}, "rows")


def test_a_hostile_name_is_escaped():
    bars = figures.bar_chart("sources", "alt", {HOSTILE: 3}, "rows").svg
    assert "<script" not in bars and "\u202e" not in bars and "\x00" not in bars
    root = ET.fromstring(bars)
    texts = ["".join(element.itertext()) for element in root.iter(f"{{{svg.SVG}}}text")]
    assert any(text.startswith("</text></svg><script>") for text in texts)


def test_a_long_name_is_truncated():
    assert svg.label("x" * 100) == "x" * 33 + "…"
    assert svg.label("two\nlines") == "two\N{REPLACEMENT CHARACTER}lines"


def test_every_colour_is_a_variable_of_the_style_in_light_and_dark():
    style = package_file("report/templates/style.html.jinja").read_text()
    light, dark = (style.split("@media screen and (prefers-color-scheme: dark)")[part].split("}")[0] for part in (0, 1))
    for variable in set(svg.THEME.values()):
        assert f"{variable}:" in light and f"{variable}:" in dark, variable
    curve = figures.loss_curve("loss", [{"step": 1, "loss": 2.0, "learning_rate": 0.1}, {"step": 1, "eval_loss": 3.0}])
    for made in (figure().svg, curve.svg):
        assert not re.findall(r"#[0-9a-fA-F]{6}", made) and "var(--train)" in made


def test_a_colour_without_a_variable_is_an_error():
    drawing, axes = svg.plt.subplots()
    axes.plot([0, 1], color="#123456")
    with pytest.raises(KeyError):
        svg.inline(drawing, "x", "x")


def test_identifiers_are_unique_to_a_figure():
    first, second = figure("first").svg, figure("second").svg
    identifiers = [set(re.findall(r'\bid="([^"]+)"', made)) for made in (first, second)]
    assert identifiers[0] and not identifiers[0] & identifiers[1]
    for made, own in zip((first, second), identifiers, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', made)) == own


def test_the_output_is_deterministic():
    assert figure().svg == figure().svg


def test_a_figure_has_its_data():
    bars = figures.bar_chart("x", "alt", {"a": 1234.0}, "seconds", {"a": "20 min 34 s"})
    assert bars.rows == [["a", "20 min 34 s"]]
    assert figure(b=1200).rows == [["b", "1,200"]]


def test_a_figure_is_legible_on_a_phone():
    width = int(re.search(r'<svg[^>]* width="(\d+)"', figure().svg)[1])
    assert width <= 430  # on a screen of 390 px, text of 12.7 px is still at least 10 px high
