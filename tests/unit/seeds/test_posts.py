"""The text of posts, excerpts, and the tasks asked of them."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.seeds.posts import excerpt, introduce, is_announcement, task_families, tasks_for, to_text

FORMULA = (
    'If <span class="mjpage"><span class="mjx-chtml"><span class="mjx-math" aria-label="x^2 \\in\n S">'
    '<span class="mjx-char">x</span><span class="mjx-char">2</span></span></span></span> holds.'
)
FOOTNOTES = {
    "ckeditor": (
        '<p>Claim<span class="footnote-reference" id="fnrefab"><sup><a href="#fnab">[1]</a></sup></span> holds.</p>'
        '<ol class="footnote-section footnotes"><li class="footnote-item" id="fnab"><span class="footnote-back-link">'
        '<a href="#fnrefab">^</a></span><div class="footnote-content"><p>Note.</p></div></li></ol>'
    ),
    "markdown-it": (
        '<p>Claim<sup class="footnote-ref"><a href="#fn-x-1" id="fnref-x-1">[1]</a></sup> holds.</p>'
        '<hr class="footnotes-sep"><section class="footnotes"><ol><li id="fn-x-1"><p>Note.'
        '<a href="#fnref-x-1" class="footnote-backref">↩︎</a></p></li></ol></section>'
    ),
    "pandoc": (
        '<p>Claim<a id="fnref1" class="footnoteRef" href="#fn1"><sup>1</sup></a> holds.</p>'
        '<div class="footnotes"><hr /><ol><li id="fn1"><p>Note.<a href="#fnref1">↩</a></p></li></ol></div>'
    ),
    "kramdown": (
        '<p>Claim<sup id="fnref:a"><span class="footnote">1</span></sup> holds.</p>'
        '<div class="footnotes"><ol><li id="fn:a"><p>Note.</p></li></ol></div>'
    ),
}


@pytest.mark.parametrize(
    ("html", "paragraphs"),
    [
        ("<p>One &amp; two.</p>\n<p>Three.</p>", ["One & two.", "Three."]),
        ("<p>An <em>import</em>ant word,\nand\xa0\u200bthe  next.</p>", ["An important word, and the next."]),
        ("Intro<p>Next</p>", ["Intro", "Next"]),
        ("One<br>two<br />\nthree", ["One", "two", "three"]),
        ("<b>One</b>\ntwo", ["One", "two"]),  # without blocks, line ends separate paragraphs
        ("<section>One</section><section>Two</section>", ["One", "Two"]),
        ("<h2>Head</h2>Body<hr>End", ["Head", "Body", "End"]),
        ("<ul><li>One<ul><li>Two</li></ul></li><li><p>Three</p></li><li> </li></ul>", ["- One", "- Two", "- Three"]),
        ("<ol><li>One</li>\n<li><p>Two</p><p>More</p></li></ol>", ["1. One", "2. Two", "More"]),
        ("<blockquote>Quote<p>Next</p></blockquote>After", ["> Quote", "> Next", "After"]),
        ("<blockquote><p>A</p><blockquote><p>B</p></blockquote></blockquote>", ["> A", "> > B"]),
        ("<pre><code>def f():\n    return 1\n\nf()\n</code></pre>", ["def f():\n    return 1\n\nf()"]),
        ("<p>A</p><pre>  x\n\ty</pre>", ["A", "  x\n    y"]),
        ("<p>Use <code>f(x)</code> here.</p>", ["Use f(x) here."]),
        (
            "<table><tbody>\n<tr>\n<th>A</th>\n<th>B</th>\n</tr><tr><td><p>1</p><p>2</p></td><td></td></tr></tbody></table>",
            ["A | B", "1 2 |"],
        ),
        (f"<p>{FORMULA}</p>", ["If $x^2 \\in S$ holds."]),
        ("<p>10<sup>-24</sup>, the 20<sup>th</sup>, x<sub>t</sub>, H<sub>2</sub>O</p>", ["10^-24, the 20th, x_t, H2O"]),
        ('<p>See<img src="a.png" alt="a chart">:</p><figure><img><figcaption>C</figcaption></figure>', ["See:"]),
        ("<html><head><style>p {}</style><title>T</title></head><body><p>A</p></body></html>", ["A"]),
        ("<p>A<script>alert()</script><!-- [if mso]><xml>B</xml> --></p><iframe>C</iframe>", ["A"]),
        ("<p><![if !supportLists]>1.<![endif]> A <!--[if gte mso 9]><xml>B</xml><![endif]--><![other C</p>", ["1. A"]),
        ("<!DOCTYPE html><p>A</p>", ["A"]),
        ("<html><head></head><body></body></html>", []),  # a link post
        ("<p>&lt;p&gt; begins a paragraph</p>", ["<p> begins a paragraph"]),
    ],
)
def test_html(html, paragraphs):
    assert to_text(html) == paragraphs


@pytest.mark.parametrize("html", FOOTNOTES.values(), ids=FOOTNOTES)
def test_footnotes_are_removed_with_their_marks(html):
    assert to_text(html) == ["Claim holds."]


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("# Head\r\n\n* one\n    * two  \n", ["# Head", "* one", "    * two"]),
        (
            "If a<b and c>d, then <https://example.org> & so on.",
            ["If a<b and c>d, then <https://example.org> & so on."],
        ),
        ("a &amp; b", ["a &amp; b"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_text_without_tags_is_kept(text, paragraphs):
    assert to_text(text) == paragraphs


def test_deep_nesting():
    """Old posts contain unclosed paragraphs."""
    assert to_text("<p>a" * 1500) == ["a"] * 1500


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), min_size=1))
def test_no_word_is_lost_or_joined(words):
    assert to_text("".join(f"<p>{word}</p>" for word in words)) == words


def test_excerpt():
    paragraphs = ["a" * 40, "b" * 40, "c" * 40]
    assert excerpt(paragraphs, 122) == ("\n".join(paragraphs), True)
    assert excerpt(paragraphs, 121) == ("\n".join(paragraphs[:2]), False)
    assert excerpt(paragraphs, 81) == ("\n".join(paragraphs[:2]), False)
    assert excerpt(paragraphs, 80) == (paragraphs[0], False)
    assert excerpt([], 10) == ("", True)


@pytest.mark.parametrize(
    ("paragraph", "max_chars", "text", "complete"),
    [
        ("One is. “Two is.” Three is.", 20, "One is. “Two is.”", False),
        ("One is. Two is.", 7, "One is.", False),
        ("one two three", 9, "one two", False),
        ("a" * 40, 10, "a" * 40, True),
    ],
)
def test_a_first_paragraph_that_is_too_long(paragraph, max_chars, text, complete):
    assert excerpt([paragraph], max_chars) == (text, complete)


@given(st.lists(st.lists(st.sampled_from(["a", "bc.", "d?", "e" * 30]), min_size=1).map(" ".join)), st.integers(1, 200))
def test_an_excerpt_is_a_prefix(paragraphs, max_chars):
    text, complete = excerpt(paragraphs, max_chars)
    assert "\n".join(paragraphs).startswith(text)
    assert complete == (text == "\n".join(paragraphs))
    assert bool(text) == bool(paragraphs)


def test_families():
    families = task_families()
    assert set(families) == {"complex_summary", "argument"}
    tasks = [(task, form) for forms in families.values() for form, family in forms.items() for task in family]
    assert len({task for task, _ in tasks}) == len(tasks)
    for forms in families.values():
        assert set(forms) == {"whole", "excerpt"} and all(len(family) >= 10 for family in forms.values())
    for task, form in tasks:
        assert task == " ".join(task.split()) and task[0].isupper() and task[-1] in ".?"
        # An excerpt does not contain what a task about the whole post may need, for example its conclusion.
        assert bool(re.search(r"\bpart of the post\b", task)) == (form == "excerpt"), task
        assert form == "whole" or not re.search(r"\b(?:conclusion|essay|this post)\b", task), task
        # It follows the post.
        assert not re.search(r"\b(following|below)\b", task), task


@pytest.mark.parametrize("complete", [True, False])
def test_tasks_are_chosen_by_content(complete):
    families = task_families()
    keys = [f"post {number}" for number in range(400)]
    for name, forms in families.items():
        chosen = [tasks_for(key, [name], complete)[0][1] for key in keys]
        both = [tasks_for(key, ["argument", "complex_summary"], complete) for key in keys]
        assert chosen == [tasks[name != "argument"][1] for tasks in both]
        assert set(chosen) == set(forms["whole" if complete else "excerpt"])
    assert tasks_for("post", [], complete) == []
    # Golden: the same post gets the same task on every machine.
    names = ["complex_summary", "argument"]
    assert [name for name, _ in tasks_for("post", names, complete)] == names


def test_another_task_in_a_family_moves_few_posts(monkeypatch):
    keys = [f"post {number}" for number in range(200)]
    before = [tasks_for(key, ["argument"], True) for key in keys]
    more = {"argument": {"whole": [*task_families()["argument"]["whole"], "What else?"]}}
    monkeypatch.setattr("workflow_scripts.seeds.posts.task_families", lambda: more)
    after = [tasks_for(key, ["argument"], True) for key in keys]
    assert {new[0][1] for old, new in zip(before, after, strict=True) if old != new} == {"What else?"}


def test_an_unknown_family_is_named():
    with pytest.raises(UserError, match=r"unknown tasks for posts: other\. Choose from argument, complex_summary\."):
        tasks_for("post", ["argument", "other"], True)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Meetup : Brussels meetup, board games", True),
        ("Weekly LW Meetups", True),
        ("Meet-up in Ghent on Sunday", True),
        ("Open Thread, January 4-10, 2016", True),
        ("Open & Welcome Thread - June 2020", True),
        ("Monthly Bragging Thread", True),
        ("Media Thread (May)", True),
        ("Gratitude thread :-)", True),
        ("Rationality Quotes: March 2012", True),
        ("Group Rationality Diary, February 2016", True),
        ("Rationality Reading Group: Part T", True),
        ("Welcome to Less Wrong! (7th thread)", True),
        ("[Moderator action] Two accounts are banned", True),
        ("The thread that runs through all of decision theory", False),
        ("Why meetings fail and how to meet up better", False),
        ("How I met quotes out of context", False),
        ("Welcome surprises in probability", False),
        ("", False),
    ],
)
def test_announcements_and_threads(title, expected):
    assert is_announcement(title, "<p>Body.</p>") == expected
    assert is_announcement(title, "<h2>Discussion article for the meetup : Ghent</h2>")


def test_the_introduction_of_a_post():
    assert introduce("T", "Body.", True) == 'This is a post titled "T":\n\nBody.'
    assert introduce("T", "Body.", False) == 'This is the first part of a post titled "T":\n\nBody.'
    assert introduce("", "Body.", False) == "This is the first part of a post:\n\nBody."


@pytest.mark.parametrize(
    "unit", ["<div>", "<b>x", "<li>x", "<ol><li>x", "<p>x", "<br>x", "<table><tr><td>x", "<script></script>"]
)
def test_the_time_to_read_open_tags_is_linear(unit):
    """Eight times the tags take eight times as long; with the square of their number it were 64 times."""
    seconds = []
    for count in (1_000, 8_000):
        times = []
        for _ in range(3):  # the shortest of three: other processes disturb
            start = time.process_time()
            texts = to_text(unit * count + "end")
            times.append(time.process_time() - start)
        seconds.append(min(times))
        assert sum(text.count("x") for text in texts) == unit.count("x") * count and "end" in texts[-1][-9:]
    assert seconds[1] < 24 * seconds[0] + 0.05
