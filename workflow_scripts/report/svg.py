"""Matplotlib figures as inline SVG: text stays text, colours follow the light or dark theme, identifiers are unique."""

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

# Labels come from datasets, so they are never parsed as formulas. The hash salt makes the output deterministic.
# Figures are about as wide as a phone screen, so that scaling never makes their text too small to read.
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

# The colours of figures; each is a CSS variable of style.html.jinja, with a value for the light and the dark theme.
TRAIN, HELD_OUT, BASE = "#b5651d", "#2b6cb0", "#8a8a8a"
GREEN, PURPLE, PINK, RUST = "#2f855a", "#805ad5", "#b83280", "#c05621"
INK, SOFT, GRID, LINE, PAPER = "#1c1c1c", "#6b6b6b", "#eeeeee", "#999999", "#ffffff"
DEFAULT = "#000000"  # of matplotlib, which omits it as a fill; figures use INK instead
THEME = {
    TRAIN: "--train", HELD_OUT: "--held-out", BASE: "--base", GREEN: "--green", PURPLE: "--purple", PINK: "--pink",
    RUST: "--rust", INK: "--ink", DEFAULT: "--ink", SOFT: "--soft", GRID: "--grid", LINE: "--axis", PAPER: "--paper",
}  # fmt: skip
SERIES = (TRAIN, GREEN, PURPLE, PINK, RUST)  # of trained models, in their order

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


@dataclass(frozen=True)
class Figure:
    """A figure with alternative text and its data: a table (`head`, `rows`), `links` (text, address), or both."""

    svg: Markup
    alt: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    links: Sequence[tuple[str, str]] = field(default=())


def label(text: str, max_chars: int = 34) -> str:
    """A name for a figure: truncated, with unprintable characters (line breaks, direction marks, …) replaced by U+FFFD."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))
    return plain if len(plain) <= max_chars else f"{plain[: max_chars - 1]}…"


def inline(figure: Any, name: str, alt: str) -> Markup:
    """A matplotlib figure as an `<svg>` element; `name` is the prefix that makes its identifiers unique in the page.

    Raises KeyError for a colour that is not a variable of the style.
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
            element.set("style", re.sub(r"#[0-9a-f]{6}", lambda match: f"var({THEME[match[0]]})", style))
    root.attrib.pop("height")
    # CSS pixels; matplotlib uses points.
    root.set("width", f"{float(root.attrib.pop('width').removesuffix('pt')) * 96 / 72:.0f}")
    root.set("role", "img")
    root.set("aria-label", alt)
    return Markup(ET.tostring(root, encoding="unicode"))


def _drop_styles(root: ET.Element) -> None:
    """Remove matplotlib's `<style>`, which would apply to the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style":
                parent.remove(child)


def _rename(root: ET.Element, name: str) -> None:
    """Prefix identifiers that are referenced with the figure's name, and remove all others."""
    referenced = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", ET.tostring(root, encoding="unicode")))
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                if value in referenced:
                    element.set("id", f"{name}-{value}")
                else:
                    del element.attrib["id"]
            elif key == f"{{{XLINK}}}href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))
