"""Gather what is to be published in one folder: model, adapter, data, checksums, provenance.

    release/README.md               the model's card        data/README.md                  the data set's card
    release/model/                  safetensors, tokenizer  data/conversations/*.jsonl      {source, conversation}
    release/model/adapter/          the adapter alone       data/messages/*.parquet         messages, with provenance
    release/gguf/                   for llama.cpp, if `release.gguf_converter` is set
    release/SHA256SUMS              for `sha256sum -c`      release/ro-crate-metadata.json  where all of it comes from

Weights are hard links to where the run has them, and take no disk of their own.
"""

import argparse
import json
import logging
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import file_sha256, read_json, write_json, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.release.crate import crate
from workflow_scripts.release.files import CRATE, SUMS, listed, model_files, place, sums


def gather_model(final: Path, trained: Path, claims: Path, base: str, folder: Path) -> None:
    """The merged model; an adapter, if training made one, with the base model's own name instead of a path of this machine."""
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
    """{dataset, revision, license, source, conversations} for each data set that rows of the parquet files come from."""
    counts: Counter[tuple[str, ...]] = Counter()
    for path in paths:
        table = pq.read_table(path, columns=["source", "license", "provenance"])
        for row in table.to_pylist():
            about = json.loads(row["provenance"])
            counts[about["dataset"], about["revision"], row["license"], row["source"]] += 1
    names = ("dataset", "revision", "license", "source")
    return [{**dict(zip(names, key, strict=True)), "conversations": count} for key, count in sorted(counts.items())]


def main(argv: list[str] | None = None) -> None:
    """Write the folder's model and data, SHA256SUMS and ro-crate-metadata.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True, type=json.loads, help="run, base, teacher, training, as JSON")
    parser.add_argument("--final", required=True, type=Path, help="folder of merge_model")
    parser.add_argument("--trained", required=True, type=Path, help="folder of train_model")
    parser.add_argument("--claims", required=True, type=Path, help="claims.json")
    parser.add_argument("--gguf", required=True, type=Path, nargs="*", help="file of convert_gguf, if any")
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", required=True, type=Path, help="JSONL file of split_dataset")
        parser.add_argument(f"--{part}-parquet", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--release", required=True, type=Path, help="folder to complete; the cards are there already")
    args = parser.parse_args(argv)

    release, settings = args.release, args.settings
    gather_model(args.final, args.trained, args.claims, settings["base"]["model"], release / "model")
    for part in ("train", "test"):
        place(getattr(args, part), release / "data" / "conversations" / f"{part}.jsonl")
        place(getattr(args, f"{part}_parquet"), release / "data" / "messages" / f"{part}.parquet")
    files = [
        {"path": path.relative_to(release).as_posix(), "sha256": file_sha256(path), "bytes": path.stat().st_size}
        for path in listed(release)
        if path.name != CRATE and (path.suffix != ".gguf" or path in args.gguf)  # one of another time is none of this
    ]
    write_json(release / CRATE, crate(settings, files, origins([args.train_parquet, args.test_parquet])))
    digests = {row["path"]: row["sha256"] for row in files} | {CRATE: file_sha256(release / CRATE)}
    write_text(release / SUMS, sums(digests))
    logging.info("%s: %d files, %.1f MB", release, len(files), sum(row["bytes"] for row in files) / 1e6)


if __name__ == "__main__":
    run(main)
