"""The survivors of all sources, and the duplicates with their survivors."""

import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common import tables
from workflow_scripts.common.tables import read_rejected
from workflow_scripts.seeds.deduplicate_seeds import main
from workflow_scripts.seeds.schema import SEED

LONG = "Explain in detail why granite erodes so much more slowly than limestone does in a wet climate"
OTHER = "Explain why the sea is salty although rivers carry fresh water into it"


@pytest.fixture
def deduplicate(tmp_path):
    """A function that runs the entry point on tables, one per source: the survivors, and the rejected rows."""

    def run(*sources, threshold="0.8"):
        files = []
        for number, table in enumerate(sources):
            files.append(str(tmp_path / f"{number}.parquet"))
            pq.write_table(table, files[-1])
        unique, rejected = tmp_path / "unique.parquet", tmp_path / "rejected.parquet"
        main(["--seeds", *files, "--threshold", threshold, "--unique", str(unique), "--rejected", str(rejected)])
        assert pq.read_schema(unique).equals(SEED)
        gone = list(read_rejected(rejected))
        kept = pq.read_table(unique).to_pylist()
        assert len(kept) + len(gone) == sum(table.num_rows for table in sources)
        return kept, gone

    return run


def test_an_exact_duplicate_names_its_survivor(deduplicate, make_table):
    one = make_table(
        [{"id": "1", "source": "A", "row": 7, "instruction": LONG, "meta": {"n": 1}}, {"id": "2", "source": "A"}]
    )
    other = make_table([{"id": "3", "source": "B", "instruction": LONG.upper(), "domain": "Geology"}])
    kept, gone = deduplicate(one, other)
    assert kept == one.to_pylist()  # every column, unchanged
    evidence = {"source": "B", "kept": "1", "kept_source": "A", "kept_file": "a/b", "kept_row": 7}
    provenance = {"dataset": "a/b", "revision": "c0ffee", "license": "MIT", "kind": "instruction", "domain": "Geology"}
    provenance |= {"skills": None, "difficulty": None}
    assert gone == [
        {
            "id": "3",
            "reason": "exact_duplicate",
            "evidence": evidence,
            "source": "B",
            "conversation": [{"input": LONG.upper(), "output": ""}],
            "provenance": provenance,
        }
    ]


def test_a_near_duplicate_shows_both(deduplicate, make_table):
    near = f"{LONG}, please. {'🪨 ' * 5}"
    one = make_table([{"id": "2", "source": "A", "instruction": f"{near}{OTHER * 2}"}])
    other = make_table([{"id": "1", "source": "B", "instruction": f"{LONG} {'🪨 ' * 5}{OTHER * 2}"}])
    kept, gone = deduplicate(one, other)
    assert kept == other.to_pylist()
    ((row,), texts) = gone, [table["instruction"][0].as_py()[:200] for table in (one, other)]
    assert (row["id"], row["reason"]) == ("2", "near_duplicate")
    assert 0.8 <= row["evidence"].pop("jaccard") < 1
    assert row["evidence"] == {
        "source": "A",
        "kept": "1",
        "kept_source": "B",
        "kept_file": "a/b",
        "kept_row": None,
        "text": texts[0],
        "kept_text": texts[1],
    }
    assert len(texts[0]) == 200
    assert row["conversation"] == [{"input": one["instruction"][0].as_py(), "output": ""}]  # the whole text


def test_survivors_do_not_depend_on_the_order_of_files_nor_on_batches(deduplicate, make_table, monkeypatch):
    """Also if ids are equal and rows differ only in other columns."""
    rows = [
        {"source": source, "instruction": text, "response": response, "meta": {"n": number}}
        for number, (source, text, response) in enumerate(
            itertools.product("AB", [LONG, f"{LONG}!", LONG.upper(), OTHER, f"{OTHER}?"], ["x", "y"])
        )
    ]
    parts = [rows[:3], rows[3:11], rows[11:12], rows[12:]]
    outcomes = set()
    for size, order in ((8192, parts), (2, parts), (3, parts[::-1]), (1, [rows[::-1], [], []])):
        monkeypatch.setattr(tables, "BATCH", size)
        kept, gone = deduplicate(*map(make_table, order))
        assert len(kept) == 2
        rejected = sorted(json.dumps(row, sort_keys=True) for row in gone)
        outcomes.add((*sorted(json.dumps(row, sort_keys=True) for row in kept), *rejected))
    assert len(outcomes) == 1


def test_survivors_keep_the_order_of_files_and_rows(deduplicate, make_table, monkeypatch):
    monkeypatch.setattr(tables, "BATCH", 2)
    texts = [
        f"{number} {word} " * 4 for number, word in enumerate(["granite", "sand", "water", "river", "moon", "tide"])
    ]
    rows = make_table([{"instruction": text} for text in texts])
    kept, gone = deduplicate(rows[:3], rows[1:4], rows[3:], make_table([]))
    assert [row["instruction"] for row in kept] == texts
    # Of equal rows the first survives, so those of later files are removed.
    assert [row["id"] for row in gone] == rows["id"].to_pylist()[1:4]
    assert all(row["evidence"]["kept"] == row["id"] for row in gone)


def test_null_removes_equal_texts_only(deduplicate, make_table):
    table = make_table([{"instruction": text} for text in (LONG, f"{LONG}!", LONG.lower())])
    kept, gone = deduplicate(table, threshold="null")
    assert (len(kept), [row["reason"] for row in gone]) == (2, ["exact_duplicate"])
    kept, gone = deduplicate(table)
    assert (len(kept), len(gone)) == (1, 2)


def test_a_conversation_survives_as_it_is(deduplicate, make_table):
    talk = [{"input": LONG, "output": "So."}, {"input": "Why?", "output": "Because."}]
    fields = {
        "kind": "conversation",
        "instruction": LONG,
        "response": "So.",
        "conversation": talk,
        "skills": ["a", "b"],
    }
    table = make_table([fields, {"instruction": OTHER}])
    assert deduplicate(table) == (table.to_pylist(), [])


def test_no_seeds_at_all(deduplicate, make_table):
    assert deduplicate(make_table([])) == ([], [])
    assert deduplicate(make_table([]), make_table([{}]))[1] == []


def test_a_failure_leaves_no_file(deduplicate, make_table, tmp_path):
    with pytest.raises((KeyError, pa.ArrowInvalid)):
        deduplicate(make_table([{}]).drop_columns("license"))
    assert [path.name for path in tmp_path.iterdir()] == ["0.parquet"]
