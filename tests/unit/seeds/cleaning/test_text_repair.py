"""Mojibake is fixed exactly as ftfy fixes it and nothing else is; HTML around a whole text becomes text."""

import re

import ftfy
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from workflow_scripts.seeds.cleaning.text_repair import ABOUT_ENCODINGS, FIXES, WRAPPED, repair_texts

CHARACTERS = st.characters(exclude_categories=["Cs"])
WORDS = st.text(CHARACTERS, max_size=6)
# Text decoded with a wrong encoding, as found in the sources.
GARBLED = st.sampled_from(["é", "’", "“Größe”", "北京", "🪨", "naïve…"]).map(
    lambda word: word.encode().decode("latin-1" if word in ("北京", "🪨", "“Größe”") else "cp1252")
)
TROUBLE = st.sampled_from(
    ["\r\n", "\r", "\x1b[31m", "\x00", "\ufeff", "ﬁ", "ＡＢ", "‘a’", "&amp;", "&lt;p&gt;", "\xa0", "e\u0301", "<b>"]
)
TEXT = st.lists(WORDS | GARBLED | TROUBLE, max_size=6).map(" ".join)


@given(st.lists(TEXT, max_size=5))
def test_repairs_equal_ftfy(texts):
    assume(not any(re.search(WRAPPED, text) or re.search(ABOUT_ENCODINGS, text) for text in texts))
    repaired = repair_texts(pa.array(texts, pa.string())).to_pylist()
    assert repaired == [ftfy.fix_encoding(text, FIXES) for text in texts]


@given(st.text(st.characters(codec="ascii")) | st.text(st.characters(max_codepoint=0x2FF)))
def test_texts_that_are_skipped_are_unchanged_by_ftfy(text):
    """Printable ASCII is never passed to ftfy."""
    assume(not re.search(WRAPPED, text) and not re.search(ABOUT_ENCODINGS, text))
    assert repair_texts(pa.array([text])).to_pylist() == [ftfy.fix_encoding(text, FIXES)]


def test_broken_unicode():
    assert repair_texts(pa.array(["Itâ€™s a cafÃ©", "fine"])).to_pylist() == ["It’s a café", "fine"]


@pytest.mark.parametrize(
    "text",
    [
        "It shows “Ã¼” where it should show “ü”.",  # next to correct characters: not the whole text is damaged
        "In UTF-8 the letter becomes Ã¼ on such pages.",
        "&copy; is ©",
        "The ligature ﬂ is U+FB02.",
        "Full-width: ＸＹ",
        "len('e\u0301') == 2",
        "“curly” ‘quotes’",
        "One line\r\nand\u2028another",
        "\ufeff a mark",
        "\\x1b[32m in raw form",
    ],
)
def test_what_a_text_may_be_about_stays(text):
    assert repair_texts(pa.array([text])).to_pylist() == [text]


ENCODINGS = ["latin-1", "cp1252", "cp1251", "cp1250", "macroman", "cp437", "iso-8859-2"]
MISREAD = st.tuples(
    st.sampled_from(["é", "’", "Größe", "北京", "🪨", "…", "à", "Ж", "ш", "łó"]), st.sampled_from(ENCODINGS)
).map(lambda pair: pair[0].encode().decode(pair[1], "ignore"))


@settings(max_examples=300)
@given(
    st.lists(MISREAD | st.sampled_from(["a", " ", "\u3000", "1", "…", "é", "Â£"]), min_size=1, max_size=5).map("".join)
)
@example("Ă©Ă©")  # RE2's \w and \s match ASCII only
@example("a\u2003Ã ")
def test_every_mojibake_that_ftfy_knows_is_fixed(text):
    assert repair_texts(pa.array([text])).to_pylist() == [ftfy.fix_encoding(text, FIXES)]


def test_every_single_character_that_ftfy_changes_is_changed():
    texts = [f"a{chr(code)}b" for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    changed = [text for text in texts if ftfy.fix_encoding(text, FIXES) != text]
    repaired = repair_texts(pa.array(texts)).to_pylist()
    assert [text for text, after in zip(texts, repaired, strict=True) if text != after] == changed


def test_html_entities_stay():
    """A question may be about them."""
    texts = ["What does &amp; mean in HTML?", "Itâ€™s &eacute; &lt; 3"]
    assert repair_texts(pa.array(texts)).to_pylist() == [texts[0], "It’s &eacute; &lt; 3"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div class='markdown'><p>One &amp; two.</p></div>", "One & two."),
        ("<div class='markdown'><p>One.</p><p>Two.</p></div>", "One.\n\nTwo."),
        (' \n<div class="markdown prose">\n<p>One.</p>\n</div>\n', "One."),
        ("<div class='markdown'><h2>Head</h2>\n<p>Body</p></div>", "Head\n\nBody"),
        ("<div class='markdown'><ol><li>One</li><li>Two</li></ol></div>", "1. One\n\n2. Two"),
        ("<div class='markdown'><div><pre>a = 1\n  b = 2</pre></div></div>", "a = 1\n  b = 2"),
        ("<div class='markdown'><table><tr><td>A</td><td>B</td></tr></table></div>", "A | B"),
        ("<div class='markdown'><p>Itâ€™s a cafÃ©</p></div>", "It’s a café"),
        ("<div class='markdown'><p>&lt;p&gt; begins a paragraph</p></div>", "<p> begins a paragraph"),
    ],
)
def test_html_around_a_whole_text_becomes_text(html, text):
    assert repair_texts(pa.array([html])).to_pylist() == [text]


@pytest.mark.parametrize(
    "text",
    [
        "<ul><li>One</li><li>Two</li></ul>",  # requested by a user
        "How do I centre <div>this</div>?",
        "<div> opens a block.",
        "Close it with </div>",
        "<p>One.</p> Why is it so?",
        "Write <p>One.</p> here",
        "```html\n<div>One</div>\n```",
        "<button>One</button>",
        "<param><p>One</p>",
        "<!DOCTYPE html>\n<html><body><p>One</p></body></html>",
        "a < b and b > c",
        '<div><img src="a.png"></div>',  # no text would be left
    ],
)
def test_code_about_html_stays(text):
    assert repair_texts(pa.array([text])).to_pylist() == [text]


def test_nulls_stay_and_every_text_keeps_its_place():
    texts = [None, "cafÃ©", None, "plain", "<div class='markdown'><p>One</p></div>", None, ""]
    assert repair_texts(pa.array(texts)).to_pylist() == [None, "café", None, "plain", "One", None, ""]
    assert repair_texts(pa.array(texts)[2:]).to_pylist() == [None, "plain", "One", None, ""]
    assert repair_texts(pa.array([None, None], pa.string())).to_pylist() == [None, None]
    assert repair_texts(pa.array([], pa.string())).to_pylist() == []


@given(st.lists(st.none() | TEXT | st.just("<div class='markdown'><p>Ãœber &amp; out</p></div>"), max_size=6))
def test_a_text_is_repaired_the_same_alone_and_in_a_batch(texts):
    alone = [None if text is None else repair_texts(pa.array([text]))[0].as_py() for text in texts]
    repaired = repair_texts(pa.array(texts, pa.string()))
    assert repaired.to_pylist() == alone
    assert repaired.type == pa.string()
