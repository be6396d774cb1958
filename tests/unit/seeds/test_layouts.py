"""Published layouts converted to seeds, table by table."""

import datetime
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.parquet_files import keep_rows
from workflow_scripts.seeds.columns import WrongType
from workflow_scripts.seeds.layouts import KINDS, LAYOUTS, adapt, needed_columns
from workflow_scripts.seeds.posts import task_families
from workflow_scripts.seeds.schema import SEED

ORIGIN = {"dataset": "a/b", "revision": "c0ffee"}
TASKS = ["complex_summary", "argument"]


def source(layout, **more):
    posts = (
        {"post_chars": 1000, "post_tasks": TASKS, "post_min_chars": 0, "post_min_score": None}
        if layout == "post"
        else {}
    )
    return {"id": "x", "label": "Label", "license": "MIT", "layout": layout, **posts, **more}


def read(layout, rows, **more):
    """The seeds of some rows, `meta` as a dict, and the rejected rows."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    seeds, rejected = adapt(table, source(layout, **more), ORIGIN)
    assert seeds.schema == SEED
    return [{**seed, "meta": json.loads(seed["meta"])} for seed in seeds.to_pylist()], rejected


def read_one(layout, row, **more):
    [seed], rejected = read(layout, [row], **more)
    assert rejected == []
    return seed


def mixed(name, values, **others):
    """A column of mixed types as `datasets` writes it: each value as JSON."""
    column = pa.ExtensionArray.from_storage(pa.json_(), pa.array([v if v is None else json.dumps(v) for v in values]))
    return pa.table({name: column, **others})


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
    seed = read_one("instruction", row, domain="Geology")
    assert (seed["instruction"], seed["context"], seed["response"]) == ("Why?", "", "So.")
    assert (seed["source"], seed["dataset"], seed["revision"]) == ("Label", "a/b", "c0ffee")
    assert (seed["license"], seed["kind"], seed["domain"]) == ("MIT", "instruction", "Geology")
    unknown = ("task", "reference", "conversation", "category", "skills", "difficulty")
    assert {seed[name] for name in unknown} == {None}
    assert seed["meta"] == {}


def test_instruction_keeps_input_category_and_system():
    row = {"instruction": "Why?", "input": "A", "output": "So.", "category": "wh", "system": "Be brief."}
    seed = read_one("instruction", row)
    assert (seed["context"], seed["category"], seed["meta"]) == ("A", "wh", {"system": "Be brief."})
    assert read_one("instruction", {**row, "system": ""})["meta"] == {}


@pytest.mark.parametrize("nothing", ["<noinput>", "No input", "<No Input>", "n/a", "N/A", " noinput ", "", None])
def test_no_input_in_any_spelling_is_an_empty_context(nothing):
    rows = [{"instruction": "Why?", "input": text, "output": "So."} for text in (nothing, "No input is given.")]
    assert [seed["context"] for seed in read("instruction", rows)[0]] == ["", "No input is given."]


def test_columns_by_other_names():
    row = {"ask": "Why?", "more": "A", "so": "So.", "instruction": "Not this.", "input": "Nor this."}
    seed = read_one("instruction", row, columns={"instruction": "ask", "context": "more", "response": "so"})
    assert (seed["instruction"], seed["context"], seed["response"]) == ("Why?", "A", "So.")


def test_the_first_non_empty_of_several_columns_is_used():
    rows = [{"input": one, "more": two} for one, two in (("A", "B"), (None, "B"), (" ", "B"), ("", None), (None, None))]
    rows = [{"instruction": "Why?", "output": "So.", **row} for row in rows]
    seeds, _ = read("instruction", rows, columns={"context": ["input", "more", "gone"]})
    assert [seed["context"] for seed in seeds] == ["A", "B", "B", "", ""]


def test_columns_behind_a_text_may_have_any_type():
    others = {"instruction": pa.array(["Why?", "Why not?"]), "response": pa.array(["So.", ""])}
    seeds, _ = read("instruction", mixed("answer", [4, "Yes."], **others))
    assert [seed["response"] for seed in seeds] == ["So.", "Yes."]
    with pytest.raises(WrongType, match="`answer` is int") as error:
        read("instruction", mixed("answer", ["Yes.", 4], **others))
    assert error.value.row == 1


def test_no_column_at_all():
    row = {"instruction": "Why?", "input": "A", "output": "So."}
    assert read_one("instruction", row, columns={"context": None})["context"] == ""


def test_an_additional_column_of_the_config_goes_to_meta():
    row = {"instruction": "Why?", "output": "So.", "lang": "en"}
    assert read_one("instruction", row, columns={"language": "lang"})["meta"] == {"language": "en"}


def test_a_row_without_a_needed_value_is_rejected_for_it():
    rows = [("Why?", "So."), (None, "So."), ("Why?", None), (None, None), ("How?", "Thus.")]
    seeds, rejected = read("instruction", [{"instruction": i, "output": o, "category": "c"} for i, o in rows])
    assert [seed["instruction"] for seed in seeds] == ["Why?", "How?"]
    assert rejected == [(1, "missing_instruction"), (2, "missing_response"), (3, "missing_instruction")]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_batch_without_a_single_seed(layout):
    row = {"instruction": None, "response": None, "message_1": None, "message_2": None, "Question": None}
    row |= {"Answer": None, "text": None, "conversation": None}
    columns = {name: pa.array([value, value], pa.string()) for name, value in row.items()}
    seeds, rejected = read(layout, pa.table(columns))
    assert seeds == []
    assert [row for row, _ in rejected] == [0, 1]
    assert read(layout, pa.table(columns).slice(0, 0)) == ([], [])
    if layout not in (
        "post",
        "question",
    ):  # these layouts have no answers; the check of the configuration rejects `as_is`
        assert read(layout, pa.table(columns).slice(0, 0), as_is=True) == ([], [])


def test_problem():
    row = {"message_1": "Solve x.", "message_2": "x = 1", "topic;": "Algebra", "sub_topic": "Linear", "role_1": "M"}
    seed = read_one("problem", row)
    assert (seed["instruction"], seed["response"], seed["kind"]) == ("Solve x.", "x = 1", "problem")
    assert seed["meta"] == {"topic": "Algebra", "sub_topic": "Linear"}  # the key in CamelAI


def test_problem_with_the_topic_spelt_right_or_missing():
    row = {"message_1": "Solve x.", "message_2": "x = 1"}
    assert read_one("problem", {**row, "topic": "Algebra"})["meta"] == {"topic": "Algebra"}
    assert read_one("problem", row)["meta"] == {}


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_column_does_not_hide_the_next_one(nothing):
    """`datasets` gives every row all columns; columns that a row lacks are None."""
    row = {"message_1": "Solve x.", "message_2": "x = 1", "topic;": nothing, "topic": "Algebra"}
    assert read_one("problem", row)["meta"] == {"topic": "Algebra"}


def test_question():
    rows = [
        {"Question": "How many?", "Answer": "3", "Answer_type": "integer", "Picture": None},
        {"Question": "In the picture?", "Answer": "3", "Answer_type": "integer", "Picture": "images/1.jpg"},
        {"Question": "Is it?", "Answer": None, "Answer_type": "bool", "Picture": ""},
        {"Question": None, "Answer": None, "Answer_type": None, "Picture": "images/2.jpg"},
        {"Question": "Is it so?", "Answer": "True", "Answer_type": "bool", "Picture": ""},
    ]
    seeds, rejected = read("question", rows)
    assert [(seed["instruction"], seed["reference"], seed["response"]) for seed in seeds] == [
        ("How many?", "3", ""),
        ("Is it so?", "True", ""),
    ]
    assert {seed["kind"] for seed in seeds} == {"problem"}
    assert [seed["meta"] for seed in seeds] == [{"answer_type": "integer"}, {"answer_type": "bool"}]
    assert rejected == [(1, "needs_a_picture"), (2, "missing_reference"), (3, "needs_a_picture")]


@pytest.mark.parametrize("image", [{"bytes": b"\x89PNG", "path": None}, {"bytes": None, "path": "1.jpg"}])
def test_a_picture_as_datasets_keeps_it(image):
    rows = [{"Question": "How many?", "Answer": "3", "Picture": picture} for picture in (image, None)]
    rows.append({"Question": "How many?", "Answer": "3", "Picture": {"bytes": None, "path": None}})
    seeds, rejected = read("question", rows, columns={"picture": "Picture"})
    assert (len(seeds), rejected) == (2, [(0, "needs_a_picture")])


def test_question_without_any_pictures():
    seed = read_one("question", {"question": "How many?", "answer": "3"})
    assert (seed["instruction"], seed["reference"], seed["meta"]) == ("How many?", "3", {})


def test_seeds_that_are_benchmark_items_are_flagged():
    row = {"question": "How many?", "answer": "3", "answer_type": "integer"}
    assert read_one("question", row, benchmark="theoremqa")["meta"] == {
        "answer_type": "integer",
        "benchmark": "theoremqa",
    }
    row = {"instruction": "Why?", "output": "So."}
    assert read_one("instruction", row, benchmark="theoremqa")["meta"] == {"benchmark": "theoremqa"}


def test_a_post_is_a_seed_for_each_task():
    row = {"title": "Stones", "htmlBody": "<p>One &amp; two.</p>\n<p>Three.</p>", "user": {"displayName": "Ann"}}
    row |= {"postedAt": "2018-05-14T08:22:41.305Z", "pageUrl": "https://x.org"}
    seeds, rejected = read("post", [row])
    assert [seed["task"] for seed in seeds] == TASKS
    assert rejected == []
    for seed in seeds:
        assert seed["context"] == 'This is a post titled "Stones":\n\nOne & two.\nThree.'
        assert seed["instruction"] in task_families()[seed["task"]]["whole"]
        assert (seed["response"], seed["kind"]) == ("", "post")
        assert seed["meta"] == {
            "title": "Stones",
            "author": "Ann",
            "date": "2018-05-14T08:22:41.305Z",
            "address": "https://x.org",
            "excerpt": False,
        }
    assert seeds[0]["id"] != seeds[1]["id"]
    assert [seed["task"] for seed in read("post", [row], post_tasks=["argument"])[0]] == ["argument"]


BODY = "This is a post:\n\nBody."


@pytest.mark.parametrize("row", [{"text": "Body."}, {"contents": {"html": "<p>Body.</p>"}}, {"htmlBody": "Body."}])
def test_post_under_its_other_names(row):
    seeds, _ = read("post", [row])
    assert [seed["context"] for seed in seeds] == [BODY] * 2
    assert seeds[0]["meta"] == {"title": None, "author": None, "date": None, "address": None, "excerpt": False}


@pytest.mark.parametrize(
    ("row", "author"),
    [
        ({"author": "Ann"}, "Ann"),
        ({"authors": ["Ann", "Bo"]}, "Ann, Bo"),
        ({"authors": []}, ""),
        ({"author": None, "user": {"displayName": "Ann"}}, "Ann"),
        ({"user": None}, None),
    ],
)
def test_the_author_of_a_post(row, author):
    seeds, _ = read("post", [{"text": "Body.", **row}])
    assert seeds[0]["meta"]["author"] == author


def test_a_date_that_was_read_as_a_time_stamp():
    """`datasets` reads "2009-02-27" and "2009-02-27T08:00:00Z" in a JSON file as time stamps."""
    day = datetime.datetime(2009, 2, 27, 8, 0, 0, 305_000)
    for kind in ("s", "ms", "us"):
        dates = pa.array([day, None], pa.timestamp("us")).cast(pa.timestamp(kind), safe=False)
        seeds, _ = read("post", pa.table({"text": ["Body."] * 2, "date_published": dates}))
        assert [seed["meta"]["date"] for seed in seeds] == ["2009-02-27T08:00:00Z"] * 2 + [None] * 2


def test_a_long_post_ends_with_a_complete_paragraph():
    html = "".join(f"<p>{letter * 40}</p>" for letter in "abc")
    seed = read("post", [{"htmlBody": html}], post_chars=100)[0][0]
    assert seed["context"] == f"This is the first part of a post:\n\n{'a' * 40}\n{'b' * 40}"
    assert seed["meta"]["excerpt"] is True
    seeds, _ = read("post", [{"htmlBody": html}], post_chars=10)
    assert seeds[0]["context"].endswith("\n\n" + "a" * 40)  # at least one paragraph


def test_an_excerpt_is_introduced_as_such_and_gets_tasks_that_fit_it():
    html = "".join(f"<p>{letter * 40}</p>" for letter in "abc")
    excerpt, whole = (read("post", [{"htmlBody": html, "title": "T"}], post_chars=chars)[0] for chars in (50, 500))
    assert [seed["context"].partition(":")[0] for seed in excerpt] == [
        'This is the first part of a post titled "T"'
    ] * 2
    assert [seed["context"].partition(":")[0] for seed in whole] == ['This is a post titled "T"'] * 2
    for seeds, form in ((excerpt, "excerpt"), (whole, "whole")):
        assert all(seed["instruction"] in task_families()[seed["task"]][form] for seed in seeds)


def test_only_the_excerpt_of_a_post_decides_its_tasks():
    html = "".join(f"<p>{letter * 40}</p>" for letter in "abcd")
    long, short = (read("post", [{"htmlBody": body}], post_chars=50)[0] for body in (html, html[:120]))
    assert [seed["id"] for seed in long] == [seed["id"] for seed in short]


POST = {"title": "On plans", "htmlBody": f"<p>{'a' * 60}</p><p>{'b' * 60}</p>", "baseScore": 40}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, None),
        ({"htmlBody": f"<p>{'a' * 60}</p>"}, "short_post"),
        ({"baseScore": 29}, "low_score"),
        ({"baseScore": 30}, None),
        ({"baseScore": "41"}, None),
        ({"baseScore": "29.5"}, "low_score"),
        ({"baseScore": None}, "low_score"),
        ({"baseScore": "NaN"}, "low_score"),
        ({"baseScore": "inf"}, "low_score"),
        ({"baseScore": "many"}, "low_score"),
        ({"title": "Meetup : Ghent, board games"}, "announcement"),
        ({"title": "Open Thread: March 2015"}, "announcement"),
        ({"htmlBody": f"<div class='meetup-meta'>When</div><p>{'b' * 120}</p>"}, "announcement"),
        ({"htmlBody": ""}, "empty_post"),
    ],
)
@pytest.mark.parametrize("score", ["baseScore", "score", "karma", "points"])
def test_posts_are_selected_however_they_are_loaded(row, reason, score):
    row = POST | row
    row[score] = row.pop("baseScore")
    columns = {"columns": {"score": "points"}} if score == "points" else {}
    seeds, rejected = read("post", [row], post_min_chars=100, post_min_score=30, **columns)
    assert (len(seeds), rejected) == ((2, []) if reason is None else (0, [(0, reason)]))


def test_scores_of_mixed_types():
    others = {name: pa.array([POST[name]] * 5) for name in ("title", "htmlBody")}
    posts = mixed("baseScore", ["35", 36, "29", None, 28.5], **others)
    _, rejected = read("post", posts, post_min_chars=100, post_min_score=30)
    assert [row for row, _ in rejected] == [2, 3, 4]


def test_a_minimum_score_needs_a_column():
    row = {name: value for name, value in POST.items() if name != "baseScore"}
    with pytest.raises(KeyError, match="baseScore or score or karma"):
        read("post", [row], post_min_score=30)
    assert len(read("post", [row], post_min_score=None)[0]) == 2


@pytest.mark.parametrize(
    "row", [{"htmlBody": " <p> </p>"}, {"htmlBody": "", "title": "T"}, {"contents": None}, {"contents": {"html": None}}]
)
def test_an_empty_post_contains_no_seed(row):
    assert read("post", [row]) == ([], [(0, "empty_post")])


def test_an_empty_post_among_others():
    rows = [{"contents": {"html": "Body."}}, {"contents": {"html": None}}, {"contents": None}]
    seeds, rejected = read("post", rows)
    assert ([seed["context"] for seed in seeds], rejected) == (
        [BODY] * 2,
        [(row, "empty_post") for row in (1, 2)],
    )


EXCHANGES = [{"input": " Why? ", "output": "So. "}, {"input": "And?", "output": "Thus."}]


@pytest.mark.parametrize(
    "row",
    [
        {"conversation": EXCHANGES},
        {
            "conversations": [
                {"from": role, "value": exchange[key]}
                for exchange in EXCHANGES
                for role, key in (("human", "input"), ("gpt", "output"))
            ]
        },
        {
            "messages": [
                {"role": role, "content": exchange[key]}
                for exchange in EXCHANGES
                for role, key in (("user", "input"), ("assistant", "output"))
            ]
        },
    ],
    ids=["capybara", "sharegpt", "messages"],
)
def test_conversation(row):
    seed = read_one("conversation", {**row, "source": "Other", "id": 7})
    assert (seed["instruction"], seed["context"], seed["response"]) == ("Why?", "", "So.")
    assert (seed["conversation"], seed["kind"], seed["meta"]) == (EXCHANGES, "conversation", {})
    assert seed["source"] == "Label"
    [(name, turns)] = row.items()
    assert read_one("conversation", {"turns": turns}, columns={name: "turns"}) == seed
    assert read_one("conversation", {"turns": turns}, columns={name: ["dialogue", "turns"]}) == seed
    assert read_one("conversation", {"turns": turns, name: None}, columns={name: "turns"}) == seed


def test_conversations_of_several_layouts_in_one_file():
    rows = [{"conversation": EXCHANGES[1:], "messages": None}, {"conversation": None, "messages": None}]
    rows.append(
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]},
    )
    seeds, rejected = read("conversation", rows)
    assert [seed["instruction"] for seed in seeds] == ["And?", "Why?"]
    assert rejected == [(1, "no_exchange")]


def test_a_conversation_that_cannot_be_read_has_a_reason():
    rows = [
        [{"from": "human", "value": "Why?"}],
        [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}],
        [{"from": "human", "value": "x"}, {"from": "<b>x</b>", "value": "x"}],
        [{"from": "human", "value": "x"}, {"from": "gpt", "value": None}],
        [],
        None,
    ]
    seeds, rejected = read("conversation", [{"conversations": turns} for turns in rows])
    assert [seed["instruction"] for seed in seeds] == ["Why?"]
    assert rejected == [  # reasons contain none of the data
        (0, "no_exchange"),
        (2, "unknown_role"),
        (3, "empty_answer"),
        (4, "no_exchange"),
        (5, "no_exchange"),
    ]


def test_messages_of_mixed_types():
    """If one value is a number, `datasets` stores all of them as JSON."""
    turns = [[("human", "Why?"), ("gpt", "So.")], [("human", "Why?"), ("gpt", 3)]]
    value = mixed("value", [text for row in turns for _, text in row])["value"].combine_chunks()
    speaker = pa.array([who for row in turns for who, _ in row])
    messages = pa.StructArray.from_arrays([speaker, value], ["from", "value"])
    seeds, rejected = read("conversation", pa.table({"conversations": pa.ListArray.from_arrays([0, 2, 4], messages)}))
    assert [(seed["instruction"], seed["response"]) for seed in seeds] == [("Why?", "So.")]
    assert rejected == [(1, "a_message_without_text")]


def test_conversations_of_mixed_shapes():
    seeds, rejected = read("conversation", mixed("conversation", [EXCHANGES, "Why? So.", None]))
    assert [seed["conversation"] for seed in seeds] == [EXCHANGES]
    assert rejected == [(1, "a_turn_of_another_shape"), (2, "no_exchange")]


def test_rows_that_are_taken_as_they_are():
    rows = [
        {"instruction": "Why?", "input": "A", "output": "So.", "category": "c"},
        {"instruction": "Why?", "input": None, "output": "So.", "category": None},
        {"instruction": None, "input": None, "output": "So.", "category": None},
    ]
    seeds, rejected = read("instruction", rows, as_is=True)
    assert [seed["conversation"] for seed in seeds] == [
        [{"input": "Why?\n\nA", "output": "So."}],
        [{"input": "Why?", "output": "So."}],
    ]
    assert [(s["instruction"], s["context"], s["response"]) for s in seeds] == [
        ("Why?\n\nA", "", "So."),
        ("Why?", "", "So."),
    ]
    assert [seed["kind"] for seed in seeds] == ["conversation"] * 2
    assert [seed["category"] for seed in seeds] == ["c", None]
    assert rejected == [(2, "missing_instruction")]
    assert read_one("conversation", {"conversation": EXCHANGES}, as_is=True)["conversation"] == EXCHANGES


@pytest.mark.parametrize(
    ("layout", "row", "more", "names"),
    [
        ("instruction", {"instruction": "Why?"}, {}, "response or output or answer"),
        ("instruction", {"instruction": "Why?", "output": "So."}, {"columns": {"context": "mine"}}, "mine"),
        ("instruction", {"ask": "Why?", "output": "So."}, {"columns": {"instruction": ["a", "b"]}}, "a or b"),
        ("problem", {"topic": "Algebra"}, {}, "message_1"),
        ("question", {"Question": "Why?"}, {}, "Answer or answer"),
        ("post", {"title": "T"}, {}, "htmlBody or contents.html or contents or text"),
        ("conversation", {"turns": EXCHANGES}, {}, "conversation or conversations or messages"),
        ("conversation", {"conversation": EXCHANGES}, {"columns": {"conversation": "turns"}}, "turns"),
    ],
)
def test_a_missing_column_is_named(layout, row, more, names):
    with pytest.raises(KeyError) as caught:
        read(layout, [row], **more)
    assert caught.value.args[0] == names


@pytest.mark.parametrize(
    ("value", "found"), [(1, "int64"), (True, "bool"), ({"a": 1}, None), (["x", "y"], None), ([1], "list")]
)
def test_a_wrong_type_is_named(value, found):
    """A list of texts is joined, as for authors; a struct is flattened, so its column is missing."""
    row = {"message_1": "Solve x.", "message_2": value}
    if found is None and isinstance(value, dict):
        with pytest.raises(KeyError, match="message_2"):
            read("problem", [row])
    elif found is None:
        assert read_one("problem", row)["response"] == "x, y"
    else:
        with pytest.raises(WrongType, match=f"`message_2` is {found}.*, expected text") as caught:
            read("problem", [row])
        assert caught.value.row is None


@pytest.mark.parametrize(
    ("value", "kind"), [(3, "int"), ([3], "list"), ({"a": 1}, "dict"), (True, "bool"), (0.5, "float")]
)
def test_a_column_of_mixed_types_names_the_row(value, kind):
    asked = pa.array(["Why?"] * 4)
    with pytest.raises(WrongType, match=f"^`response` is {kind}, expected text$") as caught:
        read("instruction", mixed("response", ["So.", None, value, value], instruction=asked))
    assert caught.value.row == 2


def test_a_column_of_mixed_types_that_contains_only_texts():
    seeds, rejected = read("instruction", mixed("response", [" So. ", None], instruction=pa.array(["Why?"] * 2)))
    assert [seed["response"] for seed in seeds] == ["So."]
    assert rejected == [(1, "missing_response")]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_in_any_of_arrows_types(kind):
    table = pa.table({"instruction": pa.array(["Why?", "How?"]).cast(kind), "response": pa.array(["So.", None])})
    seeds, rejected = read("instruction", table)
    assert ([seed["instruction"] for seed in seeds], rejected) == (["Why?"], [(1, "missing_response")])


def test_half_of_a_surrogate_pair_names_the_row():
    """JSON may contain it; it is not a character. Only a column that is read is an error."""
    cells = pa.array(['"So."', '"\\ud83d"'])
    column = pa.ExtensionArray.from_storage(pa.json_(), cells)
    table = pa.table({"instruction": ["Why?"] * 2, "response": ["So."] * 2, "note": column})
    assert len(read("instruction", table)[0]) == 2
    with pytest.raises(WrongType, match="`note` is text with half of a surrogate pair") as caught:
        read("instruction", table, columns={"response": "note"})
    assert caught.value.row == 1


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\ufeff \u2060", "\x00", "\u3164"])
def test_an_answer_that_shows_nothing_is_missing(blank):
    rows = [{"instruction": "Why?", "output": text} for text in ("So.", blank)]
    seeds, rejected = read("instruction", rows)
    assert (len(seeds), rejected) == (1, [(1, "missing_response")])


@pytest.mark.parametrize("layout", ["instruction", "post", "conversation"])
def test_every_seed_has_the_number_of_its_row(layout):
    rows = [{"instruction": text, "output": text, "text": text, "conversation": [{"input": text, "output": text}]}
            for text in ("a", "", "b")]  # fmt: skip
    seeds, rejected = adapt(pa.Table.from_pylist(rows), source(layout), ORIGIN, first=11)
    assert seeds["row"].to_pylist() == [number for number in (11, 13) for _ in range(2 if layout == "post" else 1)]
    assert [row for row, _ in rejected] == [1]


def test_rows_of_a_sample_keep_their_numbers(tmp_path):
    rows = [{"instruction": f"Question {number}?", "output": "So.", "image": None} for number in range(1, 20_001)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    keep_rows(tmp_path / "rows.parquet", np.array([0, 9, 8191, 8192, 19_999]))
    table = pq.read_table(tmp_path / "rows.parquet")
    assert needed_columns(table.column_names, source("instruction")) == ["instruction", "output", "__row__"]
    seeds, _ = adapt(table, source("instruction"), ORIGIN)
    assert seeds["row"].to_pylist() == [1, 10, 8192, 8193, 20_000]
    assert seeds["instruction"].to_pylist() == [f"Question {number}?" for number in seeds["row"].to_pylist()]
    assert set(seeds["meta"].to_pylist()) == {"{}"}


def test_only_the_columns_of_the_layout_are_needed():
    names = ["instruction", "output", "image", "user", "mine"]
    assert needed_columns(names, source("instruction", columns={"context": "mine"})) == [
        "instruction",
        "output",
        "mine",
    ]
    assert needed_columns(names, source("post")) == ["user"]


def test_objects_of_a_json_file_are_read_by_a_dotted_path():
    for value in ({"html": "<p>Body.</p>", "n": 1}, {"html": "Body."}):
        column = pa.ExtensionArray.from_storage(pa.json_(), pa.array([json.dumps(value), None]))
        seeds, rejected = read("post", pa.table({"contents": column}))
        assert ({seed["context"] for seed in seeds}, rejected) == ({"This is a post:\n\nBody."}, [(1, "empty_post")])


def test_the_id_depends_on_the_content_only():
    first = read_one("instruction", {"instruction": "Why?", "response": "So."})
    [same] = adapt(
        pa.Table.from_pylist([{"prompt": "Why? ", "output": "So."}]),
        source("instruction", label="Other", license="CC0", domain="Math"),
        {**ORIGIN, "dataset": "c"},
    )[0].to_pylist()
    assert same["id"] == first["id"]
    assert len(first["id"]) == 16
    others = [
        read_one("instruction", {"instruction": "Why?", "response": "No."}),
        read_one("instruction", {"instruction": "Why?", "response": "So."}, as_is=True),
        read_one("instruction", {"instruction": "Why?", "input": "A", "response": "So."}),
        *(
            read_one("conversation", {"conversation": [EXCHANGES[0], {"input": "c", "output": output}]})
            for output in "de"
        ),
    ]
    assert len({seed["id"] for seed in [first, *others]}) == len(others) + 1


def test_each_layout_has_a_kind_of_seed():
    assert set(KINDS) == set(LAYOUTS)
    assert set(KINDS.values()) == {"instruction", "problem", "post", "conversation"}


def test_a_system_message_is_prepended_to_the_request():
    rows = [
        {"instruction": "Say hello.", "response": "Ahoy!", "system": text} for text in ("You are a pirate.", "", None)
    ]
    table, _ = adapt(
        pa.Table.from_pylist(rows),
        {"label": "L", "license": "MIT", "layout": "instruction"},
        {"dataset": "d", "revision": "r"},
    )
    assert table["instruction"].to_pylist() == ["You are a pirate.\n\nSay hello.", "Say hello.", "Say hello."]
