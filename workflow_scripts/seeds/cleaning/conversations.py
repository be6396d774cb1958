"""Cleaning rules on finished conversations."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Exchange
from workflow_scripts.seeds.cleaning.rules import Fault, first_faults


def first_faulty_exchanges(
    conversations: Sequence[list[Exchange]], names: Sequence[str]
) -> list[tuple[int, Fault] | None]:
    """For each conversation the index of its first exchange that breaks one of the named rules, and the fault; or None."""
    texts = [turns(exchanges) for exchanges in conversations]
    ends = np.cumsum([len(own) for own in texts])
    starts = ends - [len(own) for own in texts] if texts else ends
    flat = [text for own in texts for text in own]
    answers = np.concatenate([np.arange(len(own)) % 2 == 1 for own in texts]) if texts else np.zeros(0, dtype=bool)

    def asked(number: int) -> str:
        first = int(starts[np.searchsorted(ends, number, side="right")])
        return "\n".join(flat[first:number:2])

    found = first_faults(pa.array(flat, pa.string()), answers, names, asked)
    return [
        next(((place // 2, fault) for place, fault in enumerate(found[start:end]) if fault is not None), None)
        for start, end in zip(starts, ends, strict=True)
    ]
