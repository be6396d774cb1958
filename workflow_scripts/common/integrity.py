"""Which files are damaged: looked for after something has failed, since every library has its own words for it."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path


def damaged(paths: Iterable[Path]) -> list[str]:
    """A line for each parquet or safetensors file among the paths, or in the folders among them, that is not whole."""
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    return [
        f"{file}: damaged, {fault}. If a job wrote it, delete it and run again: it is made anew"
        for file in dict.fromkeys(files)
        if file.is_file() and (fault := _FAULTS.get(file.suffix, _none)(file))
    ]


def _none(path: Path) -> None:
    return None


def _parquet(path: Path) -> str | None:
    import pyarrow.parquet as pq
    from pyarrow.lib import ArrowException

    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                file.read_row_group(number)
    except (ArrowException, OSError):
        return "not a whole parquet file"
    return None


def _safetensors(path: Path) -> str | None:
    """The format begins with the length of its header, and the header says how long the rest is."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        header = file.read(length) if 8 + length <= size else b""
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
        wanted = 8 + length + max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, AttributeError, KeyError, TypeError):
        return "its header cannot be read"
    return None if size == wanted else f"{size} bytes in place of {wanted}"


_FAULTS = {".parquet": _parquet, ".safetensors": _safetensors}
