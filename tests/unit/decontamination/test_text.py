"""The normal form of one text and of batches, and the mapping to the original text."""

import re
import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.decontamination.spans import OffsetMapping
from workflow_scripts.decontamination.text import is_long, normal_texts, normalise

# Any character, often one whose normal form depends on its neighbours.
TRICKY = st.sampled_from(
    list("aB \n*_-é²ﬁßİ½北가\u0301\u0308\u0345\u1100\u1161\u11a8\u200b\u200d\ufeff\U0001f600\ud800\udc00")
    # Format characters, tatweel, vowel points, spacing marks, fillers, selectors.
    + list(
        "\xad\u034f\u0640\u064e\u0670\u05b0\u093f\u094d\u093c\u0e33\u0e34\u115f\u1160\u3164\ufe0f\U000e0101\u202e\u20dd´\ufe71"
    )
)
TEXTS = st.lists(st.text(st.one_of(TRICKY, st.characters(codec=None))), max_size=6)


def test_normal_form():
    assert normalise("**Why** does\n“Granite”\t—  erode?_ﬁne ²") == "why does granite erode fine 2"
    assert normalise("STRASSE") == normalise("straße")
    assert normalise("e\u0301te\u0301") == normalise("été")
    assert normalise("?!") == ""


@pytest.mark.parametrize(
    ("found", "item"),
    [
        ("gra\xadnite", "granite"),
        ("g\u200br\u200ba\u200bn\u200bi\u200bt\u200be", "granite"),
        ("\u202egranite\ufeff", "granite"),
        ("e\u034f\u0301tude", "étude"),
        ("e\xad\u0301tude", "étude"),  # composition goes on behind a removed character
        ("صـــخر", "صخر"),
        ("صَخْر", "صخر"),
        ("\u200fصخر\u200f", "صخر"),
        ("שָׁלוֹם", "שלום"),
        ("❤\ufe0f granite", "granite"),
        ("नहीं", "नहीं"),
    ],
)
def test_format_characters_and_marks_inside_words_cost_nothing(found, item):
    assert normalise(found) == normalise(item) != ""
    assert " " not in normalise(found)


def test_every_character_by_its_unicode_properties():
    """The definition a second time, with the property names of Unicode; characters newer than Python's data are left out."""
    removed = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\u0640]")
    marks = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{M}\u0640]")
    for code in (code for code in range(0x30000) if not 0xD800 <= code < 0xE000):
        text = f"x{chr(code)}y"
        if unicodedata.category(chr(code)) == "Cn" and not regex.match(r"\p{Default_Ignorable_Code_Point}", text[1]):
            continue
        folded = unicodedata.normalize("NFKC", removed.sub("", text)).casefold()
        assert normalise(text) == re.sub(r"[\W_]+", " ", marks.sub("", folded)).strip(), hex(code)


@given(st.text())
def test_normal_form_is_words_between_single_spaces(text):
    normal = normalise(text)
    assert normal == " ".join(normal.split())


def padded(normal):
    return f" {normal} " if normal else " "


@settings(max_examples=300)
@given(TEXTS)
def test_a_batch_has_the_same_normal_forms(texts):
    found = {}
    for part in normal_texts(texts):
        for number, text in enumerate(part.numbers):
            codes = part.codes[part.bounds[number] : part.bounds[number + 1]]
            found[int(text)] = "".join(map(chr, codes))
    assert [found[number] for number in range(len(texts))] == [padded(normalise(text)) for text in texts]


@settings(max_examples=300)
@given(TEXTS.filter(bool))
def test_an_offset_mapping_has_the_normal_form_of_the_turns(turns):
    assert OffsetMapping(turns).normal == padded(normalise("\n".join(turns)))


@settings(max_examples=300)
@given(TEXTS.filter(lambda turns: normalise("\n".join(turns))), st.data())
def test_a_span_contains_the_requested_part(turns, data):
    """The normal form of the original text of a span contains the requested part."""
    offsets = OffsetMapping(turns)
    words = [at for at, char in enumerate(offsets.normal) if char == " "]
    first = data.draw(st.integers(0, len(words) - 2))
    last = data.draw(st.integers(first + 1, len(words) - 1))
    span = offsets.span(words[first], words[last] + 1)
    requested = offsets.normal[words[first] : words[last] + 1].strip()
    assert requested in normalise(offsets.original(span))
    assert 0 <= span.start < len(turns[span.turn]) and 0 < span.end <= len(turns[span.end_turn])
    if span.turn == span.end_turn:
        assert offsets.original(span) == turns[span.turn][span.start : span.end]


def test_spans_of_turns():
    offsets = OffsetMapping(["**Why** does", "“Granite”\n— erode? Fine.", ""])
    place = offsets.normal.index("granite erode")
    span = offsets.span(place, place + len("granite erode"))
    assert (span.turn, span.start, span.end_turn, span.end) == (1, 1, 1, len("“Granite”\n— erode"))
    span = offsets.span(0, len(offsets.normal))
    assert (span.turn, span.start, span.end_turn) == (0, 2, 1)
    assert offsets.original(span) == "Why** does\n“Granite”\n— erode? Fine"


def test_long_enough_means_50_characters_or_8_words_or_20_without_spaces():
    assert [is_long("x" * 49), is_long("x" * 50)] == [False, True]
    assert [is_long("a b c d e f g"), is_long("a b c d e f g h")] == [False, True]
    assert [is_long("北" * 19), is_long("北" * 20), is_long("한" * 20)] == [False, True, False]
