"""Published layouts read into seeds."""

import pytest

from workflow_scripts.seeds.layouts import POST_TASKS, Unreadable, adapt, texts

ORIGIN = {"dataset": "a/b", "revision": "c0ffee"}


def source(layout, **more):
    return {"id": "x", "label": "Label", "license": "MIT", "layout": layout, **more}


def read(layout, row, **more):
    return adapt(row, source(layout, **more), ORIGIN)


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": " Why? ", "response": "So."},
        {"prompt": "Why?", "output": "So."},
        {"question": "Why?", "answer": "So.", "unknown": 1},
        {"instruction": "Why?", "input": None, "output": "So."},
    ],
)
def test_instruction(row):
    seed = read("instruction", row, domain="Geology")
    assert (seed["instruction"], seed["context"], seed["response"]) == ("Why?", "", "So.")
    assert (seed["source"], seed["dataset"], seed["revision"]) == ("Label", "a/b", "c0ffee")
    assert (seed["license"], seed["kind"], seed["domain"]) == ("MIT", "instruction", "Geology")


def test_instruction_keeps_input_and_category():
    seed = read("instruction", {"instruction": "Why?", "input": "A", "output": "So.", "category": "wh", "system": ""})
    assert (seed["context"], seed["meta"]) == ("A", {"category": "wh"})


def test_problem():
    row = {"message_1": "Solve x.", "message_2": "x = 1", "topic;": "Algebra", "sub_topic": "Linear"}
    seed = read("problem", row)
    assert (seed["instruction"], seed["response"], seed["kind"]) == ("Solve x.", "x = 1", "problem")
    assert seed["meta"] == {"topic": "Algebra", "sub_topic": "Linear"}  # the key is literally `topic;` in CamelAI


def test_problem_with_the_topic_spelt_right_or_missing():
    row = {"message_1": "Solve x.", "message_2": "x = 1"}
    assert read("problem", {**row, "topic": "Algebra"})["meta"] == {"topic": "Algebra"}
    assert read("problem", row)["meta"] == {}


def test_a_column_that_is_empty_does_not_hide_its_twin():
    """`datasets` gives every row all columns: where rows differ in a name, the others hold None."""
    row = {"message_1": "Solve x.", "message_2": "x = 1", "topic;": None, "topic": "Algebra"}
    assert read("problem", row)["meta"] == {"topic": "Algebra"}


def test_post():
    row = {"title": "Stones", "htmlBody": "<p>One &amp; two.</p>\n<p>Three.</p>", "user": {"displayName": "Ann"}}
    seed = read("post", {**row, "postedAt": "2018-05-14T08:22:41.305Z", "pageUrl": "https://x.org"}, post_chars=1000)
    assert seed["context"] == "Stones\n\nOne & two.\nThree."
    assert seed["instruction"] in POST_TASKS
    assert (seed["response"], seed["kind"]) == ("", "post")
    assert seed["meta"] == {
        "title": "Stones",
        "author": "Ann",
        "date": "2018-05-14T08:22:41.305Z",
        "address": "https://x.org",
        "excerpt": False,
    }


@pytest.mark.parametrize("row", [{"text": "Body."}, {"contents": {"html": "<p>Body.</p>"}}, {"htmlBody": "Body."}])
def test_post_under_its_other_names(row):
    assert read("post", row, post_chars=100)["context"] == "Body."


def test_a_long_post_ends_with_a_whole_paragraph():
    html = "".join(f"<p>{letter * 40}</p>" for letter in "abc")
    seed = read("post", {"htmlBody": html}, post_chars=100)
    assert (seed["context"], seed["meta"]["excerpt"]) == (f"{'a' * 40}\n{'b' * 40}", True)
    assert read("post", {"htmlBody": html}, post_chars=10)["context"] == "a" * 40  # at least one


def test_inline_markup_does_not_break_a_paragraph():
    seed = read("post", {"htmlBody": "<p>An <em>important</em> word.</p><p>Next.</p>"}, post_chars=100)
    assert seed["context"] == "An important word.\nNext."


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<ul><li>One<ul><li>Two</li></ul></li></ul>", ["One", "Two"]),
        ("Intro<p>Next</p>", ["Intro", "Next"]),
        ("<blockquote>Quote<p>Next</p></blockquote>", ["Quote", "Next"]),
        ("<section>One</section><section>Two</section>", ["One", "Two"]),
    ],
)
def test_words_of_two_blocks_never_grow_together(html, lines):
    assert read("post", {"htmlBody": html}, post_chars=100)["context"].split("\n") == lines


@pytest.mark.parametrize("row", [{"htmlBody": " <p> </p>"}, {"htmlBody": "", "title": "T"}, {"contents": None}])
def test_an_empty_post_holds_no_seed(row):
    with pytest.raises(Unreadable, match=r"^empty_post$"):
        read("post", row, post_chars=100)


def test_conversation():
    exchanges = [{"input": " Why? ", "output": "So."}, {"input": "And?", "output": "Thus."}]
    seed = read("conversation", {"conversation": exchanges})
    assert (seed["instruction"], seed["response"]) == ("Why?", "So.")
    assert seed["meta"] == {"conversation": exchanges}


def test_a_conversation_that_cannot_be_read_has_a_reason():
    with pytest.raises(Unreadable, match=r"^does_not_end_with_an_assistant_message$"):
        read("conversation", {"conversations": [{"from": "human", "value": "Why?"}]})


def test_a_reason_is_a_name_and_holds_nothing_of_the_data():
    row = {"conversations": [{"from": who, "value": "x"} for who in ("human", "<b>x</b>")]}
    with pytest.raises(Unreadable, match=r"^[a-z_]+$"):
        read("conversation", row)


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match="response or output or answer"):
        read("instruction", {"instruction": "Why?"})
    with pytest.raises(KeyError, match="message_1"):
        read("problem", {"topic": "Algebra"})


def test_a_wrong_type_is_named():
    with pytest.raises(TypeError, match="`message_2` is int, a text was expected"):
        read("problem", {"message_1": "Solve x.", "message_2": 1})


def test_the_id_is_that_of_the_content_alone():
    first = read("instruction", {"instruction": "Why?", "response": "So."})
    same = adapt({"prompt": "Why? ", "output": "So."}, source("instruction", label="Other"), {**ORIGIN, "dataset": "c"})
    assert same["id"] == first["id"]
    assert read("instruction", {"instruction": "Why?", "response": "No."})["id"] != first["id"]
    one, other = ({"conversation": [{"input": "a", "output": "b"}, {"input": "c", "output": o}]} for o in "de")
    assert read("conversation", one)["id"] != read("conversation", other)["id"]


def test_texts_are_all_that_reaches_a_conversation(make_seed):
    assert texts(make_seed("q", "", "a")) == [("q", False), ("a", True)]
    assert texts(make_seed("q", "c", "", kind="post")) == [("q", False), ("c", False)]
    meta = {"conversation": [{"input": "q", "output": "a"}, {"input": "p", "output": "b"}]}
    seed = make_seed("q", "", "a", kind="conversation", meta=meta)
    assert texts(seed) == [("q", False), ("a", True), ("p", False), ("b", True)]
