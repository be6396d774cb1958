"""The training tokens on disk, written by the audit and read by the training."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.training.truncation import Truncation

Sample = tuple[list[int], list[int]]  # token ids; labels, -100 for tokens without loss


def table(conversations: dict[str, Truncation]) -> Any:
    """Conversations by id as a `datasets.Dataset` with one row per sample: `id`, `part`, `input_ids`, `labels`."""
    from datasets import Dataset, Features, Sequence, Value

    ints = Sequence(Value("int32"))
    rows = [
        {"id": name, "part": part, "input_ids": sample.ids, "labels": sample.labels()}
        for name, entry in conversations.items()
        for part, sample in enumerate(entry.samples)
    ]
    features = Features({"id": Value("string"), "part": Value("int32"), "input_ids": ints, "labels": ints})
    columns = {name: [row[name] for row in rows] for name in features}  # also without any rows
    return Dataset.from_dict(columns, features=features)


def write(path: Path, dataset: Any) -> None:
    """Write a table as parquet."""
    dataset.to_parquet(str(path))


def read(path: Path) -> Any:
    """Read a table into memory, without the cache of `datasets`."""
    import pyarrow.parquet as pq
    from datasets import Dataset

    return Dataset(pq.read_table(path))


def fingerprint(samples: Iterable[Sample]) -> str:
    """SHA-256 of the samples, independent of their order; equal for equal token ids and labels."""
    digests = sorted(hashlib.sha256(repr((list(ids), list(labels))).encode()).digest() for ids, labels in samples)
    return hashlib.sha256(b"".join(digests)).hexdigest()
