"""The three layouts of conversations, and back to messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.conversations import read_exchanges, to_messages

EXCHANGES = st.lists(st.fixed_dictionaries({"input": st.text(), "output": st.text()}), min_size=1, max_size=4)


def messages(*pairs, role="role", content="content"):
    return [{role: who, content: text} for who, text in pairs]


@given(EXCHANGES)
def test_messages_are_read_back(conversation):
    assert read_exchanges({"messages": to_messages(conversation)}) == conversation


def test_the_three_layouts_are_one():
    wanted = [{"input": "Why?", "output": "So."}]
    shared = messages(("human", "Why?"), ("gpt", "So."), role="from", content="value")
    assert read_exchanges({"conversation": [{"input": "Why?", "output": "So.", "extra": 1}]}) == wanted
    assert read_exchanges({"conversation": None, "conversations": shared}) == wanted
    assert read_exchanges({"messages": messages(("user", "Why?"), ("assistant", "So."))}) == wanted


def test_a_system_message_is_kept_with_the_first_question():
    found = read_exchanges({"messages": messages(("system", "Be brief."), ("user", "Why?"), ("assistant", "So."))})
    assert found == [{"input": "Be brief.\n\nWhy?", "output": "So."}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": messages(("user", "a"), ("user", "b"))}, "do not alternate"),
        ({"messages": messages(("assistant", "a"), ("user", "b"))}, "do not alternate"),
        ({"messages": messages(("user", "a"), ("assistant", "b"), ("user", "c"))}, "does not end with an assistant"),
        ({"messages": messages(("user", "a"), ("assistant", None))}, "without text"),
        ({"conversation": [{"input": None, "output": "b"}]}, "without text"),
        ({"conversation": []}, "no exchange"),
    ],
)
def test_a_conversation_that_cannot_be_read_has_a_reason(row, reason):
    with pytest.raises(ValueError, match=reason):
        read_exchanges(row)


def test_a_system_message_alone_is_no_conversation():
    with pytest.raises(ValueError, match="no exchange"):
        read_exchanges({"messages": messages(("system", "Be brief."))})


@pytest.mark.parametrize("row", [{"messages": ["Why?", "So."]}, {"conversation": "Why? So."}])
def test_turns_of_another_type_have_a_reason(row):
    """assemble_conversations rejects a row for a ValueError; a TypeError is a traceback there."""
    with pytest.raises(ValueError):
        read_exchanges(row)


def test_a_row_without_a_conversation_names_the_columns_that_were_looked_for():
    with pytest.raises(KeyError, match="conversation, conversations or messages"):
        read_exchanges({"text": "Why?"})
