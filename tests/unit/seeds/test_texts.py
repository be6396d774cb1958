"""Every text of a seed that can reach a conversation is listed in order and written back to its place."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.seeds.schema import SEED
from workflow_scripts.seeds.texts import flatten_texts, map_texts

TALK = [{"input": "q1", "output": "a1"}, {"input": "q2", "output": "a2"}]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
EXCHANGE = st.fixed_dictionaries({"input": TEXT, "output": TEXT})
ROW = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["instruction", "problem", "post"]),
        "instruction": TEXT,
        "context": TEXT,
        "response": TEXT,
        "reference": st.none() | TEXT,
        "conversation": st.none() | st.lists(EXCHANGE, max_size=3),
    }
)


def texts_by_row(table):
    """(text, whether it is an assistant's) of each row."""
    found = flatten_texts(table)
    assert len(found.rows) == len(found.answers) == len(found.texts)
    assert (found.rows[1:] >= found.rows[:-1]).all()
    rows = [[] for _ in range(table.num_rows)]
    for row, answer, text in zip(found.rows, found.answers, found.texts.to_pylist(), strict=True):
        rows[row].append((text, bool(answer)))
    return rows


def expected(seed):
    """The same for one row in plain Python."""
    if seed["conversation"] is not None:
        return [pair for turn in seed["conversation"] for pair in ((turn["input"], False), (turn["output"], True))]
    context = [(seed["context"], False)] if seed["context"] else []
    awaited = not seed["response"] and (seed["kind"] == "post" or seed["reference"] is not None)
    return [(seed["instruction"], False), *context, *([] if awaited else [(seed["response"], True)])]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"response": "a"}, [("q", False), ("a", True)]),
        ({"context": "c", "response": "a"}, [("q", False), ("c", False), ("a", True)]),
        ({"response": ""}, [("q", False), ("", True)]),  # a missing answer is a fault
        ({"context": " ", "response": "a"}, [("q", False), (" ", False), ("a", True)]),
        # The teacher writes these answers.
        ({"kind": "post", "context": "c"}, [("q", False), ("c", False)]),
        ({"kind": "problem", "reference": "4"}, [("q", False)]),
        ({"kind": "problem", "reference": ""}, [("q", False)]),
        # An existing answer is read.
        ({"kind": "post", "context": "c", "response": "a"}, [("q", False), ("c", False), ("a", True)]),
        ({"kind": "problem", "reference": "4", "response": "2+2=4"}, [("q", False), ("2+2=4", True)]),
        # The turns of a conversation already contain its instruction and response.
        (
            {"kind": "conversation", "response": "a1", "conversation": TALK},
            [("q1", False), ("a1", True), ("q2", False), ("a2", True)],
        ),
        (
            {"kind": "conversation", "conversation": [{"input": "q", "output": ""}]},
            [("q", False), ("", True)],
        ),
    ],
)
def test_the_texts_of_one_seed(make_table, fields, found):
    assert texts_by_row(make_table([{"instruction": "q", **fields}])) == [found]


def test_rows_of_all_kinds_keep_their_order(make_table):
    rows = [
        {"kind": "conversation", "conversation": TALK},
        {"instruction": "q", "response": "a"},
        {"kind": "conversation", "conversation": TALK[:1]},
        {"kind": "post", "instruction": "q", "context": "c"},
        {"kind": "conversation", "conversation": TALK},
    ]
    table = make_table(rows)
    assert [len(row) for row in texts_by_row(table)] == [4, 2, 2, 2, 4]
    assert texts_by_row(table)[2] == [("q1", False), ("a1", True)]
    assert texts_by_row(table) == [expected(row) for row in table.to_pylist()]


@given(st.lists(ROW, max_size=6), st.data())
def test_the_texts_of_any_table_and_of_any_part_of_it(make_table, rows, data):
    """Also of a table in several chunks, of a slice and of a filtered table, whose arrays have offsets."""
    table = make_table(rows)
    found = [expected(row) for row in table.to_pylist()]
    assert texts_by_row(table) == found
    start, stop = sorted(data.draw(st.tuples(st.integers(0, len(rows)), st.integers(0, len(rows)))))
    assert texts_by_row(table[start:stop]) == found[start:stop]
    assert texts_by_row(pa.concat_tables([table[start:], table[:start]])) == found[start:] + found[:start]
    keep = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    kept = [row for row, included in zip(found, keep, strict=True) if included]
    assert texts_by_row(table.filter(pa.array(keep, pa.bool_()))) == kept


@given(st.lists(ROW, max_size=6), st.integers(0, 6))
def test_no_change_gives_the_same_table(make_table, rows, start):
    table = make_table(rows)
    for part in (table, table[start:], pa.concat_tables([table[start:], table[:start]])):
        same = map_texts(part, lambda array: array)
        assert same.to_pylist() == part.to_pylist()
        assert same.schema.equals(SEED)
        same.validate(full=True)


@given(st.lists(ROW, max_size=6), st.integers(0, 6))
def test_a_change_is_applied_to_texts_only(make_table, rows, start):
    table = make_table(rows)[start:]
    changed = map_texts(table, lambda array: pc.binary_join_element_wise(array, "x", "|"))
    for before, after in zip(table.to_pylist(), changed.to_pylist(), strict=True):
        wanted = {name: f"{before[name]}|x" for name in ("instruction", "context", "response")}
        if before["conversation"] is not None:
            turns = [{key: f"{text}|x" for key, text in turn.items()} for turn in before["conversation"]]
            wanted["conversation"] = turns
        assert after == {**before, **wanted}


def test_one_of_many_texts_may_change(make_table):
    """The function is applied to arrays: rows must stay aligned among conversations of different length and null ones."""
    rows = [{"conversation": turns} for turns in (None, TALK, None, TALK[:1], [], TALK)]
    changed = map_texts(make_table(rows), lambda array: pc.replace_substring(array, "a2", "new"))
    changed_talk = [TALK[0], {"input": "q2", "output": "new"}]
    assert changed["conversation"].to_pylist() == [None, changed_talk, None, TALK[:1], [], changed_talk]


def test_an_empty_table(make_table):
    assert texts_by_row(make_table([])) == []
    assert map_texts(make_table([]), lambda array: array).num_rows == 0
