"""Conversion to messages and back, seeds as conversations."""

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.conversations import from_messages, seed_as_conversation, to_messages

EXCHANGES = st.lists(st.fixed_dictionaries({"input": st.text(), "output": st.text()}), min_size=1, max_size=4)


@given(EXCHANGES)
def test_messages_are_read_back(conversation):
    assert from_messages(to_messages(conversation)) == conversation


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
