"""Artefacts of a stage: sorted rows, rejected rows with their text, statistics that add up."""

import random

import pytest

from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.common.stage import Rejections, rejected_row, statistics, write_stage


def conversation(name):
    return {
        "id": name,
        "source": "Stones",
        "conversation": [{"input": "Why?", "output": f"So, {name}."}],
        "provenance": {"license": "MIT"},
    }


def rejections_of(*reasons):
    rejections = Rejections()
    for number, reason in enumerate(reasons):
        rejections.add(conversation(f"r{number}"), reason, {"text": reason})
    return rejections


def test_a_rejected_row_carries_the_row_itself():
    assert rejected_row({**conversation("a"), "score": 1}, "url", ["https://x.org"]) == {
        "id": "a",
        "reason": "url",
        "evidence": ["https://x.org"],
        "source": "Stones",
        "conversation": [{"input": "Why?", "output": "So, a."}],
        "provenance": {"license": "MIT"},
    }


def test_statistics_add_up():
    found = statistics(5, 2, rejections_of("url", "empty", "url"), seconds=1.5)
    assert found == {"in": 5, "out": 2, "rejected": {"url": 2, "empty": 1}, "seconds": 1.5}


@pytest.mark.parametrize("rows_in", [4, 6])
def test_a_lost_or_invented_row_is_an_error(rows_in):
    with pytest.raises(ValueError, match=f"rows lost: in {rows_in}, out 2, rejected 3"):
        statistics(rows_in, 2, rejections_of("url", "empty", "url"))


def test_artefacts_do_not_depend_on_the_order_of_rows(tmp_path):
    rows = [{"id": f"{n:02d}"} for n in range(20)]
    written = []
    for seed in range(3):
        folder = tmp_path / str(seed)
        rejections = rejections_of("url", "empty", "url")
        random.Random(seed).shuffle(rows)
        random.Random(seed).shuffle(rejections.rows)
        write_stage(*(folder / name for name in ("data", "rejected", "stats")), rows, rejections, 23)
        written.append([(folder / name).read_bytes() for name in ("data", "rejected")])
        assert read_json(folder / "stats")["in"] == 23
    assert written[0] == written[1] == written[2]
    assert [row["id"] for row in read_jsonl(tmp_path / "0" / "data")] == sorted(row["id"] for row in rows)
    rejected = list(read_jsonl(tmp_path / "0" / "rejected"))
    assert [(row["id"], row["reason"]) for row in rejected] == [("r0", "url"), ("r1", "empty"), ("r2", "url")]
    assert rejected[1]["conversation"] == [{"input": "Why?", "output": "So, r1."}]


def test_nothing_is_written_when_a_row_is_lost(tmp_path):
    with pytest.raises(ValueError, match="rows lost"):
        write_stage(*(tmp_path / name for name in ("data", "rejected", "stats")), [{"id": "a"}], Rejections(), 2)
    assert not list(tmp_path.iterdir())
