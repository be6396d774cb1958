"""Metrics of a set of conversations, compared with counts in the tests."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.synthesis.metrics import describe, distinct, drift, table, words

TEXTS = st.lists(st.text("ab c.", max_size=12), max_size=5)


def exchange(question, answer):
    return {"input": question, "output": answer}


def row(conversation, techniques=("amplify",), moves=None, source="Airoboros", kind="explanation"):
    steps = [{"name": name} for name in techniques]
    if moves is not None:
        steps[-1] |= {"moves": moves, "kind": kind}
    return {
        "source": source,
        "conversation": conversation,
        "provenance": {"techniques": list(techniques), "steps": steps},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Why does granite LAST?", ["why", "does", "granite", "last"]),
        ("Don't stop, it’s 3 o'clock.", ["don't", "stop", "it’s", "o'clock"]),
        ("snake_case x2 'quoted'", ["snake", "case", "x", "quoted"]),
        ("Größe 北京 café", ["größe".casefold(), "北京", "café"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@given(TEXTS, st.integers(1, 4))
def test_distinct_n_is_a_share_of_all_n_grams(texts, n):
    grams = []
    for text in texts:
        tokens = words(text)
        grams += [tuple(tokens[at : at + n]) for at in range(max(len(tokens) - n + 1, 0))]
    assert distinct(texts, n) == (len(set(grams)) / len(grams) if grams else 0)
    assert distinct(iter(texts), n) == distinct(texts[::-1], n)


def test_distinct_n_by_hand():
    assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct(["a b", "a b"], 2) == 0.5
    assert distinct(["a", "b"], 2) == 0  # no n-gram crosses two texts
    assert distinct([], 2) == 0


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (("Why does granite last?", "Crystals interlock."), ("Granite crystals?", "Crystals."), 0),
        (("Why does granite last?", "Crystals interlock."), ("Does basalt crack?", "Often. It cooled."), 1),
        (("Why does granite last?", "Crystals interlock."), ("And basalt?", "Its GRANITE crystals, flows, cools"), 0.6),
        (("Why?", "So."), ("Granite?", "So."), 1),
        (("Granite?", "So."), ("Why?", "It is so."), 0),  # no long word to compare
    ],
)
def test_drift(first, last, expected):
    middle = exchange("What of marble?", "Marble dissolves.")
    conversation = [exchange(*first), middle, exchange(*last)]
    assert drift(conversation) == pytest.approx(expected)


def test_a_single_exchange_does_not_drift():
    assert drift([exchange("Why does granite last?", "Crystals.")]) == 0


def test_metrics_of_a_set():
    rows = [
        row([exchange("Why?", "One two three."), exchange("And granite?", "one two")], moves=["deepen"]),
        row(
            [exchange("How?", "four"), exchange("basalt?", "five"), exchange("slate it is", "six")],
            ["evol_instruct", "amplify"],
            ["deepen", "compare"],
            kind="code",
        ),
        row([exchange("Who?", "Seven"), exchange("When?", "eight")], source="Taskmaster"),
    ]
    assert describe(rows) == {
        "exchanges": {2: 2, 3: 1},
        "mean_exchanges": 2.333,
        "mean_user_chars": round((4 + 12 + 4 + 7 + 11 + 4 + 5) / 7, 1),
        "mean_follow_up_chars": round((12 + 7 + 11 + 5) / 4, 1),
        "mean_answer_chars": round((14 + 7 + 4 + 4 + 3 + 5 + 5) / 7, 1),
        "mean_words": round((8 + 8 + 4) / 3, 1),
        "paths": {"amplify": 2, "evol_instruct > amplify": 1},
        "techniques": {"amplify": 3, "evol_instruct": 1},
        "moves": {"deepen": 2, "compare": 1},
        "moves_by_kind": {"code": {"deepen": 1, "compare": 1}, "explanation": {"deepen": 1}},
        "distinct_2": 0.6667,  # one two, two three, one two
        "vocabulary": 8,
        "per_source": table(rows),
        "mean_drift": 1.0,  # granite; slate; eight
    }


def test_the_columns_of_the_published_table():
    rows = [
        row([exchange("1234", "123456"), exchange("12", "1234")], source="B"),
        row([exchange("123456", "12"), exchange("1", "12"), exchange("12", "1")], source="B"),
        row([exchange("12", "123"), exchange("123", "12")], source="A"),
    ]
    columns = table(rows)
    assert list(columns) == ["A", "B"]
    assert columns["A"] == {"dialogues": 1, "user_chars": 2.5, "answer_chars": 2.5, "exchanges": 2}
    assert columns["B"] == {"dialogues": 2, "user_chars": 3, "answer_chars": 3, "exchanges": 2.5}


@given(st.lists(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), min_size=1, max_size=5))
def test_metrics_are_consistent_for_any_texts(conversations):
    rows = [row([exchange(" ".join(q), " ".join(a)) for q, a in turns], moves=[]) for turns in conversations]
    metrics = describe(rows)
    assert sum(metrics["exchanges"].values()) == len(rows)
    assert list(metrics["exchanges"]) == sorted(metrics["exchanges"])
    assert 0 <= metrics["distinct_2"] <= 1 and 0 <= metrics["mean_drift"] <= 1
    assert all(describe(list(order)) == metrics for order in itertools.islice(itertools.permutations(rows), 3))
