"""Vicuna's cleaning and splitting."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.conversations.vicuna import clean, length, split, too_long


def cleaned(text):
    (exchange,) = clean([{"input": "Why?", "output": text}])
    return exchange["output"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<div class='markdown'><p>One.</p><p>Two &amp; three.</p></div>", "One.\n\nTwo & three."),
        ("Use <p> for a paragraph & nothing else.", "Use <p> for a paragraph & nothing else."),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("1. a\n\ntext\n\n1. b", "1. a\n\ntext\n\n2. b"),
        ("1) a\n   1. x\n   1. y\n1) b", "1) a\n   1. x\n   2. y\n2) b"),
        ("1. a\n\ntext\n\n1. b\n2. c", "1. a\n\ntext\n\n1. b\n2. c"),
        ("1. a\n1. b\n3. c", "1. a\n1. b\n3. c"),
        ("1. a\n2. b\n1. c\n2. d", "1. a\n2. b\n1. c\n2. d"),
        ("1. a\n   1. x\n2. b\n   1. y", "1. a\n   1. x\n2. b\n   1. y"),
        ("Pros:\n1. cheap\n\nCons:\n1. slow", "Pros:\n1. cheap\n\nCons:\n1. slow"),
        ("```\n1. a\n1. b\n```", "```\n1. a\n1. b\n```"),
        ("It is 1. a\nor 1.5 of b", "It is 1. a\nor 1.5 of b"),
        ("End.</s> <s>Go", "End.< /s> < s>Go"),
        ("<|im_start|>user [INST] <<SYS>> <unk>", "< |im_start|>user [ INST] < <SYS>> < unk>"),
        ("a <span>b</span> <strong>c</strong> a[s] <|", "a <span>b</span> <strong>c</strong> a[s] <|"),
        ("1000000000 and 0.333333333 and 123333333333", "1000000000 and 0.333333333 and 123333333333"),
    ],
)
def test_texts_are_cleaned(text, expected):
    assert cleaned(text) == expected
    assert cleaned(expected) == expected


def test_a_run_of_digits_ends_the_conversation():
    good, bad = {"input": "Why?", "output": "So."}, {"input": "And?", "output": "It is 777777777."}
    assert clean([good, bad, good]) == [good]
    assert clean([bad]) == clean([]) == []
    assert clean([{"input": "What is 111111111?", "output": "A number."}]) == []


def test_the_input_is_not_modified():
    exchange = {"input": "a</s>", "output": "<div class='markdown'><p>b</p></div>"}
    assert clean([exchange]) == [{"input": "a< /s>", "output": "b"}]
    assert exchange == {"input": "a</s>", "output": "<div class='markdown'><p>b</p></div>"}


turns = st.text(max_size=30)
conversations = st.lists(st.fixed_dictionaries({"input": turns, "output": turns}), max_size=12)


@given(conversations, st.integers(1, 120))
def test_parts_are_the_conversation_within_the_limit(exchanges, limit):
    parts = split(exchanges, limit)
    assert [exchange for part in parts for exchange in part] == exchanges
    assert all(parts) and all(length(part) <= limit or len(part) == 1 for part in parts)
    assert too_long(parts, limit) == [place for place, part in enumerate(parts) if length(part) > limit]
    # No part has room for the first exchange of the next part.
    assert all(length([*part, after[0]]) > limit for part, after in itertools.pairwise(parts))


@given(conversations)
def test_cleaning_twice_is_cleaning_once(exchanges):
    once = clean(exchanges)
    assert clean(once) == once
