"""What the reply of a server means: its text without reasoning, its finish reason, or the error that it reports."""

import enum
import re
from typing import Any

from workflow_scripts.teacher.errors import FailedReply, Refused, describe_error

Answer = dict[str, Any]  # {text, finish_reason, prompt_tokens, completion_tokens}


class FinishReason(enum.StrEnum):
    """Why a complete reply ended. Nothing else is stored."""

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "content_filter"


STOP, LENGTH, REFUSED = FinishReason
# Finish reasons of servers, case-folded: what they mean. Any other value, and none at all, is a failed request.
# OpenAI, vLLM, llama.cpp; TGI; Anthropic; Mistral; Cohere; Google; Bedrock; Zhipu.
FINISH_REASONS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"), STOP),
    **dict.fromkeys(("length", "max_tokens", "model_length", "model_context_window_exceeded"), LENGTH),
    **dict.fromkeys(
        (
            *("content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist"),
            *("prohibited_content", "spii", "error_toxic", "guardrail_intervened", "sensitive"),
        ),
        REFUSED,
    ),
}
# Marks around reasoning: DeepSeek, Qwen and others; Anthropic; Gemma; Seed; Magistral; Kimi.
OPENING = r"<(?:seed:)?think(?:ing)?>|<thought>|\[THINK\]|◁think▷"
CLOSING = r"</(?:seed:)?think(?:ing)?>|</thought>|\[/THINK\]|◁/think▷"
# Only at the start of a line: a text may mention the marks.
REASONING = re.compile(rf"^[ \t]*(?:{OPENING})", re.MULTILINE)
REASONING_END = re.compile(rf"(?:{CLOSING})\s*")
LONE_CLOSING = re.compile(
    rf"(?<![ \t`'\"(])(?:{CLOSING})"
)  # not after a space or quotation mark: a text mentions it there
FINAL_CHANNEL = "<|channel|>final<|message|>"  # of gpt-oss, before the text that is meant for the user
TEXT_PARTS = ("text", "output_text")  # types of content parts; others contain reasoning or media


def finish_reason(value: Any) -> FinishReason | None:
    """STOP, LENGTH or REFUSED; None for the finish reason of a failed request."""
    return FINISH_REASONS.get(value.casefold()) if isinstance(value, str) else None


def read_reply(body: Any) -> Answer:
    """{text, finish_reason} of a chat completion, as it is stored: with reasoning, without token counts.

    The text of a reply that a content filter refused is what the server says about it. Raises FailedReply for an error
    in the body, a failed finish reason, or a missing text.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    for part in (choice, body):
        if isinstance(part, dict) and part.get("error"):
            raise FailedReply(f"an error in a reply with HTTP status 200: {describe_error(part)}")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise FailedReply("the reply contains no message")
    text, refusal = _text(message.get("content")), message.get("refusal")
    reason = finish_reason(choice.get("finish_reason"))
    if reason == REFUSED or (isinstance(refusal, str) and refusal and not text):
        return {"text": _valid_unicode(refusal or text or ""), "finish_reason": REFUSED}
    if reason is None:
        given = choice.get("finish_reason")
        shown = given[:40] if isinstance(given, str) else type(given).__name__
        raise FailedReply(f"finish_reason {shown}, so the reply is not complete")
    if text is None and reason != LENGTH:  # a reasoning model may reach max_tokens before its text begins
        raise FailedReply(f"the reply contains no text (finish_reason {reason})")
    return {"text": _valid_unicode(text or ""), "finish_reason": reason}


def complete(answer: Answer) -> Answer:
    """A stored answer without its reasoning. Raises Refused if a content filter refused the request."""
    if answer["finish_reason"] == REFUSED:
        raise Refused(answer["text"])
    return {**answer, "text": strip_reasoning(answer["text"])}


def strip_reasoning(text: str) -> str:
    """A text without reasoning between marks; empty if it ends within the reasoning."""
    text = _without_blocks(text.rpartition(FINAL_CHANNEL)[2])
    opening, closing = re.search(OPENING, text), LONE_CLOSING.search(text)
    if closing and not (opening and opening.start() < closing.start()):  # the chat template wrote the opening mark
        text = text[closing.end() :]
    text = text.strip()
    return "" if re.match(rf"{OPENING}|<\|channel\|>", text) else text


def _without_blocks(text: str) -> str:
    """The text without blocks from an opening to the next closing mark. Each mark is searched for once: linear time."""
    parts, start = [], 0
    while (opening := REASONING.search(text, start)) and (closing := REASONING_END.search(text, opening.end())):
        parts.append(text[start : opening.start()])
        start = closing.end()
    return "".join([*parts, text[start:]])


def _text(content: Any) -> str | None:
    """The text of a message's content: a string, or a list of parts."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") in TEXT_PARTS]
        content = "".join(part["text"] for part in parts if isinstance(part.get("text"), str)) if parts else None
    return content if isinstance(content, str) else None


def _valid_unicode(text: str) -> str:
    """A reply cut off within an emoji ends with half of a surrogate pair, which cannot be stored as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
