"""Query the teacher, validate its replies, retry up to `synthesis.attempts` times."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config, Row, Seed
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.quality import last_sentence
from workflow_scripts.teacher.cache import Answer
from workflow_scripts.teacher.structured import Ask, InvalidReply, Messages, ask_structured, strip_reasoning

SAMPLING = {"reference": "answer"}  # kinds of text without a key of their own in `synthesis.sampling`


class Generator:
    """Generates and judges texts with one teacher.

    Args:
        ask: `TeacherClient.ask`.
        settings: the section `synthesis` of the config.
        prefill: whether the teacher's server continues a message of the assistant.
        seeds: the seeds from which techniques draw examples.
        topics: topics of the run, from which airoboros draws.
        ask_judge: `TeacherClient.ask` of the model that judges; default the teacher.
        labels_openings: whether the judge labels openings that a technique wrote (`seeds.labels.by: teacher`).

    `faults` counts rejected replies by `<kind of text>:<fault>`.
    """

    def __init__(
        self,
        ask: Ask,
        settings: Config,
        prefill: bool = False,
        seeds: list[Seed] | None = None,
        topics: list[str] | None = None,
        ask_judge: Ask | None = None,
        labels_openings: bool = False,
    ):
        self.settings = settings
        self.prefill = prefill
        self.seeds = seeds or []
        self.topics = topics or []
        self.ask_judge = ask_judge or ask
        self.labels_openings = labels_openings
        self.faults: Counter[str] = Counter()
        self._ask = ask

    def prompt(self, draft: Draft, name: str, **values: Any) -> str:
        """A rendered prompt. Its name is added to the draft's prompts."""
        draft.prompts.add(name)
        return prompts.render(name, **values)

    async def write(
        self,
        draft: Draft,
        kind: str,
        messages: Messages,
        check: Callable[[str], str | None],
        extract: Callable[[str], str] = str,
        judge: bool = False,
    ) -> str:
        """Return the first valid text.

        Args:
            kind: key of `synthesis.sampling`: instruction, follow_up, answer; a reference is sampled like an answer.
            check: function from a text to its fault, or None if it is valid.
            extract: function from a reply to the text it contains.
            judge: whether the judge writes the text, not the teacher.

        A reply that reached max_tokens is trimmed to its last complete sentence, or is empty, as `synthesis.on_length`
        says. Raises BadTurn after `synthesis.attempts` attempts.
        """
        fault = None
        for attempt in range(self.settings["attempts"]):
            seed = _sampling_seed(draft, kind, messages, attempt)
            ask = self.ask_judge if judge else self._ask
            answer = await ask(messages, self.settings["sampling"][SAMPLING.get(kind, kind)], seed)
            text = extract(self._complete_text(answer))
            fault = check(text)
            if fault is None:
                return text
            self.faults[f"{kind}:{fault}"] += 1
        raise BadTurn(f"{kind}:{fault}")

    async def judge(self, draft: Draft, messages: Messages, schema: Row) -> Row:
        """A judgement that fits the JSON schema. Raises BadTurn after `synthesis.attempts` attempts."""
        try:
            return await ask_structured(
                self.ask_judge,
                messages,
                self.settings["sampling"]["judge"],
                "judgement",
                schema,
                self.settings["attempts"],
                seed=lambda attempt: _sampling_seed(draft, "judge", messages, attempt),
                on_fault=lambda _: self.faults.update(["judge:malformed"]),
            )
        except InvalidReply as error:
            raise BadTurn("judge:malformed") from error

    def _complete_text(self, answer: Answer) -> str:
        text = strip_reasoning(answer["text"])
        if answer["finish_reason"] != "length":
            return text
        return last_sentence(text) if self.settings["on_length"] == "trim" else ""


def _sampling_seed(draft: Draft, kind: str, messages: Messages, attempt: int) -> int:
    """Sampling seed of a request; it differs between attempts."""
    return int(content_id(draft.seed["id"], kind, len(messages), attempt), 16) % 2**31
