"""Gather the files to publish in one folder: model, adapter, data, checksums, provenance.

    release/README.md               model card              data/README.md                  data card
    release/model/                  safetensors, tokenizer  data/conversations/*.jsonl      {source, conversation}
    release/model/adapter/          LoRA adapter            data/messages/*.parquet         messages, with provenance
    release/gguf/                   for llama.cpp, if `release.gguf_converter` is set
    release/SHA256SUMS              for `sha256sum -c`      release/ro-crate-metadata.json  provenance (RO-Crate)

Weights are hard links to the run's own files and use no additional disk space.
"""

import argparse
import json
import logging
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.parquet_files import parquet_tables, read_schema
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import file_sha256, read_json, write_json, write_text
from workflow_scripts.common.tables import TableWriter
from workflow_scripts.common.types import Row
from workflow_scripts.release.cards import dataset_name, model_name, read_rows, synthetic
from workflow_scripts.release.crate import crate
from workflow_scripts.release.files import CRATE, SUMS, listed, model_files, place, sums


def gather_model(final: Path, trained: Path, claims: Path, base: str, folder: Path) -> None:
    """Copy the merged model, the claims and, if there is one, the adapter.

    The adapter's configuration gets the base model's name in place of a local path.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in model_files(final):
        place(path, folder / path.relative_to(final))
    place(claims, folder / "claims.json")
    settings = trained / "adapter_config.json"
    if settings.is_file():
        for path in trained.glob("adapter_model*.safetensors"):
            place(path, folder / "adapter" / path.name)
        write_json(folder / "adapter" / settings.name, {**read_json(settings), "base_model_name_or_path": base})


def origins(paths: list[Path]) -> list[Row]:
    """{dataset, revision, license, source, conversations} of each dataset that rows of the parquet files come from.

    A local file has its name without folders.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    for path in paths:
        table = pq.read_table(path, columns=["source", "license", "provenance"])
        for row in table.to_pylist():
            about = json.loads(row["provenance"])
            counts[dataset_name(about["dataset"]), about["revision"], row["license"], row["source"]] += 1
    names = ("dataset", "revision", "license", "source")
    return [{**dict(zip(names, key, strict=True)), "conversations": count} for key, count in sorted(counts.items())]


def publish_messages(source: Path, target: Path, teacher: Row) -> None:
    """Copy a parquet file of split_dataset; local paths in `provenance` become names without folders.

    `teacher` is the model of the configuration, whose name is a part of the teacher's identity.
    """
    model = teacher["model"]

    def public(text: str) -> str:
        about = json.loads(text)
        about["dataset"] = dataset_name(about["dataset"])
        if identity := (about.get("teacher") or {}).get("identity"):
            about["teacher"]["identity"] = identity.replace(model, model_name({"model": model}))
        return json.dumps(about, ensure_ascii=False, sort_keys=True)

    with TableWriter(target, read_schema(source), "snappy") as writer:
        for table in parquet_tables(source):
            column = table.column_names.index("provenance")
            texts = pa.array(map(public, table["provenance"].to_pylist()))
            writer.write(table.set_column(column, "provenance", texts))


def main(argv: list[str] | None = None) -> None:
    """Write the model, the data, SHA256SUMS and ro-crate-metadata.json of the release folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True, type=json.loads, help="run, base, teacher, training, as JSON")
    parser.add_argument("--final", required=True, type=Path, help="model folder written by merge_model")
    parser.add_argument("--trained", required=True, type=Path, help="model folder written by train_model")
    parser.add_argument("--claims", required=True, type=Path, help="claims.json")
    parser.add_argument("--gguf", required=True, type=Path, nargs="*", help="GGUF file of convert_gguf, if configured")
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", required=True, type=Path, help="JSONL file of split_dataset")
        parser.add_argument(f"--{part}-parquet", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--release", required=True, type=Path, help="release folder, which already contains the cards")
    args = parser.parse_args(argv)

    release, settings = args.release, args.settings
    gather_model(args.final, args.trained, args.claims, model_name(settings["base"]), release / "model")
    for part in ("train", "test"):
        place(getattr(args, part), release / "data" / "conversations" / f"{part}.jsonl")
        messages = release / "data" / "messages" / f"{part}.parquet"
        publish_messages(getattr(args, f"{part}_parquet"), messages, settings["teacher"])
    files: list[Row] = [
        {"path": path.relative_to(release).as_posix(), "sha256": file_sha256(path), "bytes": path.stat().st_size}
        for path in listed(release)
        if path.name != CRATE and (path.suffix != ".gguf" or path in args.gguf)  # no GGUF file of an earlier release
    ]
    about = settings | {role: {**settings[role], "model": model_name(settings[role])} for role in ("base", "teacher")}
    about["synthesised"] = synthetic(read_rows([args.train_parquet, args.test_parquet]))
    write_json(release / CRATE, crate(about, files, origins([args.train_parquet, args.test_parquet])))
    digests = {row["path"]: row["sha256"] for row in files} | {CRATE: file_sha256(release / CRATE)}
    write_text(release / SUMS, sums(digests))
    logging.info("%s: %s, %.1f MB", release, counted(len(files), "file"), sum(row["bytes"] for row in files) / 1e6)


if __name__ == "__main__":
    run(main)
