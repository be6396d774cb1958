"""The release folder: complete, and the same in every run."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.release.tree import make, settings
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.release.files import CRATE, SUMS, listed, read_sums
from workflow_scripts.release.gather_release import main, origins


@pytest.fixture
def finished(tmp_path):
    make(tmp_path)
    for name in ("final/config.json", "final/model.safetensors", "final/tokenizer.json", "final/.snakemake_timestamp", "trained/adapter_model.safetensors", "trained/README.md", "release/README.md", "release/data/README.md"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "trained" / "adapter_config.json").write_text('{"r": 4, "base_model_name_or_path": "results/x/base"}')
    return tmp_path


def gather(folder, *gguf, **changes):
    data = folder / "dataset"
    main([
        "--settings", json.dumps(settings(**changes)), "--final", str(folder / "final"), "--trained", str(folder / "trained"),
        "--claims", str(folder / "claims.json"), "--gguf", *map(str, gguf), "--train", str(data / "train.jsonl"), "--test", str(data / "test.jsonl"),
        "--train-parquet", str(data / "train.parquet"), "--test-parquet", str(data / "test.parquet"), "--release", str(folder / "release"),
    ])  # fmt: skip
    return folder / "release"


def test_every_file_is_there_with_its_checksum(finished):
    release = gather(finished)
    names = {path.relative_to(release).as_posix() for path in listed(release)}
    assert names == {
        "README.md", "data/README.md", "data/conversations/train.jsonl", "data/conversations/test.jsonl", "data/messages/train.parquet",
        "data/messages/test.parquet", "model/config.json", "model/model.safetensors", "model/tokenizer.json", "model/claims.json",
        "model/adapter/adapter_model.safetensors", "model/adapter/adapter_config.json", CRATE,
    }  # fmt: skip
    sums = read_sums((release / SUMS).read_text())
    assert sums == {name: file_sha256(release / name) for name in names}


def test_an_adapter_names_its_base_model_and_no_path(finished):
    adapter = json.loads((gather(finished) / "model" / "adapter" / "adapter_config.json").read_text())
    assert adapter == {"r": 4, "base_model_name_or_path": "org/base"}


def test_a_fully_tuned_model_has_no_adapter(finished):
    (finished / "trained" / "adapter_config.json").unlink()
    assert not (gather(finished) / "model" / "adapter").exists()


def test_only_the_gguf_file_of_this_run_is_included(finished):
    for name in ("old.gguf", "x.gguf"):
        (finished / "release" / "gguf").mkdir(exist_ok=True)
        (finished / "release" / "gguf" / name).write_text(name)
    sums = read_sums((gather(finished, finished / "release" / "gguf" / "x.gguf") / SUMS).read_text())
    assert "gguf/x.gguf" in sums and "gguf/old.gguf" not in sums


def test_the_provenance_record_names_the_sources_of_the_rows(finished):
    graph = {entity["@id"]: entity for entity in json.loads((gather(finished) / CRATE).read_text())["@graph"]}
    seeds = graph["#seeds-1"]
    assert (seeds["name"], seeds["version"], seeds["license"]) == ("org/seeds", "def", "MIT")
    assert graph["model/model.safetensors"]["sha256"] == file_sha256(finished / "final" / "model.safetensors")


def test_local_paths_are_not_part_of_the_provenance_record(finished):
    base = {"model": "/data/secret/llama", "revision": None}
    crate = (gather(finished, base=base) / CRATE).read_text()
    assert '"llama"' in crate and "secret" not in crate
    assert '"org/base"' not in (finished / "release" / "model" / "adapter" / "adapter_config.json").read_text()
    assert origins([local_rows(finished)])[0]["dataset"] == "mine.jsonl"


def test_local_paths_are_not_part_of_the_published_messages(finished):
    parquet = finished / "dataset" / "train.parquet"
    identity = "llama.cpp /data/secret/q8.gguf context 2048 98 abc"
    table = pq.read_table(parquet)
    rows = [
        json.dumps(json.loads(text) | {"dataset": "/data/secret/mine.jsonl", "teacher": {"identity": identity}})
        for text in table["provenance"].to_pylist()
    ]
    pq.write_table(table.set_column(5, "provenance", pa.array(rows)), parquet)
    release = gather(finished, teacher={"name": None, "model": "/data/secret/q8.gguf", "revision": None})
    published = pq.read_table(release / "data" / "messages" / "train.parquet")
    about = json.loads(published["provenance"][0].as_py())
    assert about["dataset"] == "mine.jsonl" and about["teacher"] == {
        "identity": "llama.cpp q8.gguf context 2048 98 abc"
    }
    assert published.drop(["provenance"]) == table.drop(["provenance"])


def local_rows(folder):
    """A parquet file with a row of a local file."""
    provenance = json.dumps({"dataset": "/data/secret/mine.jsonl", "revision": "sha256:1"})
    table = pa.table({"source": ["Mine"], "license": ["MIT"], "provenance": [provenance]})
    pq.write_table(table, folder / "local.parquet")
    return folder / "local.parquet"


def test_a_second_run_gives_the_same_bytes(finished):
    release = gather(finished)
    before = {path: path.read_bytes() for path in [*listed(release), release / SUMS]}
    (release / "model" / "old.json").touch()  # a file of an earlier training is removed
    gather(finished)
    assert {path: path.read_bytes() for path in [*listed(release), release / SUMS]} == before


def test_pickles_are_rejected(finished):
    (finished / "final" / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match="may execute code"):
        gather(finished)
