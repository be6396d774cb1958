"""What replies of servers mean: finish reasons, reasoning, refusals, errors; over HTTP, and from a cache."""

import json

import pytest

from tests.unit.teacher.conftest import MESSAGES, SAMPLING
from workflow_scripts.common.rows import content_id
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import request_for
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.replies import FINISH_REASONS, REFUSED, strip_reasoning

FAILED = ["error", "abort", "tool_calls", "function_call", "insufficient_system_resource", "whatever", "", None, 1]


def reply(finish_reason="stop", error=None, **message):
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **message}}
    return {"choices": [choice if error is None else {**choice, "error": error}]}


def stored_answers(tmp_path):
    return [answer for _, _, answer in RequestCache(tmp_path / "cache").rows()]


@pytest.mark.parametrize("value", [*FINISH_REASONS, "STOP", "MAX_TOKENS", "SAFETY"])
def test_finish_reasons_of_all_servers_are_known(teacher, ask, value):
    teacher.says("So.", finish_reason=value)
    meaning = FINISH_REASONS[value.lower()]
    if meaning == REFUSED:
        with pytest.raises(Refused):
            ask()
    else:
        assert ask()[0]["finish_reason"] == meaning


@pytest.mark.parametrize("value", FAILED, ids=str)
def test_any_other_finish_reason_is_a_failed_request(teacher, ask, tmp_path, value):
    teacher.says("So", finish_reason=value)
    with pytest.raises(TeacherError, match=r"finish_reason .*, so the reply is not complete"):
        ask(retries=1)
    assert len(teacher.requests) == 2  # it was retried
    assert stored_answers(tmp_path) == []


def test_a_failed_reply_is_counted_and_may_succeed_when_retried(teacher, ask_all):
    teacher.says("So", finish_reason="abort").says("So.").says("No", finish_reason="error")
    answers, usage = ask_all((MESSAGES, SAMPLING, 1), (MESSAGES, SAMPLING, 2), concurrency=1)
    assert answers[0]["text"] == "So." and isinstance(answers[1], TeacherError)
    assert (usage.requests, usage.failed) == (4, 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "Rate limit exceeded: per day", "code": 429}}, "429: Rate limit exceeded: per day"),
        ({"error": "no model is loaded"}, "no model is loaded"),
        ({"error": {"detail": "gone"}, "choices": None}, "gone"),
        (reply("error", {"code": 502, "message": "Upstream gone"}, content="So"), "502: Upstream gone"),
        (reply(content=None), "the reply contains no text (finish_reason stop)"),
        (
            reply(content=None, reasoning_content="The user asks why."),
            "the reply contains no text (finish_reason stop)",
        ),
        (reply(content=[{"type": "image_url", "image_url": {}}]), "the reply contains no text (finish_reason stop)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_within_http_200_are_reported_as_the_server_states_them(teacher, ask, tmp_path, body, message):
    teacher.sends(body)
    with pytest.raises(TeacherError) as caught:
        ask(retries=0)
    assert str(caught.value).removeprefix("an error in a reply with HTTP status 200: ") == message
    assert stored_answers(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (reply("content_filter", content="Granite is"), "Granite is"),
        (reply("content_filter", content=None), ""),
        (reply(content=None, refusal="I cannot help with that."), "I cannot help with that."),
        (reply("refusal", content=""), ""),
    ],
)
def test_a_refusal_is_stored_as_a_refusal(teacher, ask, tmp_path, body, text):
    """It is paid for, and the replay of a run has to give the same rejected rows."""
    teacher.sends(body).says("So.")
    for _ in range(2):
        with pytest.raises(Refused, match="refused by the server's content filter") as caught:
            ask()
        assert caught.value.text == text
    assert len(teacher.requests) == 1  # the second was answered from the cache
    assert [answer["finish_reason"] for answer in stored_answers(tmp_path)] == [REFUSED]


@pytest.mark.parametrize(
    "error",
    [
        {
            "code": "content_filter",
            "message": "The prompt was filtered.",
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
        },
        {"code": "content_policy_violation", "message": "No."},
        {"type": "invalid_request_error", "code": "invalid_prompt", "message": "No."},
        {"code": 400, "message": "No.", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
    ],
)
def test_http_400_of_a_content_filter_is_a_refusal(teacher, ask, error):
    teacher.sends({"error": error}, status=400)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            ask()
        assert error["message"] in str(caught.value)
    assert len(teacher.requests) == 1


def test_reasoning_that_reaches_max_tokens_leaves_an_empty_text(teacher, ask):
    teacher.sends(reply("length", content=None, reasoning_content="The user asks"))
    answer, _ = ask()
    assert (answer["text"], answer["finish_reason"]) == ("", "length")


def test_the_text_parts_of_a_message_are_joined(teacher, ask):
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    teacher.sends(reply(content=[thinking, {"type": "text", "text": "So it "}, {"type": "text", "text": "lasts."}]))
    assert ask()[0]["text"] == "So it lasts."


def test_reasoning_is_stored_and_not_returned(teacher, ask, tmp_path):
    teacher.sends(reply(content="<think>Why?</think>So.", reasoning_content="Hm."))
    assert ask()[0]["text"] == ask()[0]["text"] == "So."
    assert [answer["text"] for answer in stored_answers(tmp_path)] == ["<think>Why?</think>So."]


@pytest.mark.parametrize("value", ["error", "abort", None, "content_filter", "MAX_TOKENS"], ids=str)
def test_answers_of_earlier_versions_are_not_replayed_as_good(teacher, ask, tmp_path, value):
    """Earlier versions stored every reply with a text, whatever its finish reason was."""
    request = request_for("m", MESSAGES, SAMPLING, 1)
    key = content_id(request)
    path = tmp_path / "cache" / key[:2] / f"{key}.json"
    path.parent.mkdir(parents=True)
    answer = {"text": "Granite is", "finish_reason": value, "prompt_tokens": 7, "completion_tokens": 3}
    path.write_text(json.dumps({"request": request, "answer": answer}))
    teacher.says("So.")
    if value == "content_filter":
        with pytest.raises(Refused):
            ask()
    else:
        expected = ("Granite is", "length") if value == "MAX_TOKENS" else ("So.", "stop")
        assert tuple(ask()[0][name] for name in ("text", "finish_reason")) == expected
    assert len(teacher.requests) == (value in ("error", "abort", None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rivers carry sand.", "Rivers carry sand."),
        ("<think>\nThe user asks.</think>\n\nRivers carry sand.", "Rivers carry sand."),
        ("The user asks.</think>Rivers carry sand.", "Rivers carry sand."),  # the chat template wrote the first mark
        ("The user asks.\n</think>\n\nRivers.", "Rivers."),
        ("Close it with </think> and write the answer.", "Close it with </think> and write the answer."),
        ("<think>The user asks", ""),
        ("<THINK>Hm.</THINK>Rivers.", "<THINK>Hm.</THINK>Rivers."),
        ("<thinking>Hm.</thinking>\nRivers.", "Rivers."),
        ("<thought>Hm.</thought>Rivers.", "Rivers."),
        ("<seed:think>Hm.</seed:think>Rivers.", "Rivers."),
        ("[THINK]Hm.[/THINK]Rivers.", "Rivers."),
        ("◁think▷Hm.◁/think▷Rivers.", "Rivers."),
        ("<think>A</think>Rivers.\n<think>B\nC</think>\nAnd sand.", "Rivers.\nAnd sand."),
        ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Rivers.", "Rivers."),
        ("<|channel|>analysis<|message|>Hm", ""),
        (
            "Models write `<think>` before and `</think>` after it.",
            "Models write `<think>` before and `</think>` after it.",
        ),
    ],
)
def test_reasoning_is_stripped(text, expected):
    assert strip_reasoning(text) == expected
