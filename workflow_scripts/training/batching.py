"""Batching of samples: padded, padding-free or packed.

`padded`: the shorter samples of a micro-batch are padded. `padding_free`: the samples of a micro-batch are concatenated,
with position ids from 0 for each. `packed`: samples are concatenated beforehand into rows of up to `max_length` tokens
(TRL's best-fit decreasing), and the global batch size counts these rows. In the last two, no token may attend to another
conversation; `packing.py` verifies it.
"""

import random
from typing import Any

from workflow_scripts.common.types import Row


def prepare(dataset: Any, settings: Row, filler: int) -> Any:
    """The rows that the trainer batches: `input_ids`, `labels`, and `seq_lengths` of packed rows."""
    from trl import pack_dataset

    dataset = dataset.select_columns(["input_ids", "labels"])
    packed = settings["batching"] == "packed"
    if packed:
        dataset = pack_dataset(dataset, settings["max_length"], "bfd", {"keep_in_memory": True})
    return fill(dataset, settings["global_batch_size"], filler)


def fill(dataset: Any, multiple: int, filler: int) -> Any:
    """The rows, and rows of the single token `filler` without loss that make their number a multiple of `multiple`.

    Without them the last batch would be smaller, and several processes would fill it with repeated samples, so the result
    would depend on the number of GPUs.
    """
    from datasets import concatenate_datasets

    if missing := -len(dataset) % multiple:
        row = {"input_ids": [filler], "labels": [-100], "seq_lengths": [1]}
        rows = [{name: row[name] for name in dataset.column_names}] * missing
        dataset = concatenate_datasets([dataset, type(dataset).from_list(rows, features=dataset.features)])
    return dataset


def padding_share(lengths: list[int], settings: Row) -> float:
    """Share of token positions that are padding, for one random order of the samples; it varies slightly by epoch."""
    if settings["batching"] != "padded":
        return 0.0
    order = random.Random(settings["random_seed"]).sample(lengths, len(lengths))
    size = settings["micro_batch_size"]
    groups = [order[at : at + size] for at in range(0, len(order), size)]
    return 1 - sum(lengths) / sum(max(group) * len(group) for group in groups)


def samples(batch: Row) -> list[tuple[list[int], list[int]]]:
    """The samples in a batch of the trainer's collator, as (token ids, labels)."""
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
