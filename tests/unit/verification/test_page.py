"""The page: formulas are rendered, other text is shown as written, and the reason for an item is not shown."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.verification.page import as_html, labelling_config, task


@pytest.mark.parametrize(
    "text",
    [r"So $\frac{1}{2}mv^2$.", r"So \(\frac{1}{2}mv^2\).", r"So $$\frac{1}{2}mv^2$$.", r"So \[\frac{1}{2}mv^2\]."],
)
def test_formulas_are_rendered(text):
    shown = as_html(text)
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in shown and "frac{" not in shown
    assert ('display="block"' in shown) == ("$$" in text or "[" in text)


@pytest.mark.parametrize("text", ["It costs $5, not $6.", "from $ to $", "x_1 and x^2", r"a broken $\frac{1}{$ stays"])
def test_other_text_is_unchanged(text):
    assert as_html(text) == text


HOSTILE = [
    "<script>alert(1)</script>",
    r"$\text{<script>alert(1)</script>}$",
    r"$\href{javascript:alert(1)}{x}$",
    "<img src=x onerror=alert(1)> & <style>body{display:none}</style>",
    r"$\style{position:fixed}{x}$",
    "$<img src=x onerror=alert(1)>$",
    r"$\text{&lt;script&gt;}$",
]
MATHML = {
    "math",
    "mrow",
    "mi",
    "mo",
    "mn",
    "mtext",
    "mfrac",
    "msub",
    "msup",
    "msubsup",
    "mspace",
    "mstyle",
    "msqrt",
    "mroot",
}


def elements(text):
    """Names and attributes of all elements of the HTML, which must be well-formed."""
    root = ElementTree.fromstring(f"<p>{as_html(text)}</p>")
    return {(part.tag.rpartition("}")[2], name) for part in root.iter() for name in [*part.attrib, None]} - {
        ("p", None)
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    found = elements(text)
    assert {name for name, _ in found} <= MATHML
    assert not {attribute for _, attribute in found} & {"href", "style", "src", "onerror"}


@given(st.text(alphabet=st.sampled_from(r'abx12<>&"\${}()[]^_ ' + "\n/"), max_size=60))
def test_any_text_gives_a_page(text):
    # The parser checks well-formedness; control characters do not get this far.
    assert isinstance(as_html(text), str)
    if "$" not in text and "\\" not in text:
        assert not elements(text)


def test_a_task_does_not_reveal_the_expected_verdict():
    item = {
        "id": "aaaa", "kind": "gold", "why": ["gold"], "expected": "wrong", "field": "physics", "topic": "", "source": "s",
        "doubts": {}, "conversation": [{"input": "How many?", "output": "Three."}, {"input": "Why?", "output": "So."}],
    }  # fmt: skip
    data = task(item, "anna")
    assert set(data) == {"item", "reviewer", "title", "exchanges"} and data["title"] == "physics"
    assert len(data["exchanges"]) == 2 and "ANSWER 2" in data["exchanges"][1]["html"]
    assert not {"gold", "wrong"} & set(str(data).split("'"))


def test_the_labelling_configuration_is_xml_with_a_choice_for_each_verdict():
    root = ElementTree.fromstring(labelling_config())
    assert [choice.get("alias") for choice in root.iter("Choice")] == ["correct", "minor_error", "wrong", "incoherent"]
    assert root.find("Repeater").get("indexFlag") == "{{idx}}"
