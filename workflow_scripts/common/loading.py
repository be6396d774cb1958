"""Local files, published files and Hub datasets: their rows as published, with the exact revision of the data."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from workflow_scripts.common.csv_files import csv_columns
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.hub_files import hub_dataset, hub_file
from workflow_scripts.common.json_files import archive_rows, json_rows
from workflow_scripts.common.parquet_files import copy_parquet, parquet_rows, read_schema
from workflow_scripts.common.row_tables import Columns, to_columns, write_columns
from workflow_scripts.common.rows import file_sha256, write_json
from workflow_scripts.common.text_files import COMPRESSIONS, KINDS, format_suffix, is_compressed
from workflow_scripts.common.types import Config, Row

CHUNK_BYTES = 2**20
DOWNLOAD_BYTES = 64 * 2**30  # of one file
PACKED = (".zip", ".parquet")  # kinds that are never compressed as a whole


@dataclass(frozen=True)
class Located:
    """Files on this machine that contain the rows, one after the other, and {dataset, revision} of the data."""

    files: list[Path]
    origin: dict[str, str]

    def write(self, target: Path, max_rows: int | None) -> int:
        """Write the first `max_rows` rows (all if None) as parquet; returns their number. UserError if there are none.

        Columns of JSON and CSV files are texts or JSON (`row_tables`); those of parquet files keep their types.
        """
        if format_suffix(self.files[0]) == ".parquet":
            count = copy_parquet(self.files, target, max_rows)
        else:
            count = write_columns(self._columns, target, max_rows)
        if not count:
            target.unlink(missing_ok=True)
            raise UserError(f"{self.files[0]}: the file contains no rows.")
        return count

    def names(self) -> list[str]:
        """The names of all columns."""
        if format_suffix(self.files[0]) == ".parquet":
            return list(dict.fromkeys(name for path in self.files for name in read_schema(path).names))
        return list(dict.fromkeys(name for batch in self._columns() for name in batch))

    def rows(self, columns: set[str]) -> Iterator[Row]:
        """Every row with those of `columns` that the data have; a value that a row lacks is None."""
        if format_suffix(self.files[0]) == ".parquet":
            yield from parquet_rows(self.files, columns)
            return
        batches = list(self._columns())
        names = list(dict.fromkeys(name for batch in batches for name in batch))
        for batch in batches:
            count = len(next(iter(batch.values())))
            found = [batch.get(name, [None] * count) for name in names]
            values = [column.to_pylist() if isinstance(column, pa.Array) else column for column in found]
            yield from (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))

    def _columns(self) -> Iterator[Columns]:
        for path in self.files:
            yield from file_columns(path)


def file_columns(path: Path) -> Iterator[Columns]:
    """The columns of a text file in batches, with values as published. UserError with file and line for an invalid row."""
    match format_suffix(path):
        case ".csv":
            batches: Iterator[Columns] = csv_columns(path)
        case ".zip":
            batches = map(to_columns, archive_rows(path))
        case _:
            batches = map(to_columns, json_rows(path))
    return filter(None, batches)


def local_file(path: Path) -> Located:
    """A local file; the revision is its SHA-256. UserError if it is missing, empty, or of an unknown kind."""
    kind = format_suffix(path)
    if kind not in KINDS or (is_compressed(path) and kind in PACKED):
        kinds = f"{', '.join(KINDS)}; a text file may be compressed ({', '.join(COMPRESSIONS)})"
        raise UserError(f"{path}: unknown kind of file. Use one of {kinds}.")
    if not path.is_file():
        raise UserError(f"{path}: no such file. Correct the path in the config.")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty.")
    return Located([path], {"dataset": path.as_posix(), "revision": f"sha256:{file_sha256(path)}"})


@contextlib.contextmanager
def _downloaded(url: str, sha256: str | None) -> Iterator[Located]:
    """The file at a URL, with this SHA-256 if it is given; it is deleted when the block ends. Its errors name the URL."""
    import requests

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(unquote(urlsplit(url).path)).name or "no name")
        try:
            with requests.get(url, stream=True, timeout=60) as response, open(path, "wb") as file:
                response.raise_for_status()
                for chunk in response.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                    if file.tell() > DOWNLOAD_BYTES:
                        raise UserError(
                            f"{url}: larger than {DOWNLOAD_BYTES / 2**30:g} GiB. Download it yourself and name it by `path`."
                        )
        except requests.RequestException as error:
            raise UserError(f"{url} cannot be downloaded: {error}. Check the address and the network.") from error
        try:
            found = local_file(path)
            if sha256 is not None and found.origin["revision"] != f"sha256:{sha256}":
                raise UserError(
                    f"{url}: its {found.origin['revision']} is not the `sha256` of the configuration. Check the file, then "
                    "correct the key."
                )
            yield Located(found.files, {**found.origin, "dataset": url})
        except UserError as error:
            raise UserError(str(error).replace(str(path), url)) from error


@contextlib.contextmanager
def located(entry: Config) -> Iterator[Located]:
    """The data of an entry with `path`, `url` (and `sha256`), or `hub: {dataset, revision, name, split}` or `{dataset, revision, file}`.

    UserError if they cannot be loaded.
    """
    if "path" in entry:
        yield local_file(Path(entry["path"]))
    elif "url" in entry:
        with _downloaded(entry["url"], entry.get("sha256")) as found:
            yield found
    elif "file" in entry["hub"]:
        hub = entry["hub"]
        path, origin = hub_file(hub["dataset"], hub["revision"], hub["file"])
        yield Located(local_file(path).files, origin)
    else:
        hub = entry["hub"]
        with tempfile.TemporaryDirectory() as folder:
            split = hub.get("split", "train")
            files, origin = hub_dataset(hub["dataset"], hub["revision"], hub.get("name"), split, Path(folder))
            yield Located(files, origin)


def fetch(entry: Config, rows: Path, origin: Path) -> Row:
    """Write the rows of an entry as parquet, and their dataset, revision and number as JSON; returns the latter.

    `rows` of the entry limits their number.
    """
    rows.parent.mkdir(parents=True, exist_ok=True)
    with located(entry) as found:
        facts = {**found.origin, "rows": found.write(rows, entry.get("rows"))}
    write_json(origin, facts)
    return facts
