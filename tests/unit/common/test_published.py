"""Published conversations: layouts, roles, and one treatment for everything that is not a plain exchange."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.published import is_blank, read_published, readable_turns

VISIBLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: f"{text}x")
EXCHANGES = st.lists(st.fixed_dictionaries({"input": VISIBLE, "output": VISIBLE}), min_size=1, max_size=4)


def messages(*pairs, role="role", content="content"):
    return [{role: who, content: text} for who, text in pairs]


def shared(*pairs):
    return {"conversations": messages(*pairs, role="from", content="value")}


@given(EXCHANGES)
def test_messages_are_read_back(conversation):
    assert read_published({"messages": to_messages(conversation)}).exchanges == conversation
    assert read_published({"conversation": conversation}).exchanges == conversation


def test_the_three_layouts_give_the_same_exchanges():
    expected = [{"input": "Why?", "output": "So."}]
    for row in (
        {"conversation": [{"input": "Why?", "output": "So.", "extra": 1}]},
        {"conversation": None, **shared(("human", "Why?"), ("gpt", "So."))},
        {"messages": messages(("user", "Why?"), ("assistant", "So."))},
        {"messages": messages(("human", "Why?"), ("gpt", "So."), role="from", content="value")},
    ):
        assert (read_published(row).exchanges, read_published(row).changes) == (expected, [])


@pytest.mark.parametrize(
    ("asker", "answerer"),
    [
        ("Human", "GPT"),
        ("user", "chatgpt"),
        ("human", "bing"),
        ("prompter", "assistant"),
        (" USER ", "Model"),
        ("human", "ai"),
    ],
)
def test_role_names_of_common_datasets(asker, answerer):
    assert len(read_published(shared((asker, "Why?"), (answerer, "So."))).exchanges) == 1


def test_a_system_message_is_kept_with_the_first_question():
    for role in ("system", "developer", "System"):
        found = read_published({"messages": messages((role, "Be brief."), ("user", "Why?"), ("assistant", "So."))})
        assert found.exchanges == [{"input": "Be brief.\n\nWhy?", "output": "So."}]


def test_a_text_in_parts():
    parts = [{"type": "text", "text": "Why"}, "is it?"]
    row = {"messages": messages(("user", parts), ("assistant", [{"type": "text", "text": "So."}]))}
    assert read_published(row).exchanges == [{"input": "Why\nis it?", "output": "So."}]


ONE = ("human", "Why?"), ("gpt", "So.")


@pytest.mark.parametrize(
    "end", [[("human", "And?")], *([("human", "And?"), ("gpt", text)] for text in (None, "", " \n\u200b", []))]
)
def test_a_conversation_ends_before_a_request_without_an_answer(end):
    found = read_published(shared(*ONE, *end))
    assert (found.exchanges, found.changes) == ([{"input": "Why?", "output": "So."}], ["unanswered_request"])
    if len(end) == 2:  # also in the middle
        assert read_published(shared(*ONE, *end, *ONE)).exchanges == found.exchanges


@pytest.mark.parametrize(
    "answer", ["<think>Hm.\nWell.</think>\n\nSo.", " <thinking>Hm.</thinking>So.", "<think></think>So."]
)
def test_a_reasoning_block_is_removed(answer):
    found = read_published({"conversation": [{"input": "Why?", "output": answer}]})
    assert (found.exchanges, found.changes) == ([{"input": "Why?", "output": "So."}], ["reasoning"])


@pytest.mark.parametrize("answer", ["The tag <think> opens it, </think> closes it.", "So.<think>Hm.</think>"])
def test_a_text_about_reasoning_stays(answer):
    found = read_published({"conversation": [{"input": "Why?", "output": answer}]})
    assert (found.exchanges[0]["output"], found.changes) == (answer, [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (shared(("human", "a"), ("human", "b")), "roles do not alternate"),
        (shared(*ONE, ("gpt", "b")), "roles do not alternate"),
        (shared(("gpt", "a"), ("human", "b")), "begins with an answer"),
        (shared(("human", "a"), ("tool", "b"), ("gpt", "c")), "tool turn"),
        (shared(*ONE, ("system", "b"), *ONE), "system message inside"),
        (shared(("human", "a"), ("<b>x</b>", "b")), "unknown role"),
        (shared(("human", "a"), ("gpt", None)), "empty answer"),
        (shared(("human", "a"), ("gpt", "\u200b\ufeff \x00")), "empty answer"),
        (shared(("human", "a"), ("gpt", "<think>Unfinished")), "empty answer"),
        (shared(("human", " "), ("gpt", "b")), "empty request"),
        (shared(("human", "a"), ("gpt", 3)), "a message without text"),
        (shared(("human", [{"type": "image_url", "image_url": {"url": "x"}}]), ("gpt", "b")), "a message without text"),
        (shared(("human", "a"), ("gpt", "b\ud83d")), "half of a surrogate pair"),
        (shared(("human", "a")), "no exchange"),
        (shared(("system", "a")), "no exchange"),
        ({"conversation": []}, "no exchange"),
        ({"conversation": [{"input": "a"}]}, "a turn of another shape"),
        ({"messages": ["Why?", "So."]}, "a turn of another shape"),
        ({"conversation": "Why? So."}, "a turn of another shape"),
        ({"messages": [None]}, "a turn of another shape"),
        ({"messages": [{"role": "user"}]}, "a turn of another shape"),
        ({"messages": 3}, "a turn of another shape"),
    ],
)
def test_a_conversation_that_cannot_be_used_has_a_reason(row, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        read_published(row)


def test_a_row_without_a_conversation_names_the_expected_columns():
    with pytest.raises(KeyError, match="conversation, conversations or messages"):
        read_published({"text": "Why?", "messages": None})


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u200b\u200d", "\ufeff", "\x00\x1b", "\u2060\xad", "\u3164", "\u2800", "\u202e"]
)
def test_blank_texts(text):
    assert is_blank(text) and not is_blank(f"{text}.{text}")


@pytest.mark.parametrize(
    ("row", "exchanges"),
    [
        ({"conversation": []}, []),
        ({"conversation": "text"}, []),
        ({"conversation": [{"input": "Why?", "output": None}]}, [{"input": "Why?", "output": ""}]),
        ({"conversation": [{"output": "So."}, {"other": 1}, None]}, [{"input": "", "output": "So."}]),
        (
            {"messages": messages(*((role, role) for role in ("system", "user", "user", "assistant")))},
            [{"input": text, "output": ""} for text in ("system", "user", "user")]
            + [{"input": "", "output": "assistant"}],
        ),
        ({"conversations": [{"from": "GPT", "value": "So."}, {"from": "human"}]}, [{"input": "", "output": "So."}]),
    ],
)
def test_the_texts_of_a_row_that_cannot_be_used(row, exchanges):
    assert readable_turns(row) == exchanges
