"""How samples come together in batches: padded, flat, or packed.

`padded` fills the shorter samples of a micro-batch up. `flat` lays them end to end instead, each with positions of its
own from 0. `packed` does so beforehand and fills rows of `max_length` tokens (TRL's best-fit decreasing); a row of the
global batch is then such a row. In the last two no token may see another conversation: `packing.py` proves it.
"""

import random
from typing import Any

from workflow_scripts.common.types import Row


def prepare(dataset: Any, settings: Row, filler: int) -> Any:
    """The rows that a trainer batches: `input_ids`, `labels`, and of packed ones `seq_lengths`.

    Rows of the single token `filler` without loss make their number a multiple of the global batch. Without them the
    last batch would be smaller, and several processes would fill it with samples that were seen already: the same run
    on more GPUs would not be the same.
    """
    from datasets import concatenate_datasets
    from trl import pack_dataset

    dataset = dataset.select_columns(["input_ids", "labels"])
    packed = settings["batching"] == "packed"
    if packed:
        dataset = pack_dataset(dataset, settings["max_length"], "bfd", {"keep_in_memory": True})
    if missing := -len(dataset) % settings["global_batch_size"]:
        row = {"input_ids": [filler], "labels": [-100], **({"seq_lengths": [1]} if packed else {})}
        empty = type(dataset).from_list([row] * missing, features=dataset.features)
        dataset = concatenate_datasets([dataset, empty])
    return dataset


def padding_share(lengths: list[int], settings: Row) -> float:
    """Share of the token positions that padding fills. Of padded micro-batches in one random order; it differs a
    little from epoch to epoch."""
    if settings["batching"] != "padded":
        return 0.0
    order = random.Random(settings["random_seed"]).sample(lengths, len(lengths))
    size = settings["micro_batch_size"]
    groups = [order[at : at + size] for at in range(0, len(order), size)]
    return 1 - sum(lengths) / sum(max(group) * len(group) for group in groups)


def samples(batch: Row) -> list[tuple[list[int], list[int]]]:
    """The samples inside one batch of the trainer's collator, as (ids, labels)."""
    found = []
    if "attention_mask" in batch:
        for ids, labels, mask in zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True):
            length = int(mask.sum())
            found.append((ids[:length].tolist(), labels[:length].tolist()))
    else:
        starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
        for start, end in zip(starts, [*starts[1:], batch["input_ids"].shape[1]], strict=True):
            found.append((batch["input_ids"][0, start:end].tolist(), batch["labels"][0, start:end].tolist()))
    return found
