"""The provenance record: readable by the rocrate library, and reproducible."""

import json

from rocrate.rocrate import ROCrate

from workflow_scripts.release.crate import crate

ABOUT = {
    "run": "x",
    "base": {"model": "org/base", "revision": "abc"},
    "teacher": {"model": "teacher", "revision": None},
    "synthesised": True,
    "training": {"epochs": 3, "lora": {"r": 4}, "learning_rate": 1e-3},
}
FILES = [
    {"path": path, "sha256": "0" * 64, "bytes": 7}
    for path in ("README.md", "data/messages/train.parquet", "model/model.safetensors", "model/vocab.txt")
]
SEEDS = [{"dataset": "org/seeds", "revision": "def", "license": "MIT", "source": "<b>S</b>", "conversations": 4}]


def test_the_library_reads_it_back(tmp_path):
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(crate(ABOUT, FILES, SEEDS)))
    read = ROCrate(tmp_path)
    assert {entity.id for entity in read.data_entities} == {row["path"] for row in FILES}
    training = read.dereference("#training")
    assert [entity.id for entity in training["result"]] == ["model/model.safetensors", "model/vocab.txt"]
    assert read.dereference("#base")["version"] == "abc"
    assert read.dereference("#training-lora")["value"] == '{"r": 4}'
    assert read.dereference("#seeds-1")["description"] == "4 conversations of the source <b>S</b>"


def test_the_record_does_not_depend_on_time_or_machine():
    first, second = (json.dumps(crate(ABOUT, FILES, SEEDS)) for _ in range(2))
    assert first == second and "datePublished" not in first and "arcp" not in first


def test_a_run_without_a_synthesis_has_no_teacher():
    text = json.dumps(crate(ABOUT | {"synthesised": False}, FILES, SEEDS)).casefold()
    assert "teacher" not in text and "amplify" not in text and "synthesis" not in text
