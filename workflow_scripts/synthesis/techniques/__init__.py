"""The techniques named on Capybara's card, one module each, all with the same interface."""

from typing import Protocol

from workflow_scripts.common.types import Seed
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.generator import Generator


class Technique(Protocol):
    """One step of a path.

    `name` is used in the config and in provenance; `citation` is the publication; `source` is the `source` of conversations
    whose opening the technique wrote.
    """

    name: str
    citation: str
    source: str

    def fits(self, seed: Seed) -> bool:
        """Whether the technique applies to a seed. A path is drawn only for seeds that all its techniques fit."""
        ...

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Change the draft and append a row {name, ...} to its `steps`.

        Raises BadTurn, after which the caller restores the draft; does not catch TeacherError.
        """
        ...
