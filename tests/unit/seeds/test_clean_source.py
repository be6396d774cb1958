"""Cleaning rules read every turn as published, before texts are repaired."""

import functools
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common import tables
from workflow_scripts.config import sources
from workflow_scripts.seeds.clean_source import faults, main
from workflow_scripts.seeds.cleaning.rules import RULES, first_fault
from workflow_scripts.seeds.schema import SEED

SETTINGS = {
    "rules": list(RULES),
    "min_request_chars": 5,
    "short_answers": "reject",
    "min_answer_chars": 20,
    "max_chars": 300,
}
# Settings that remove nothing by length or by rule.
OFF = {"rules": [], "min_request_chars": 0, "short_answers": "keep", "min_answer_chars": 0, "max_chars": 10**9}
GOOD = "Its crystals interlock, and water finds few ways in."
ASKED = "Why is granite hard?"
BAD = "My knowledge ends in September 2021, so I cannot say."


def dialogue(*answers, **fields):
    talk = [{"input": f"Question {number}?", "output": text} for number, text in enumerate(answers)]
    return {
        "kind": "conversation",
        "instruction": "Question 0?",
        "response": answers[0],
        "conversation": talk,
        **fields,
    }


@pytest.fixture
def fault(make_table):
    """A function that gives (reason, evidence) of one seed, or None."""

    def find(settings=SETTINGS, **fields):
        found = faults(make_table([fields]), settings)
        assert len(found) <= 1
        return (found[0].rule, found[0].evidence) if found else None

    return find


def test_repaired_texts_are_listed(clean, make_table, tmp_path):
    damaged = GOOD.replace(" ", " cafÃ© ", 1)
    talk = [{"input": GOOD, "output": GOOD}, {"input": damaged, "output": GOOD}]
    rows = [{"response": damaged, "row": 3}, {"response": GOOD, "row": 4}, {"row": 5, "conversation": talk}]
    kept, _ = clean(make_table(rows), rules=["empty"])
    listed = pq.read_table(tmp_path / "repaired.parquet").to_pylist()
    fixed = GOOD.replace(" ", " café ", 1)
    assert [(row["row"], row["before"], row["after"]) for row in listed] == [(3, damaged, fixed), (5, damaged, fixed)]
    assert [row["id"] for row in listed] == [kept[0]["id"], kept[2]["id"]]


@pytest.fixture
def clean(tmp_path):
    """A function that runs the entry point on a table: the clean rows, and the rejected ones."""

    def run(table, **settings):
        paths = {
            name: tmp_path / f"{name}.{'json' if name == 'changes' else 'parquet'}"
            for name in ("seeds", "clean", "rejected", "repaired", "changes")
        }
        pq.write_table(table, paths["seeds"])
        options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
        main(["--settings", json.dumps(SETTINGS | settings), *options])
        assert pq.read_schema(paths["clean"]).equals(SEED)
        return pq.read_table(paths["clean"]).to_pylist(), list(tables.read_rejected(paths["rejected"]))

    return run


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_answer_of_a_conversation_is_read(fault, place):
    """The first answer as well as the last: the card names a knowledge cut-off date in any of them."""
    answers = [GOOD] * 3
    assert fault(**dialogue(*answers)) is None
    answers[place] = BAD
    assert fault(**dialogue(*answers)) == ("self_reference", "My knowledge ends")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_request_of_a_conversation_is_read(fault, place):
    seed = dialogue(GOOD, GOOD, GOOD)
    seed["conversation"][place]["input"] = "Read \x1b[31mthis"
    assert fault(**seed) == ("ansi_escape", "\x1b[31m")
    seed["conversation"][place]["input"] = BAD  # a user may say so
    assert fault(**seed) is None


def test_only_the_turns_of_a_conversation_are_read(fault):
    """`instruction` and `response` only repeat its first exchange."""
    assert fault(**dialogue(GOOD, instruction="", response=BAD)) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instruction": " ", "response": GOOD}, "empty"),
        ({"context": "\x1b[31mred", "response": GOOD}, "ansi_escape"),
        ({"context": "\ufffd", "response": GOOD}, "broken_unicode"),
        ({"context": "!" * 31, "response": GOOD}, "repeated_characters"),
        ({"context": GOOD * 2, "response": f"{GOOD} And so the crystals are held by the"}, "truncated"),
        ({"response": ""}, "empty"),
        ({"response": "Too short."}, "short_answer"),
        ({"instruction": "Why?", "response": GOOD}, "short_request"),
        ({"context": "x y", "response": GOOD}, None),  # an input may be a number or a name
        ({"context": GOOD * 6, "response": GOOD}, "too_long"),
        ({"response": f"{GOOD} As an AI, I know."}, "self_reference"),
        ({"response": f"{GOOD} Please note that it rains."}, "airoboros_filters"),
        ({"response": "See https://plums.org for it."}, "url"),
        ({"context": "See https://plums.org.", "response": "https://plums.org has more."}, None),
        ({"context": "See https://plums.org.", "response": GOOD}, None),
        ({"response": "", "kind": "post", "context": GOOD}, None),
        ({"response": "", "kind": "problem", "reference": "4"}, None),  # short as reference answers are
        ({"response": "Too short.", "kind": "problem", "reference": "4"}, "short_answer"),
        ({"response": "", "kind": "post", "context": f"{GOOD}\x00"}, "broken_unicode"),
    ],
)
def test_each_text_of_a_seed_is_read(fault, fields, reason):
    found = fault(**fields)
    assert (found and found[0]) == reason


@pytest.mark.parametrize(
    ("name", "bound", "unit"), [("short_answer", 20, "response"), ("short_request", 5, "instruction")]
)
def test_lower_bounds(fault, name, bound, unit):
    seed = {"instruction": ASKED, "response": GOOD}
    words = ("🪨é" * bound)[: bound - 1]  # characters count, not bytes
    assert fault(**seed | {unit: f"{words}x"}) is None
    assert fault(**seed | {unit: words}) == (name, f"{len(words)} characters: {words}")
    assert fault(**seed | {unit: f"  {words}\n\n "})[0] == name  # white space around is no content
    assert fault({**SETTINGS, "min_answer_chars": 0, "min_request_chars": 0}, **seed | {unit: words}) is None


@pytest.mark.parametrize("unit", ["instruction", "context", "response"])
def test_the_upper_bound_applies_to_each_text(fault, unit):
    seed = {"instruction": ASKED, "context": GOOD * 4, "response": GOOD * 5}
    text = ("🪨é " * 300)[:299] + "x"
    assert fault(**seed | {unit: text}) is None
    assert fault(**seed | {unit: f"{text}y"}) == ("too_long", f"301 characters: {text[:80]}")


def test_the_first_fault_of_the_first_faulty_text_is_reported(fault):
    seed = {"instruction": f"{ASKED} \x1b[31m", "context": "\ufffd", "response": "As an AI, I say no."}
    assert fault(**seed) == ("ansi_escape", "\x1b[31m")
    assert fault(**seed | {"instruction": ASKED}) == ("broken_unicode", "\ufffd")
    assert fault(**seed | {"instruction": ASKED, "context": ""}) == ("self_reference", "As an AI, I")
    assert fault({**SETTINGS, "rules": []}, **seed | {"instruction": ASKED, "context": ""})[0] == "short_answer"
    assert fault(**dialogue(GOOD, f"{GOOD}\ufffd", BAD)) == ("broken_unicode", "\ufffd")


def test_settings_off(fault, clean, make_table):
    rows = [
        {"instruction": "", "context": "x" * 99, "response": f"{BAD} See www.a.org now,"},
        dialogue("a\ufffd", "\x00\x1b[0m"),
    ]
    for row in rows:
        assert fault(OFF, **row) is None
        assert fault(**row)
    kept, rejected = clean(make_table(rows), **OFF)
    assert (len(kept), rejected) == (2, [])


def test_a_source_may_have_settings_of_its_own(fault):
    settings = sources.cleaning({"cleaning": {"min_answer_chars": 1, "rules": ["url"]}}, SETTINGS)
    assert fault(settings, response="Yes, as an AI, I do.") is None
    assert fault(settings, response="Yes.") is None  # the bound of requests is not that of answers
    assert fault(settings, response="See www.a.org.") == ("url", "www.a.org")
    assert fault(settings, instruction="Why?", response="So.") == ("short_request", "4 characters: Why?")


PARTS = st.sampled_from(
    [
        GOOD,
        ASKED,
        BAD,
        "",
        "So.",
        "\ufffd",
        f"{GOOD} See www.a.org.",
        f"{GOOD} And so the crystals are held by the",
        "x" * 31,
    ]
)
PLAIN = st.fixed_dictionaries({"instruction": PARTS, "context": PARTS, "response": PARTS})
TALKS = st.lists(PARTS, min_size=1, max_size=3).map(lambda answers: dialogue(*answers))


@functools.cache
def fault_alone(text, answer):
    return first_fault(text, SETTINGS["rules"], answer)


@given(st.lists(PLAIN | TALKS, max_size=6))
def test_a_seed_is_judged_the_same_alone_and_in_a_batch(make_table, rows):
    """Compared with a check text by text."""
    table = make_table(rows)
    found = {fault.row: (fault.rule, fault.evidence) for fault in faults(table, SETTINGS)}
    assert [fault.row for fault in faults(table, SETTINGS)] == sorted(found)
    for row, seed in enumerate(rows):
        wanted = None
        turns = seed.get("conversation") or [
            {"input": seed["instruction"], "context": seed["context"], "output": seed["response"]}
        ]
        texts = [(key, text) for turn in turns for key, text in turn.items() if key != "context" or text]
        for place, (key, text) in enumerate(texts):
            least = SETTINGS["min_answer_chars"] if key == "output" else 0 if place else SETTINGS["min_request_chars"]
            wanted = wanted or fault_alone(text, key == "output")
            if not wanted and len(text.strip()) < least:
                wanted = f"short_{'answer' if key == 'output' else 'request'}", f"{len(text)} characters: {text}"
        assert tuple(found.get(row, ())) == (wanted or ())


def test_main_repairs_every_text(clean, make_table):
    broken, repaired = "Itâ€™s a cafÃ© with a view of the sea.", "It’s a café with a view of the sea."
    talk = [
        {"input": broken, "output": f"{broken} {broken}"},
        {"input": f"<div class='markdown'><p>{broken}</p></div>", "output": broken},
    ]
    rows = [
        {"instruction": broken, "context": broken, "response": broken, "meta": {"title": broken}},
        {"kind": "conversation", "instruction": broken, "response": broken, "conversation": talk},
    ]
    kept, rejected = clean(make_table(rows))
    assert rejected == []
    for row in kept:
        assert row["instruction"] == row["response"] == repaired
    assert kept[0]["context"] == repaired
    assert json.loads(kept[0]["meta"]) == {"title": broken}  # no text of a conversation
    assert kept[1]["conversation"] == [
        {"input": repaired, "output": f"{repaired} {repaired}"},
        {"input": repaired, "output": repaired},
    ]


def test_main_leaves_html_entities(clean, make_table):
    """A question may be about them."""
    table = make_table([{"instruction": "What does &amp; mean in HTML?", "response": GOOD}])
    assert clean(table)[0] == table.to_pylist()


def test_main_applies_the_rules_before_the_repair(clean, make_table):
    """ftfy removes escapes and control characters, which would hide them from the rules."""
    kept, rejected = clean(make_table([{"response": f"{GOOD}\x1b[0m"}, {"response": f"{GOOD}\x01"}]))
    assert kept == []
    assert sorted(row["reason"] for row in rejected) == ["ansi_escape", "broken_unicode"]


def test_main_writes_evidence(clean, make_table):
    good, bad = make_table(
        [{"response": GOOD}, {"source": "B", "response": "See \x1b[31mthis line of red text."}]
    ).to_pylist()
    kept, rejected = clean(pa.Table.from_pylist([good, bad], SEED))
    assert kept == [good]
    evidence = {"source": "B", "text": "\x1b[31m"}
    [row] = rejected
    assert (row["id"], row["reason"], row["evidence"], row["source"]) == (bad["id"], "ansi_escape", evidence, "B")
    assert row["conversation"] == [{"input": bad["instruction"], "output": bad["response"]}]  # as published
    assert row["provenance"]["license"] == "MIT"


def test_main_loses_no_row_across_batches(clean, make_table, monkeypatch):
    monkeypatch.setattr(tables, "BATCH", 7)
    rows = [{"response": BAD if number % 3 == 0 else f"{GOOD} Number {number}."} for number in range(40)]
    rows += [dialogue(GOOD, BAD if number % 2 else GOOD, id=f"{number:016}") for number in range(10)]
    table = make_table(rows)
    kept, rejected = clean(table)
    whole = [
        row["id"]
        for row, seed in zip(table.to_pylist(), rows, strict=True)
        if BAD in str(seed) and row["kind"] != "conversation"
    ]
    assert [row["id"] for row in rejected] == whole
    left = [row for row in table.to_pylist() if row["id"] not in whole]
    assert [row["id"] for row in kept] == [row["id"] for row in left]  # in order
    shortened = [row for row in kept if "shortened" in row["meta"]]
    assert len(shortened) == 5 and all(len(row["conversation"]) == 1 for row in shortened)
    assert [row for row in kept if row not in shortened] == [row for row in left if BAD not in str(row)]  # unchanged
    assert len(kept) + len(rejected) == len(rows)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_conversation_ends_before_its_first_faulty_exchange(clean, make_table, tmp_path, place):
    answers = [f"{GOOD} Part {number}." for number in range(3)]
    answers[place] = BAD
    kept, rejected = clean(make_table([dialogue(*answers)]))
    if place:
        [row] = kept
        assert [turn["output"] for turn in row["conversation"]] == answers[:place] and not rejected
        meta = json.loads(row["meta"])["shortened"]
        assert meta == {"reason": "self_reference", "text": "My knowledge ends", "exchanges": 3}
        assert json.loads((tmp_path / "changes.json").read_text())["shortened"] == {"self_reference": 1}
    else:
        assert (kept, [row["reason"] for row in rejected]) == ([], ["self_reference"])


def test_a_faulty_request_ends_a_conversation_too(clean, make_table):
    seed = dialogue(GOOD, GOOD)
    seed["conversation"][1]["input"] = "Read \x1b[31mthis"
    [row], rejected = clean(make_table([seed]))
    assert len(row["conversation"]) == 1 and not rejected


@pytest.mark.parametrize(
    ("short_answers", "left"),
    [("keep", ("Lima", None)), ("rewrite", ("", "Lima")), ("reject", None)],
)
def test_short_answers(clean, make_table, tmp_path, short_answers, left):
    rows = [{"response": GOOD}, {"response": "Lima"}]
    kept, rejected = clean(make_table(rows), short_answers=short_answers)
    changed = json.loads((tmp_path / "changes.json").read_text())["rewritten"]
    assert (kept[0]["response"], kept[0]["reference"]) == (GOOD, None)
    if left is None:
        assert len(kept) == 1 and [row["reason"] for row in rejected] == ["short_answer"]
    else:
        assert (kept[1]["response"], kept[1]["reference"]) == left and not rejected
    assert changed == (short_answers == "rewrite")


def test_a_short_answer_of_a_conversation_is_never_rewritten(clean, make_table):
    [row], _ = clean(make_table([dialogue("Lima", GOOD)]), short_answers="rewrite")
    assert row["conversation"][0]["output"] == row["response"] == "Lima" and row["reference"] is None


def test_main_on_no_seeds(clean, make_table):
    assert clean(make_table([])) == ([], [])


def test_a_failure_leaves_no_file(clean, make_table, tmp_path):
    with pytest.raises(KeyError):
        clean(make_table([{"response": GOOD}]).drop_columns("response"))
    assert os.listdir(tmp_path) == ["seeds.parquet"]
