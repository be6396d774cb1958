"""Detection of damaged files, run after a failure: each library reports a corrupt file differently."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path


def describe_damage(paths: Iterable[Path]) -> list[str]:
    """One line for each damaged parquet or safetensors file among the paths or at any depth of a folder among them."""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [
        f"{file}: damaged, {fault}. If a job wrote it, delete it and run again"
        for file in dict.fromkeys(files)
        if file.is_file() and (check := _CHECKS.get(file.suffix)) and (fault := check(file))
    ]


def _parquet(path: Path) -> str | None:
    import pyarrow.parquet as pq
    from pyarrow.lib import ArrowException

    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                file.read_row_group(number)
    except (ArrowException, OSError):
        return "not a complete parquet file"
    return None


def _safetensors(path: Path) -> str | None:
    """The file starts with the length of its header; the header states the length of the rest."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        header = file.read(length) if 8 + length <= size else b""
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
        expected = 8 + length + max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, AttributeError, KeyError, TypeError):
        return "its header cannot be read"
    return None if size == expected else f"{size} bytes, expected {expected}"


_CHECKS = {".parquet": _parquet, ".safetensors": _safetensors}
