"""Every text of a table of seeds that reaches a conversation, as one array, and back again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean

PLAIN = ("instruction", "context", "response")


@dataclass(frozen=True)
class Texts:
    """The texts of all rows: whose row each is (int, ascending), whether it opens the row, whether it is an assistant's."""

    rows: np.ndarray
    opening: np.ndarray
    answers: np.ndarray
    texts: pa.Array


def of(seeds: pa.Table) -> Texts:
    """The texts in the order of the rows and, within a row, of the turns.

    A conversation's are its turns. Of other seeds the context counts where there is one, and the answer unless the
    teacher is to write it: for a post, and where only a reference answer is known.
    """
    dialogue = boolean(seeds["conversation"].is_valid())
    awaited = boolean(pc.or_(pc.equal(seeds["kind"], "post"), seeds["reference"].is_valid()))
    parts = []
    for place, name in enumerate(PLAIN):
        values = seeds[name].combine_chunks()
        wanted = ~dialogue
        if name != "instruction":
            empty = boolean(pc.equal(values, ""))
            wanted = wanted & ~(empty if name == "context" else empty & awaited)
        rows = np.flatnonzero(wanted)
        parts.append(
            (rows, np.full(len(rows), place), np.full(len(rows), name == "response"), values.take(pa.array(rows)))
        )
    conversations = seeds["conversation"].combine_chunks()
    owners = pc.list_parent_indices(conversations).to_numpy()
    exchanges = pc.list_flatten(conversations)
    numbers = 2 * (np.arange(len(owners)) - np.searchsorted(owners, owners))
    for answer, key in enumerate(("input", "output")):
        parts.append((owners, numbers + answer, np.full(len(owners), bool(answer)), pc.struct_field(exchanges, key)))
    rows, places, answers = (np.concatenate([part[at] for part in parts]) for at in range(3))
    order = np.lexsort((places, rows))
    texts = pa.chunked_array([part[3] for part in parts], pa.string()).combine_chunks()
    return Texts(rows[order], places[order] == 0, answers[order], texts.take(pa.array(order)))


def mapped(seeds: pa.Table, change: Callable[[pa.Array], pa.Array]) -> pa.Table:
    """The seeds with `change` applied to every text, in conversations too."""
    for name in PLAIN:
        seeds = seeds.set_column(seeds.column_names.index(name), name, change(seeds[name].combine_chunks()))
    conversations = seeds["conversation"].combine_chunks()
    exchanges = pc.list_flatten(conversations)
    changed = pa.StructArray.from_arrays(
        [change(pc.struct_field(exchanges, key)) for key in ("input", "output")], ["input", "output"]
    )
    lengths = pc.fill_null(pc.list_value_length(conversations), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    whole = pa.ListArray.from_arrays(offsets, changed, mask=conversations.is_null())
    return seeds.set_column(seeds.column_names.index("conversation"), "conversation", whole)
