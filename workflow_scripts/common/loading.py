"""Published files and hub datasets, read through `datasets`, with what exactly was read."""

import tempfile
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256, read_jsonl

BUILDERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}


def load_local(path: Path, rows: int | None) -> tuple[Any, dict[str, str]]:
    """The first `rows` rows (all if None) of a local file as a `datasets.Dataset`, and {dataset, revision}."""
    import datasets

    builder = BUILDERS.get(path.suffix)
    if builder is None:
        raise UserError(f"{path}: unknown kind of file. Use one of {', '.join(BUILDERS)}.")
    if not path.is_file():
        raise UserError(f"{path}: no such file. Correct the path in the config.")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty.")
    if path.suffix == ".jsonl":
        for _ in read_jsonl(path):  # datasets would not say which line is broken
            pass
    with tempfile.TemporaryDirectory() as cache:
        try:
            data = datasets.load_dataset(
                builder, data_files=str(path), split="train", cache_dir=cache, keep_in_memory=True
            )
        except Exception as error:  # datasets wraps arrow, csv and json errors in several classes of its own
            cause = error.__cause__ or error
            raise UserError(f"{path}: cannot be read as {builder}: {cause}. Mend the file.") from error
    origin = {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}"}
    return _head(data, rows), origin


def load_hub(dataset: str, revision: str, name: str | None, split: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """The same from a hub dataset at `revision`; the origin's revision is the commit that the hub answered with."""
    import datasets
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha
        data = datasets.load_dataset(dataset, name, split=split, revision=commit)
    except Exception as error:  # one message for what hub, network and loader may raise
        raise UserError(
            f"dataset {dataset} (config {name}, split {split}, revision {revision}) cannot be loaded: {error}. "
            "Check the names, the network, HF_ENDPOINT, and HF_TOKEN for a gated dataset."
        ) from error
    return _head(data, rows), {"dataset": dataset, "revision": commit}


def load(entry: dict[str, Any], rows: int | None) -> tuple[Any, dict[str, str]]:
    """A config entry with either `path` or `hub: {dataset, revision, name, split}`."""
    if "path" in entry:
        return load_local(Path(entry["path"]), rows)
    hub = entry["hub"]
    return load_hub(hub["dataset"], hub["revision"], hub.get("name"), hub.get("split", "train"), rows)


def _head(data: Any, rows: int | None) -> Any:
    return data if rows is None or rows >= len(data) else data.select(range(rows))
