"""Untrusted text in a card is displayed as text only, checked with a Markdown renderer."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from workflow_scripts.release.markdown import code, plain, visible

HOSTILE = [
    "<script>alert(1)</script>",
    "![x](https://e.example/p.png)",
    "[c](javascript:alert(1))",
    "a | b\n| --- |\n# c",
    "`` ` ```",
    "`",
    "https://e.example www.e.example a@e.example",
    "\u202ereversed\u202c \u200bzero\u2028line",
    "$$x$$ \\(y\\) **b** _i_ ~s~ &lt; :smile: @mention #1",
    "---\nlicense: mit\n---",
    "",
]


def rendered(line):
    """A table cell as HTML, from a Markdown renderer."""
    return MarkdownIt("commonmark").enable("table").render(f"| a | b |\n|---|---|\n| {line} | end |\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_contains_the_complete_text(text):
    shown = code(text)
    assert rendered(shown).count("<code>") == 1 and rendered(shown).count("<td>") == 2
    cell = html.unescape(re.search(r"<td><code>(.*)</code></td>", rendered(shown))[1])
    assert cell.strip() == visible(text).replace("|", "\u00a6").strip()
    assert not any(sign in shown for sign in "\u202e\u202c\u200b\u2028\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_contains_no_markup(text):
    cell = re.search(r"<td>(.*)</td>\n<td>end</td>", rendered(plain(text)))[1]
    assert "<" not in cell
    assert html.unescape(cell) == visible(text)


def test_hidden_characters_are_written_as_code_points():
    assert code("a\u202eb") == "`a<U+202E>b`"
    assert plain("a\u202eb\x00") == "a\\<U\\+202E\\>b\\<U\\+0000\\>"


@given(st.text())
def test_no_text_ends_its_code_span(text):
    shown = code(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert fence not in shown[len(fence) : -len(fence)] and "|" not in shown and "\n" not in shown
