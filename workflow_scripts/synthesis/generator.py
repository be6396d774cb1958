"""Asking the teacher until what it wrote may stand, a bounded number of times."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.quality import last_sentence

Ask = Callable[..., Awaitable[dict[str, Any]]]  # TeacherClient.ask
Messages = list[dict[str, str]]


class Scribe:
    """Writes and judges texts through one teacher. `settings` is `synthesis:` of the config.

    `prefill` says that the teacher's server can continue a message that is begun for it; `seeds` are those from which
    techniques take examples. `faults` counts what was wrong with replies, by kind of text and fault.
    """

    def __init__(self, ask: Ask, settings: Row, prefill: bool = False, seeds: list[Row] | None = None):
        self.settings = settings
        self.prefill = prefill
        self.seeds = seeds or []
        self.faults: Counter[str] = Counter()
        self._ask = ask

    def prompt(self, draft: Draft, name: str, **values: Any) -> str:
        """A prompt filled in; the draft remembers which prompts made it."""
        draft.prompts.add(name)
        return prompts.render(name, **values)

    async def write(
        self,
        draft: Draft,
        kind: str,
        messages: Messages,
        fault: Callable[[str], str | None],
        shape: Callable[[str], str] = str,
    ) -> str:
        """A text of a `kind` that the config has sampling for. BadTurn after `settings["attempts"]` attempts.

        `shape` takes a reply and gives what of it may stand, `fault` names what is wrong with that, or gives None. A
        reply that was cut off is trimmed to its last whole sentence, or counts as none, as `on_length` says.
        """
        found = None
        for attempt in range(self.settings["attempts"]):
            answer = await self._ask(messages, self.settings["sampling"][kind], _number(draft, kind, messages, attempt))
            text = shape(self._uncut(answer))
            found = fault(text)
            if found is None:
                return text
            self.faults[f"{kind}:{found}"] += 1
        raise BadTurn(f"{kind}:{found}")

    async def judge(self, draft: Draft, messages: Messages, schema: Row) -> Row:
        """A judgement as JSON of that schema, to which servers hold their teacher. BadTurn if it never fits."""
        form = {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": schema}}
        for attempt in range(self.settings["attempts"]):
            number = _number(draft, "judge", messages, attempt)
            answer = await self._ask(messages, self.settings["sampling"]["judge"], number, response_format=form)
            try:
                found = json.loads(_said(answer["text"]))
                jsonschema.validate(found, schema)
                return found
            except (ValueError, RecursionError, jsonschema.ValidationError):
                self.faults["judge:malformed"] += 1
        raise BadTurn("judge:malformed")

    def _uncut(self, answer: Row) -> str:
        text = _said(answer["text"])
        if answer["finish_reason"] != "length":
            return text
        return last_sentence(text) if self.settings["on_length"] == "trim" else ""


def _said(text: str) -> str:
    """A reply without the thoughts that reasoning models write before it; nothing if it does not get beyond them."""
    thought, mark, said = text.partition("</think>")
    return (said if mark else "" if thought.lstrip().startswith("<think>") else thought).strip()


def _number(draft: Draft, kind: str, messages: Messages, attempt: int) -> int:
    """The request's sampling seed: another attempt is another request."""
    return int(content_id(draft.seed["id"], kind, len(messages), attempt), 16) % 2**31
