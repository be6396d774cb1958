"""The techniques that the card names, one module each, all with the same interface."""

from typing import Protocol

from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.generator import Scribe


class Technique(Protocol):
    """One step of a path. `name` stands in the config and in provenance, `citation` where the method is published."""

    name: str
    citation: str

    def fits(self, seed: Row) -> bool:
        """Whether the technique makes sense for a seed; a path is drawn only for seeds that fit all of its steps."""
        ...

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """Change the draft, and add a row {name, ...} to its `steps`. Raises BadTurn; lets TeacherError pass."""
        ...
