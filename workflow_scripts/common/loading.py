"""Local files, published files and Hub datasets, read through `datasets`, with the exact revision of the data."""

import codecs
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256, read_jsonl

BUILDERS = {".jsonl": "json", ".json": "json", ".zip": "json", ".parquet": "parquet", ".csv": "csv"}
LINE_BYTES = 64 * 2**20  # longer lines are rejected: their line ends are probably lost
CHUNK_BYTES = 2**20


def load_local(path: Path, rows: int | None = None) -> tuple[Any, dict[str, str]]:
    """The first `rows` rows (all if None) of a local file as a `datasets.Dataset`, and {dataset, revision}.

    The revision is the SHA-256 of the file. UserError if the file is missing, empty or cannot be read.
    """
    import datasets

    builder = BUILDERS.get(path.suffix)
    if builder is None:
        raise UserError(f"{path}: unknown kind of file. Use one of {', '.join(BUILDERS)}.")
    if not path.is_file():
        raise UserError(f"{path}: no such file. Correct the path in the config.")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty.")
    if path.suffix in (".jsonl", ".json", ".csv"):
        check_lines(path, max_bytes=None if path.suffix == ".json" else LINE_BYTES)
    # The data stay memory-mapped after the folder is deleted, so memory does not grow with the file.
    with tempfile.TemporaryDirectory() as cache:
        try:
            reader = datasets.load_dataset_builder(builder, data_files=str(path), cache_dir=cache)
            reader.download_and_prepare()
            data = reader.as_dataset("train") if reader.info.splits["train"].num_examples else ()
        except Exception as error:  # datasets wraps arrow, csv and json errors in several of its own classes
            if path.suffix == ".jsonl":
                explain_jsonl(path)  # datasets does not report the line
            cause = error.__cause__ or error
            message = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
            raise UserError(f"{path}: cannot be read as {builder}: {message}. Fix the file.") from error
    if not len(data):
        raise UserError(f"{path}: the file contains no rows.")
    origin = {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}"}
    return _head(data, rows), origin


def check_lines(path: Path, max_bytes: int | None) -> None:
    """Read a file in chunks. UserError with the number of a line that is not UTF-8 or longer than `max_bytes` bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, length = 1, 0
    with open(path, "rb") as file:
        chunk = b"-"
        while chunk:
            chunk = file.read(CHUNK_BYTES)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                before = error.object[: error.start].count(b"\n")
                raise UserError(
                    f"{path}, line {line + before}: not valid UTF-8 ({error.reason}). Fix or delete the line."
                ) from error
            first, *others = chunk.split(b"\n")
            lengths = [length + len(first), *map(len, others)]
            if max_bytes is not None and max(lengths) > max_bytes:
                number = line + next(place for place, size in enumerate(lengths) if size > max_bytes)
                raise UserError(
                    f"{path}, line {number}: longer than {max_bytes // 2**20} MiB; its line ends are probably lost. "
                    "Fix or delete the line."
                )
            line, length = line + len(others), lengths[-1]


def explain_jsonl(path: Path) -> None:
    """UserError with the number of the first line that is not a JSON object or contains half of a surrogate pair."""
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            json.dumps(row, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(
                f"{path}, row {number}: half of a surrogate pair (\\ud800 to \\udfff), which is not a character. "
                "Fix or delete the line."
            ) from error


def load_hub(dataset: str, revision: str, name: str | None, split: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """The same from a Hub dataset at `revision`; the returned revision is the commit that the Hub resolved."""
    import datasets
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha or revision
        data = datasets.load_dataset(dataset, name, split=split, revision=commit)
    except Exception as error:  # Hub, network and loader raise many classes of errors
        raise _not_loaded(f"dataset {dataset} (config {name}, split {split}, revision {revision})", error) from error
    return _head(data, rows), {"dataset": dataset, "revision": commit}


def load_hub_file(dataset: str, revision: str, file: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """The same from one file of a Hub dataset, read like a local file."""
    from huggingface_hub import HfApi, hf_hub_download

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha or revision
        path = hf_hub_download(dataset, file, repo_type="dataset", revision=commit)
    except Exception as error:
        raise _not_loaded(f"file {file} of dataset {dataset} (revision {revision})", error) from error
    return load_local(Path(path), rows)[0], {"dataset": dataset, "revision": commit}


def load_url(url: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """The same from a URL; the returned revision is the SHA-256 of the downloaded file."""
    import requests

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(urlsplit(url).path).name or "no name")
        try:
            with requests.get(url, stream=True, timeout=60) as response, open(path, "wb") as file:
                response.raise_for_status()
                for chunk in response.iter_content(CHUNK_BYTES):
                    file.write(chunk)
        except requests.RequestException as error:
            raise UserError(f"{url} cannot be downloaded: {error}. Check the address and the network.") from error
        try:
            data, origin = load_local(path, rows)
        except UserError as error:
            raise UserError(str(error).replace(str(path), url)) from error
    return data, {**origin, "dataset": url}


def load(entry: dict[str, Any], rows: int | None) -> tuple[Any, dict[str, str]]:
    """The same from a config entry with `path`, `url`, or `hub: {dataset, revision, name, split}` or `{dataset, revision, file}`."""
    if "path" in entry:
        return load_local(Path(entry["path"]), rows)
    if "url" in entry:
        return load_url(entry["url"], rows)
    hub = entry["hub"]
    if "file" in hub:
        return load_hub_file(hub["dataset"], hub["revision"], hub["file"], rows)
    return load_hub(hub["dataset"], hub["revision"], hub.get("name"), hub.get("split", "train"), rows)


def _not_loaded(what: str, error: Exception) -> UserError:
    return UserError(
        f"{what} cannot be loaded: {' '.join(str(error).split())[:400]}. "
        "Check the names, the network, HF_ENDPOINT, and HF_TOKEN for a gated dataset."
    )


def _head(data: Any, rows: int | None) -> Any:
    return data if rows is None or rows >= len(data) else data.select(range(rows))
