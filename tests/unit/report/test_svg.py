"""Pictures inside a page: text stays text, colours are the page's, identifiers are used once."""

import re
import xml.etree.ElementTree as ET

import pytest

from workflow_scripts.report import figures, svg
from workflow_scripts.report.pages import TEMPLATES

HOSTILE = "</text></svg><script>alert(1)</script>$x^2$\u202egnp.\x00\x08"


def picture(name="sources", **counts):
    return figures.bars(name, "alt", counts or {"a": 3, "b": 1}, "rows")


def test_a_hostile_name_is_text():
    made = figures.bars("sources", "alt", {HOSTILE: 3}, "rows").svg
    assert "<script" not in made and "\u202e" not in made and "\x00" not in made
    root = ET.fromstring(made)
    texts = ["".join(element.itertext()) for element in root.iter(f"{{{svg.SVG}}}text")]
    assert any(text.startswith("</text></svg><script>") for text in texts)


def test_a_long_name_is_cut():
    assert svg.label("x" * 100) == "x" * 33 + "…"
    assert svg.label("two\nlines") == "two\N{REPLACEMENT CHARACTER}lines"


def test_every_colour_is_a_variable_of_the_style_in_light_and_dark():
    style = (TEMPLATES / "style.html.jinja").read_text()
    light, dark = (style.split("@media screen and (prefers-color-scheme: dark)")[part].split("}")[0] for part in (0, 1))
    for variable in set(svg.THEME.values()):
        assert f"{variable}:" in light and f"{variable}:" in dark, variable
    curve = figures.loss_curve("loss", [{"step": 1, "loss": 2.0, "learning_rate": 0.1}, {"step": 1, "eval_loss": 3.0}])
    for made in (picture().svg, curve.svg):
        assert not re.findall(r"#[0-9a-fA-F]{6}", made) and "var(--train)" in made


def test_a_colour_without_a_variable_is_refused():
    figure, axes = svg.plt.subplots()
    axes.plot([0, 1], color="#123456")
    with pytest.raises(KeyError):
        svg.inline(figure, "x", "x")


def test_identifiers_are_of_one_picture():
    first, second = picture("first").svg, picture("second").svg
    identifiers = [set(re.findall(r'\bid="([^"]+)"', made)) for made in (first, second)]
    assert identifiers[0] and not identifiers[0] & identifiers[1]
    for made, own in zip((first, second), identifiers, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', made)) == own


def test_the_same_numbers_give_the_same_bytes():
    assert picture().svg == picture().svg


def test_the_numbers_of_a_picture_are_beside_it():
    made = figures.bars("x", "alt", {"a": 1234.0}, "seconds", {"a": "20 min 34 s"})
    assert made.rows == [["a", "20 min 34 s"]]
    assert picture(b=1200).rows == [["b", "1,200"]]


def test_a_picture_is_no_wider_than_a_phone_can_show_legibly():
    width = int(re.search(r'<svg[^>]* width="(\d+)"', picture().svg)[1])
    assert width <= 430  # text of 12.7 px is 10 px still on a screen of 390 less its margins
