"""Query the teacher, validate its replies, retry up to `synthesis.attempts` times."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config, Row
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.quality import last_sentence
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.replies import LENGTH, Answer
from workflow_scripts.teacher.sampling import max_tokens
from workflow_scripts.teacher.structured import Ask, InvalidReply, Messages, ask_structured

SAMPLING = {"reference": "answer"}  # kinds of text without a key of their own in `synthesis.sampling`


class Generator:
    """Generates and judges texts with one teacher.

    Args:
        ask: `TeacherClient.ask`.
        settings: the section `synthesis` of the config.
        prefill: whether the teacher's server continues a message of the assistant.
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
        topics: list[str] | None = None,
        ask_judge: Ask | None = None,
        labels_openings: bool = False,
    ):
        self.settings = settings
        self.prefill = prefill
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

        A reply that reached max_tokens is trimmed to its last complete sentence, or has the fault `max_tokens`, as
        `synthesis.on_length` says. A refusal by a content filter is a fault as well. Raises BadTurn after
        `synthesis.attempts` attempts; TeacherError if every reply ended within its reasoning.
        """
        ask = self.ask_judge if judge else self._ask
        sampling = self.settings["sampling"][SAMPLING.get(kind, kind)]
        texts: list[str] = []
        fault = ""
        for attempt in range(self.settings["attempts"]):
            try:
                answer = await ask(messages, sampling, _sampling_seed(draft, kind, messages, attempt))
            except Refused as error:
                fault = "content_filter"
                reply = error.text
            else:
                reply, text = answer["text"], extract(self._complete_text(answer))
                found = check(text)
                if found is None:
                    return text
                fault = "max_tokens" if answer["finish_reason"] == LENGTH and not text else found
            self.faults[f"{kind}:{fault}"] += 1
            texts.append(reply)
        if fault == "max_tokens" and not any(texts):
            raise TeacherError(
                f"every reply reached its maximum of {max_tokens(sampling)} tokens within the reasoning. Raise it in "
                f"`synthesis.sampling.{SAMPLING.get(kind, kind)}`, or lower `reasoning_effort`"
            )
        raise BadTurn(f"{kind}:{fault}", texts[-1])

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
            raise BadTurn("judge:malformed", error.text) from error
        except Refused as error:
            self.faults["judge:content_filter"] += 1
            raise BadTurn("judge:content_filter", error.text) from error

    def _complete_text(self, answer: Answer) -> str:
        """The text of an answer that is complete; of one that reached max_tokens, what `synthesis.on_length` keeps."""
        text: str = answer["text"]
        if answer["finish_reason"] != LENGTH:
            return text
        return last_sentence(text) if self.settings["on_length"] == "trim" else ""


def _sampling_seed(draft: Draft, kind: str, messages: Messages, attempt: int) -> int:
    """Sampling seed of a request; it differs between attempts."""
    return int(content_id(draft.seed["id"], kind, len(messages), attempt), 16) % 2**31
