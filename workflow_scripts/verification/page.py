"""The review page: Label Studio's labelling configuration, and a task for each item."""

import html
import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from latex2mathml.converter import convert_to_element

from workflow_scripts.common.types import Row
from workflow_scripts.verification.items import VERDICTS

# A formula in brackets contains no other opening bracket, so that the time is linear in the text.
# $$…$$, \[…\], \(…\), and $…$ by pandoc's rule: no space inside the marks, no digit after them, so prices stay text.
FORMULA = re.compile(
    r"\$\$(.+?)\$\$|(?<!\\)\\\[((?:(?!(?<!\\)\\\[).)+?)\\\]|\\\(((?:(?!\\\().)+?)\\\)|\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)
# The attributes that a MathML element keeps.
ALLOWED_ATTRIBUTES = {
    "accent", "columnalign", "columnlines", "columnspacing", "depth", "display", "displaystyle", "fence", "form", "height",
    "largeop", "linethickness", "lspace", "mathvariant", "maxsize", "minsize", "movablelimits", "rowlines", "rowspacing",
    "rspace", "scriptlevel", "separator", "stretchy", "symmetric", "voffset", "width", "xmlns",
}  # fmt: skip
STYLE = """
.htx-richtext { border: 0; }
.turn { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; border-left: 4px solid #7a8ca8; padding: .4em .8em; margin: .3em 0; }
.question { border-left-color: #b5651d; }
.role { font-size: .75em; font-weight: 700; letter-spacing: .05em; }
.judged { border: 1px solid #9994; border-radius: 6px; padding: 0 1em .6em; margin: 0 0 1.5em; }
math { font-size: 1.1em; }
"""


def as_html(text: str) -> str:
    """HTML that shows a text as written, except LaTeX formulas, which become MathML.

    Everything else, including a formula that cannot be parsed, is escaped: no text of a dataset becomes markup.
    """
    parts, end = [], 0
    for match in FORMULA.finditer(text):
        parts += [html.escape(text[end : match.start()]), _formula(match)]
        end = match.end()
    return "".join([*parts, html.escape(text[end:])])


def _formula(match: re.Match[str]) -> str:
    body = next(group for group in match.groups() if group is not None)
    block = match[1] is not None or match[2] is not None
    try:
        element = convert_to_element(body, display="block" if block else "inline")
    except Exception:  # latex2mathml raises many kinds of errors for invalid formulas
        return html.escape(match[0])
    for part in element.iter():
        # latex2mathml writes entities into texts and passes `\\text{<script>}` through; here ElementTree escapes.
        part.text = html.unescape(part.text) if part.text else part.text
        for name in set(part.attrib) - ALLOWED_ATTRIBUTES:  # \\href and \\style
            del part.attrib[name]
    return ElementTree.tostring(element, encoding="unicode")


def exchange_html(exchange: Row, number: int) -> str:
    """A question and its answer as HTML."""
    return (
        f'<div class="turn question"><div class="role">QUESTION {number}</div>{as_html(exchange["input"])}</div>'
        f'<div class="turn"><div class="role">ANSWER {number}</div>{as_html(exchange["output"])}</div>'
    )


def task(item: Row, reviewer: str) -> Row:
    """The task data of an item for a reviewer, without the reasons for its selection and without the expected verdict."""
    exchanges = [{"html": exchange_html(exchange, n)} for n, exchange in enumerate(item["conversation"], 1)]
    title = " · ".join(part for part in (item["field"], item["topic"]) if part)
    return {"item": item["id"], "reviewer": reviewer, "title": title, "exchanges": exchanges}


def labelling_config() -> str:
    """The labelling configuration in XML: for every exchange a verdict with its own key, confidence, correction and note."""
    choices = "".join(f'<Choice value={quoteattr(label)} alias="{name}"/>' for name, label in VERDICTS.items())
    return f"""<View>
  <Style>{STYLE}</Style>
  <Header value="$title" size="4"/>
  <Repeater on="$exchanges" indexFlag="{{{{idx}}}}">
    <HyperText name="exchange_{{{{idx}}}}" value="$exchanges[{{{{idx}}}}].html" inline="true" selectionEnabled="false"/>
    <View className="judged">
      <Choices name="verdict_{{{{idx}}}}" toName="exchange_{{{{idx}}}}" choice="single-radio" showInline="true" required="true" requiredMessage="Judge every answer">{choices}</Choices>
      <Header value="How sure are you?" size="6"/>
      <Rating name="confidence_{{{{idx}}}}" toName="exchange_{{{{idx}}}}" maxRating="5"/>
      <TextArea name="corrected_{{{{idx}}}}" toName="exchange_{{{{idx}}}}" rows="3" editable="true" maxSubmissions="1" placeholder="The complete corrected answer, if you can give it"/>
      <TextArea name="note_{{{{idx}}}}" toName="exchange_{{{{idx}}}}" rows="1" editable="true" maxSubmissions="1" placeholder="A note: what is wrong?"/>
    </View>
  </Repeater>
</View>
"""
