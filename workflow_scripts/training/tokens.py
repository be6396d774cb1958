"""The tokens that are trained on, on disk: written by the audit, read by training, which trains on nothing else."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.training.truncation import Fitted

Sample = tuple[list[int], list[int]]  # token ids; labels, -100 where there is no loss


def table(fitted: dict[str, Fitted]) -> Any:
    """Conversations by id as a `datasets.Dataset`: `id`, `part` of it, `input_ids`, `labels`, a row a sample."""
    from datasets import Dataset, Features, Sequence, Value

    ints = Sequence(Value("int32"))
    rows = [
        {"id": name, "part": part, "input_ids": sample.ids, "labels": sample.labels()}
        for name, entry in fitted.items()
        for part, sample in enumerate(entry.samples)
    ]
    features = Features({"id": Value("string"), "part": Value("int32"), "input_ids": ints, "labels": ints})
    columns = {name: [row[name] for row in rows] for name in features}  # also of no rows at all
    return Dataset.from_dict(columns, features=features)


def write(path: Path, dataset: Any) -> None:
    """Write a table as parquet."""
    dataset.to_parquet(str(path))


def read(path: Path) -> Any:
    """The table as it was written, held in memory and cached nowhere."""
    import pyarrow.parquet as pq
    from datasets import Dataset

    return Dataset(pq.read_table(path))


def fingerprint(samples: Iterable[Sample]) -> str:
    """SHA-256 of samples in any order: equal exactly if the same ids carry the same labels."""
    digests = sorted(hashlib.sha256(repr((list(ids), list(labels))).encode()).digest() for ids, labels in samples)
    return hashlib.sha256(b"".join(digests)).hexdigest()
