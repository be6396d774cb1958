"""Structured replies: send a request with a JSON schema, validate the reply, retry with another sampling seed."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema

from workflow_scripts.common.nesting import nested_too_deeply
from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Config
from workflow_scripts.teacher.replies import LENGTH, Answer

FENCE_START = re.compile(r"```(?:json)?[ \t]*\n", re.IGNORECASE)
FENCE_END = re.compile(r"\n[ \t]*```")
# For servers that do not enforce a schema: our wording, appended to the last message of the user.
INSTRUCTION = """\
Reply with one JSON object and nothing else: no introduction, no explanation, no Markdown. It must be valid under this \
JSON schema:
{schema}"""

Ask = Callable[..., Awaitable[Answer]]  # `TeacherClient.ask`
Messages = list[dict[str, str]]


class InvalidReply(Exception):
    """No attempt gave a valid reply. `faults` has one short reason per attempt and never quotes the teacher.

    `text` is the last reply.
    """

    def __init__(self, name: str, faults: list[str], text: str):
        super().__init__(f"no valid {name} in {counted(len(faults), 'attempt')}: {'; '.join(faults)}")
        self.faults = faults
        self.text = text


def response_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """`response_format` of a request, as OpenAI-compatible servers accept it."""
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def in_form(messages: Messages, form: dict[str, Any], structured: str) -> dict[str, Any]:
    """`messages` and `response_format` of a request as `teacher.structured` says.

    With json_schema the server enforces the schema; with json_object it enforces JSON, and with prompt nothing: the
    schema is then in the last message, which is the user's.
    """
    if structured == "json_schema":
        return {"messages": messages, "response_format": form}
    instruction = INSTRUCTION.format(schema=json.dumps(form["json_schema"]["schema"], ensure_ascii=False))
    last = {**messages[-1], "content": f"{messages[-1]['content']}\n\n{instruction}"}
    enforced = {"response_format": {"type": "json_object"}} if structured == "json_object" else {}
    return {"messages": [*messages[:-1], last], **enforced}


def parse_reply(text: str, schema: dict[str, Any], check: Callable[[Any], str | None] | None = None) -> Any:
    """The JSON value of a reply: the whole reply, or its only fenced block.

    Raises ValueError with a short reason if the reply is not JSON, violates the schema, or `check` returns a reason.
    """
    fenced = _fenced_blocks(text)
    content = fenced[0] if len(fenced) == 1 else text
    # The validation below is recursive as well.
    if nested_too_deeply(content.encode("utf-8", "replace")):
        raise ValueError("nested too deeply")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    fault = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    if fault is not None:
        # The message of a validation error would quote the reply.
        raise ValueError(f"{fault.json_path} breaks `{fault.validator}`")
    if check is not None and (reason := check(value)) is not None:
        raise ValueError(reason)
    return value


def _fenced_blocks(text: str) -> list[str]:
    """The contents of all fenced blocks. Each mark is searched for once: linear time."""
    blocks, end = [], 0
    while (opening := FENCE_START.search(text, end)) and (closing := FENCE_END.search(text, opening.end())):
        blocks.append(text[opening.end() : closing.start()])
        end = closing.end()
    return blocks


async def ask_structured(
    ask: Ask,
    messages: Messages,
    sampling: Config,
    name: str,
    schema: dict[str, Any],
    attempts: int,
    seed: Callable[[int], int] = int,
    check: Callable[[Any], str | None] | None = None,
    on_fault: Callable[[str], None] | None = None,
) -> Any:
    """Return the first valid reply to `messages`, a JSON value.

    Args:
        ask: `TeacherClient.ask`; its errors are not caught. It sends the schema as `teacher.structured` says.
        name: name of the schema in the request and in the error message.
        schema: JSON schema of the reply. Use only keywords that llama.cpp, vLLM and OpenAI's strict mode all enforce.
        attempts: maximum number of requests.
        seed: function from the number of the attempt, from 0, to its sampling seed. Default: the number itself.
        check: function from a value that fits the schema to a short reason why it is invalid, or None.
        on_fault: called with the reason of each invalid reply.

    Raises:
        InvalidReply: no attempt gave a valid reply.
    """
    form = response_format(name, schema)
    faults: list[str] = []
    answer: Answer = {}
    for attempt in range(attempts):
        answer = await ask(messages, sampling, seed(attempt), response_format=form)
        try:
            if answer["finish_reason"] == LENGTH:
                raise ValueError("reached max_tokens")
            return parse_reply(answer["text"], schema, check)
        except ValueError as error:
            faults.append(str(error))
            if on_fault is not None:
                on_fault(faults[-1])
    raise InvalidReply(name, faults, answer["text"])
