"""Seeds that contain a benchmark item are removed before the synthesis; every removal cites the item."""

import json

import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.common.tables import read_rejected
from workflow_scripts.decontamination.benchmark_index import write_benchmark_index
from workflow_scripts.seeds.decontaminate_seeds import main

QUESTION = "Why does granite erode so much more slowly than limestone does in a wet and rather warm climate zone?"
SHORT = "Which stones outlast extraordinary winters?"


@pytest.fixture
def decontaminate(tmp_path, make_table):
    """A function that runs the step: the instructions of the remaining seeds, the rejected rows, and the hits."""

    def run(*seeds, allow=(), remove_at=97):
        item = {"benchmark": "x", "choices": [], "answer": "", "context": "", "passage": ""}
        items = [{**item, "id": "q1", "question": QUESTION}, {**item, "id": "q2", "question": SHORT}]
        write_benchmark_index(tmp_path / "index", items, 97, [], {})
        table = make_table(list(seeds))
        pq.write_table(table, tmp_path / "seeds.parquet")
        files = {name: tmp_path / name for name in ("searched.parquet", "rejected.parquet", "hits.jsonl")}
        paths = [part for name, path in files.items() for part in (f"--{name.split('.')[0]}", str(path))]
        main([
            "--seeds", str(tmp_path / "seeds.parquet"), "--index", str(tmp_path / "index"), "--remove-at", str(remove_at),
            "--allow", json.dumps(allow), *paths,
        ])  # fmt: skip
        left, rejected = pq.read_table(files["searched.parquet"]), list(read_rejected(files["rejected.parquet"]))
        assert left.schema == table.schema and left.num_rows + len(rejected) == len(seeds)
        return left["instruction"].to_pylist(), rejected, list(read_jsonl(files["hits.jsonl"]))

    return run


def test_a_seed_that_is_a_benchmark_item_is_removed(decontaminate):
    left, rejected, hits = decontaminate({"instruction": QUESTION.upper()}, {"instruction": "Name a river."})
    assert left == ["Name a river."]
    evidence = {"benchmark": "x", "item": "q1", "field": "question", "similarity": 1.0}
    assert [(row["reason"], row["evidence"]) for row in rejected] == [
        ("contaminated", {"source": "Airoboros", "hits": [evidence]})
    ]
    assert [(hit["id"], hit["level"], hit["counts"]) for hit in hits] == [(rejected[0]["id"], 97, True)]


@pytest.mark.parametrize(
    ("seed", "turn"),
    [
        ({"instruction": "Answer this.", "context": QUESTION}, 0),
        ({"instruction": "Which question is hard?", "response": f"This one: {QUESTION}"}, 1),
        ({"instruction": "Sum it up.", "context": f"A post. {QUESTION}", "kind": "post", "task": "argument"}, 0),
    ],
)
def test_hits_are_at_their_place_in_the_text_that_pages_show(decontaminate, seed, turn):
    _, [rejected], [hit] = decontaminate(seed)
    text = turns(rejected["conversation"])[turn]
    assert hit["turn"] == turn and text[hit["start"] : hit["end"]] == QUESTION[:-1]


def test_finished_conversations_are_searched_later(decontaminate):
    dialogue = [{"input": QUESTION, "output": "It is hard."}]
    assert decontaminate({"kind": "conversation", "conversation": dialogue, "instruction": ""})[1:] == ([], [])


def test_allowed_hits_are_listed_and_stay(decontaminate):
    entry = {"benchmark": "x", "item": "q1", "reason": "common question"}
    left, rejected, hits = decontaminate({"instruction": QUESTION}, allow=[entry])
    assert (left, rejected, [hit["allowed"] for hit in hits]) == ([QUESTION], [], ["common question"])


def test_near_misses_stay_and_words_are_not_listed(decontaminate):
    near = QUESTION.replace("granite", "granyte")  # 99 %
    assert decontaminate({"instruction": near}, {"instruction": SHORT}, remove_at=100) == ([near, SHORT], [], [])


def test_no_seed_at_all(decontaminate):
    assert decontaminate() == ([], [], [])
