"""Matplotlib's pictures made part of a page: real text, colours that follow light and dark, no identifier used twice."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from markupsafe import Markup

# Labels come from data sets: they are text, never formulas. The salt makes the same picture give the same bytes.
# A picture is about as wide as a phone's screen, so that its text is never made smaller than it can be read.
plt.rcParams.update(
    {
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "capybara",
        "font.size": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
    }
)

# Colours that a picture may use; each is a variable of style.html.jinja, with a value for light and one for dark.
TRAIN, HELD_OUT, BASE = "#b5651d", "#2b6cb0", "#8a8a8a"
GREEN, PURPLE, PINK, RUST = "#2f855a", "#805ad5", "#b83280", "#c05621"
INK, SOFT, GRID, LINE, PAPER = "#1c1c1c", "#6b6b6b", "#eeeeee", "#999999", "#ffffff"
DEFAULT = "#000000"  # of matplotlib; as a fill it is left out of the SVG, so that pictures use INK
THEME = {
    TRAIN: "--train", HELD_OUT: "--held-out", BASE: "--base", GREEN: "--green", PURPLE: "--purple", PINK: "--pink",
    RUST: "--rust", INK: "--ink", DEFAULT: "--ink", SOFT: "--soft", GRID: "--grid", LINE: "--axis", PAPER: "--paper",
}  # fmt: skip
SERIES = (TRAIN, GREEN, PURPLE, PINK, RUST)  # of trained models, in their order

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


@dataclass(frozen=True)
class Picture:
    """A picture, what it shows in a sentence, and the numbers behind it: a table, or a link (text, address), or both."""

    svg: Markup
    alt: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    links: Sequence[tuple[str, str]] = field(default=())


def label(text: str, most: int = 34) -> str:
    """A name as a picture can carry it: on one line, cut, without the characters that XML forbids or that turn its direction."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def inline(figure: Any, name: str, alt: str) -> Markup:
    """A figure as an `<svg>` to stand in a page. `name` tells its identifiers from those of the page's other pictures.

    KeyError for a colour that has no variable in the style.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    plt.close(figure)
    root = ET.fromstring(buffer.getvalue())
    for part in list(root):
        if part.tag == f"{{{SVG}}}metadata":
            root.remove(part)
    _drop_styles(root)
    _rename(root, name)
    for element in root.iter():
        if style := element.get("style"):
            element.set("style", re.sub(r"#[0-9a-f]{6}", lambda found: f"var({THEME[found[0]]})", style))
    root.attrib.pop("height")
    # In the px of a screen: matplotlib counts in points.
    root.set("width", f"{float(root.attrib.pop('width').removesuffix('pt')) * 96 / 72:.0f}")
    root.set("role", "img")
    root.set("aria-label", alt)
    return Markup(ET.tostring(root, encoding="unicode"))


def _drop_styles(root: ET.Element) -> None:
    """Matplotlib's style is one for all elements of the page; the page has its own."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style":
                parent.remove(child)


def _rename(root: ET.Element, name: str) -> None:
    """Identifiers that something refers to get the picture's name in front; the others go."""
    wanted = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", ET.tostring(root, encoding="unicode")))
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                if value in wanted:
                    element.set("id", f"{name}-{value}")
                else:
                    del element.attrib["id"]
            elif key == f"{{{XLINK}}}href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))
