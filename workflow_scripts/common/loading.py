"""Published files and hub datasets, read through `datasets`, with what exactly was read."""

import codecs
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256, read_jsonl

BUILDERS = {".jsonl": "json", ".json": "json", ".zip": "json", ".parquet": "parquet", ".csv": "csv"}
LINE_BYTES = 64 * 2**20  # a longer line is no row of text: two files have grown together, or line ends are lost
CHUNK = 2**20


def load_local(path: Path, rows: int | None = None) -> tuple[Any, dict[str, str]]:
    """The first `rows` rows (all if None) of a local file as a `datasets.Dataset`, and {dataset, revision}."""
    import datasets

    builder = BUILDERS.get(path.suffix)
    if builder is None:
        raise UserError(f"{path}: unknown kind of file. Use one of {', '.join(BUILDERS)}.")
    if not path.is_file():
        raise UserError(f"{path}: no such file. Correct the path in the config.")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty.")
    if path.suffix in (".jsonl", ".json", ".csv"):
        check_lines(path, longest=None if path.suffix == ".json" else LINE_BYTES)
    # The data are mapped from this folder, and stay so when its name is gone: memory does not grow with the file.
    with tempfile.TemporaryDirectory() as cache:
        try:
            reader = datasets.load_dataset_builder(builder, data_files=str(path), cache_dir=cache)
            reader.download_and_prepare()
            data = reader.as_dataset("train") if reader.info.splits["train"].num_examples else ()
        except Exception as error:  # datasets wraps arrow, csv and json errors in several classes of its own
            if path.suffix == ".jsonl":
                explain_jsonl(path)  # datasets does not say which line is broken
            cause = error.__cause__ or error
            words = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
            raise UserError(f"{path}: cannot be read as {builder}: {words}. Mend the file.") from error
    if not len(data):
        raise UserError(f"{path}: the file holds no rows.")
    origin = {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}"}
    return _head(data, rows), origin


def check_lines(path: Path, longest: int | None) -> None:
    """Read a file once, a piece at a time. UserError naming the line that is no UTF-8, or longer than `longest` bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, length = 1, 0
    with open(path, "rb") as file:
        chunk = b"-"
        while chunk:
            chunk = file.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                before = error.object[: error.start].count(b"\n")
                raise UserError(
                    f"{path}, line {line + before}: not valid UTF-8 ({error.reason}). Mend or remove the line."
                ) from error
            first, *others = chunk.split(b"\n")
            lengths = [length + len(first), *map(len, others)]
            if longest is not None and max(lengths) > longest:
                number = line + next(place for place, size in enumerate(lengths) if size > longest)
                raise UserError(
                    f"{path}, line {number}: longer than {longest // 2**20} MiB, which no row of text is. "
                    "Are its line ends lost? Mend or remove the line."
                )
            line, length = line + len(others), lengths[-1]


def explain_jsonl(path: Path) -> None:
    """UserError naming the first line that is no JSON object, or holds half of a surrogate pair; nothing if there is none."""
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            json.dumps(row, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(
                f"{path}, row {number}: half of a surrogate pair (\\ud800 to \\udfff), which is no character. "
                "Mend or remove the line."
            ) from error


def load_hub(dataset: str, revision: str, name: str | None, split: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """The same from a hub dataset at `revision`; the origin's revision is the commit that the hub answered with."""
    import datasets
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha
        data = datasets.load_dataset(dataset, name, split=split, revision=commit)
    except Exception as error:  # one message for what hub, network and loader may raise
        raise _not_loaded(f"dataset {dataset} (config {name}, split {split}, revision {revision})", error) from error
    return _head(data, rows), {"dataset": dataset, "revision": commit}


def load_hub_file(dataset: str, revision: str, file: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """One file of a hub dataset, read as a local one is."""
    from huggingface_hub import HfApi, hf_hub_download

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha
        path = hf_hub_download(dataset, file, repo_type="dataset", revision=commit)
    except Exception as error:
        raise _not_loaded(f"file {file} of dataset {dataset} (revision {revision})", error) from error
    return load_local(Path(path), rows)[0], {"dataset": dataset, "revision": commit}


def load_url(url: str, rows: int | None) -> tuple[Any, dict[str, str]]:
    """A published file by its address; the origin's revision is the hash of what was downloaded."""
    import requests

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(urlsplit(url).path).name or "no name")
        try:
            with requests.get(url, stream=True, timeout=60) as answer, open(path, "wb") as file:
                answer.raise_for_status()
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
        except requests.RequestException as error:
            raise UserError(f"{url} cannot be downloaded: {error}. Check the address and the network.") from error
        try:
            data, origin = load_local(path, rows)
        except UserError as error:
            raise UserError(str(error).replace(str(path), url)) from error
    return data, {**origin, "dataset": url}


def load(entry: dict[str, Any], rows: int | None) -> tuple[Any, dict[str, str]]:
    """A config entry with one of `path`, `url`, or `hub: {dataset, revision, name, split}` or `{dataset, revision, file}`."""
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
        f"{what} cannot be loaded: {' '.join(str(error).split())[:400]}. Check the names, the network, HF_ENDPOINT, and HF_TOKEN for a gated dataset."
    )


def _head(data: Any, rows: int | None) -> Any:
    return data if rows is None or rows >= len(data) else data.select(range(rows))
