"""All texts of a table of seeds that can reach a conversation, as one array, and functions applied to all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean

TEXT_COLUMNS = ("instruction", "context", "response")


@dataclass(frozen=True)
class Texts:
    """The texts of all rows; the arrays have shape (texts,).

    `rows` is the row number of each text (int, ascending), `opening` whether it is the first text of its row, `answers`
    whether it is an assistant's text.
    """

    rows: np.ndarray
    opening: np.ndarray
    answers: np.ndarray
    texts: pa.Array

    def first(self, row: int) -> int:
        """The number of the first text of a row."""
        return int(np.searchsorted(self.rows, row))

    def asked(self, number: int) -> str:
        """The texts of the user that precede text `number` in its row."""
        first = self.first(self.rows[number])
        return "\n".join(self.texts[place].as_py() for place in range(first, number) if not self.answers[place])


def flatten_texts(seeds: pa.Table) -> Texts:
    """The texts ordered by row and, within a row, by turn.

    The texts of a conversation are its turns. Those of any other seed are its instruction, its context if it has one, and
    its response; an empty response is left out if the teacher writes it, that is for a post and for a bare reference.
    """
    dialogue = boolean(seeds["conversation"].is_valid())
    teacher_answers = boolean(pc.or_(pc.equal(seeds["kind"], "post"), seeds["reference"].is_valid()))
    parts = []
    for place, name in enumerate(TEXT_COLUMNS):
        values = seeds[name].combine_chunks()
        included = ~dialogue
        if name != "instruction":
            empty = boolean(pc.equal(values, ""))
            included = included & ~(empty if name == "context" else empty & teacher_answers)
        rows = np.flatnonzero(included)
        parts.append(
            (rows, np.full(len(rows), place), np.full(len(rows), name == "response"), values.take(pa.array(rows)))
        )
    conversations = seeds["conversation"].combine_chunks()
    owners = pc.list_parent_indices(conversations).to_numpy()
    exchanges = pc.list_flatten(conversations)
    numbers = 2 * (np.arange(len(owners)) - np.searchsorted(owners, owners))
    for answer, key in enumerate(("input", "output")):
        parts.append((owners, numbers + answer, np.full(len(owners), bool(answer)), pc.struct_field(exchanges, key)))
    rows, places, answers = (np.concatenate([part[column] for part in parts]) for column in range(3))
    order = np.lexsort((places, rows))
    texts = pa.chunked_array([part[3] for part in parts], pa.string()).combine_chunks()
    return Texts(rows[order], places[order] == 0, answers[order], texts.take(pa.array(order)))


def map_texts(seeds: pa.Table, change: Callable[[pa.Array], pa.Array]) -> pa.Table:
    """The seeds with `change` applied to every text, also within conversations."""
    for name in TEXT_COLUMNS:
        seeds = seeds.set_column(seeds.column_names.index(name), name, change(seeds[name].combine_chunks()))
    conversations = seeds["conversation"].combine_chunks()
    exchanges = pc.list_flatten(conversations)
    changed = pa.StructArray.from_arrays(
        [change(pc.struct_field(exchanges, key)) for key in ("input", "output")], ["input", "output"]
    )
    lengths = pc.fill_null(pc.list_value_length(conversations), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    column = pa.ListArray.from_arrays(offsets, changed, mask=conversations.is_null())
    return seeds.set_column(seeds.column_names.index("conversation"), "conversation", column)
