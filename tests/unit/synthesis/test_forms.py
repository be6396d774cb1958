"""Form, recap clause, content words and layout of texts."""

import pytest

from workflow_scripts.synthesis import forms


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("How does granite resist water?", "question"),
        ("Considering the tight lattice, how does granite resist water?", "question"),
        ("Could you elaborate on the lattice?", "question"),
        ("Explain how granite resists water.", "imperative"),
        ("Please describe the lattice", "imperative"),
        ("Given the tight lattice, explain how water gets in.", "imperative"),
        ("Expand on the lattice: how does water get in?", "mixed"),
        ("Granite resists water. Why does basalt not?", "question"),
        ("Granite resists water, as tests show.", None),
        ("Describing granite takes time.", None),
        ("", None),
    ],
)
def test_form(text, form):
    assert forms.form(text) == form


@pytest.mark.parametrize(
    ("text", "recap"),
    [
        ("Considering the lattice, how does water get in?", True),
        ("Reflecting on the lattice, what follows?", True),
        ("With the lattice in mind, how does water get in?", True),
        ("In light of its age, is granite rare?", True),
        ("Reflect on the lattice.", False),
        ("How, given the lattice, does water get in?", False),
    ],
)
def test_recap(text, recap):
    assert forms.has_recap(text) is recap


@pytest.mark.parametrize(
    ("text", "narrows"),
    [
        ("Explain the lattice of granite, particularly in wet regions.", True),
        ("Explain the lattice, taking the climate into account.", True),
        ("Particularly in wet regions, why does the lattice of granite fail so often?", False),
        ("Explain the lattice of granite.", False),
    ],
)
def test_narrowing(text, narrows):
    assert forms.has_narrowing(text) is narrows


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One.", 1),
        ("One? Two.", 2),
        ("At 3.5 metres, e.g. here, it ends", 1),
        ('He said "no." Then he left.', 2),
        ("", 1),
    ],
)
def test_sentences(text, count):
    assert forms.sentences(text) == count


def test_content_words_are_stems_without_generic_words():
    assert forms.content_words("What is the difference between weathering of DNA in 1450 and the idea?") == {
        "weathe", "dna", "1450",
    }  # fmt: skip
    assert forms.has_anchor("Why do crystals crack?", "The crystal cracked.")
    assert not forms.has_anchor("What is an example of this idea?", "The idea has an example.")


@pytest.mark.parametrize(
    ("answer", "layout"),
    [
        ("Granite is hard. It consists of crystals.", "prose"),
        ("Parts:\n\n1. Quartz: hard.\n2. Feldspar: less hard.\n3. Mica: soft.", "list"),
        ("1. Quartz is hard. 2. Feldspar is less hard. 3. Mica is soft.", "list"),
        ("- a\n- b", "prose"),
        ("```python\nx = 1\n```\nThis sets x.", "code"),
        ("x = 2 + 3\ny = 4 * x\nz = y - 1\nSo z = 19.", "mathematics"),
        ("The lamp is out,\nthe night is long,\nthe sea is grey,\nthe wind is strong,\nthe candle burns,\nand so does he.", "verse"),
    ],
)  # fmt: skip
def test_layout(answer, layout):
    assert forms.layout(answer) == layout


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        ("Granite is hard.", False),
        ("Granite is hard because the", True),
        ("It says “hard”.", False),
        ("```\nx\n```\ny\n```\n```", False),
    ],
)
def test_ends_mid_sentence(answer, ends):
    assert forms.ends_mid_sentence(answer) is ends


def test_the_last_part_is_a_paragraph_or_a_sentence():
    assert forms.last_part("One.\n\nIn summary, two. Three.") == "In summary, two. Three."
    assert forms.last_part("One. However, two.") == "However, two."
