"""Texts of others in a card are shown and do nothing: checked on what a Markdown renderer makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.release.markdown import code, plain

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


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_holds_the_whole_text(text):
    shown = code(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    inside = shown[len(fence) : -len(fence)]
    # The span ends where it should: no run of backticks inside is as long as the fence, and none touches it.
    runs = [run for run in inside.replace("`", " ` ").split("  ") if run]
    assert fence and shown.endswith(fence) and fence not in inside
    assert not inside.startswith("`") and not inside.endswith("`") and runs is not None
    assert "\n" not in shown and "|" not in shown
    assert not any(sign in shown for sign in "\u202e\u202c\u200b\u2028")


def test_hidden_characters_are_told():
    assert code("a\u202eb") == "`a<U+202E>b`"
    assert plain("a\u202eb\x00") == "a\\<U\\+202E\\>b\\<U\\+0000\\>"


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_has_no_markup(text):
    shown = plain(text)
    bare = shown.replace("\\\\", "")
    for mark in "`*_{}[]()<>#+!|~&$@":
        bare = bare.replace(f"\\{mark}", "")
        assert mark not in bare
    assert "\n" not in shown


@given(st.text())
def test_no_text_ends_its_span(text):
    shown = code(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert fence not in shown[len(fence) : -len(fence)] and "|" not in shown and "\n" not in shown
