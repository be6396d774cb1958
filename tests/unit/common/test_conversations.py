"""The three layouts of conversations, conversion to messages, seeds as conversations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.conversations import read_exchanges, seed_as_conversation, to_messages

EXCHANGES = st.lists(st.fixed_dictionaries({"input": st.text(), "output": st.text()}), min_size=1, max_size=4)


def messages(*pairs, role="role", content="content"):
    return [{role: who, content: text} for who, text in pairs]


@given(EXCHANGES)
def test_messages_are_read_back(conversation):
    assert read_exchanges({"messages": to_messages(conversation)}) == conversation


def test_the_three_layouts_give_the_same_exchanges():
    expected = [{"input": "Why?", "output": "So."}]
    shared = messages(("human", "Why?"), ("gpt", "So."), role="from", content="value")
    assert read_exchanges({"conversation": [{"input": "Why?", "output": "So.", "extra": 1}]}) == expected
    assert read_exchanges({"conversation": None, "conversations": shared}) == expected
    assert read_exchanges({"messages": messages(("user", "Why?"), ("assistant", "So."))}) == expected


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


def test_a_system_message_alone_is_not_a_conversation():
    with pytest.raises(ValueError, match="no exchange"):
        read_exchanges({"messages": messages(("system", "Be brief."))})


@pytest.mark.parametrize("row", [{"messages": ["Why?", "So."]}, {"conversation": "Why? So."}])
def test_turns_of_another_type_have_a_reason(row):
    """assemble_conversations rejects a row for a ValueError; a TypeError would be a traceback."""
    with pytest.raises(ValueError, match="a turn of another shape"):
        read_exchanges(row)


def test_a_row_without_a_conversation_names_the_expected_columns():
    with pytest.raises(KeyError, match="conversation, conversations or messages"):
        read_exchanges({"text": "Why?"})


def seed(**values):
    """A row of seeds/data.jsonl."""
    return {
        "id": "s1", "source": "Stones", "dataset": "a/stones", "revision": "abc", "license": "MIT", "kind": "instruction",
        "instruction": "Why?", "context": "", "response": "So.", "domain": "Geology", "skills": ["Reasoning"], "difficulty": None,
        "meta": {}, **values,
    }  # fmt: skip


def test_a_seed_is_a_conversation_of_one_exchange():
    assert seed_as_conversation(seed(meta={"task": "summary"}, score=3)) == {
        "id": "s1",
        "source": "Stones",
        "conversation": [{"input": "Why?", "output": "So."}],
        "provenance": {
            "dataset": "a/stones", "revision": "abc", "license": "MIT", "kind": "instruction", "domain": "Geology",
            "skills": ["Reasoning"], "difficulty": None, "task": "summary",
        },
    }  # fmt: skip


def test_the_context_of_a_seed_follows_its_instruction():
    row = seed_as_conversation(seed(context="A text."))
    assert row["conversation"] == [{"input": "Why?\n\nA text.", "output": "So."}]


def test_a_seed_that_is_a_dialogue_keeps_its_exchanges():
    dialogue = [{"input": "Why?", "output": "So."}, {"input": "How?", "output": "With water."}]
    row = seed_as_conversation(seed(kind="conversation", meta={"conversation": dialogue, "category": "erosion"}))
    assert row["conversation"] == dialogue
    assert row["provenance"]["category"] == "erosion" and "conversation" not in row["provenance"]
