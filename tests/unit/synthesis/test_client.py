"""The client against a real server that fails in every way servers do."""

import asyncio
import json
import time

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.synthesis.cache import RequestCache
from workflow_scripts.synthesis.client import TeacherClient, TeacherError, api_key

MESSAGES = [{"role": "user", "content": "Why?"}]
SAMPLING = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 8}
SECRET = "canary-2f6c1d"


@pytest.fixture
def ask_all(teacher, tmp_path):
    """A function that sends requests at once through one client: (answers or errors, usage)."""

    def run(*requests, **settings):
        settings = {"concurrency": 4, "timeout": 5, "retries": 1, **settings}

        async def gather():
            client = TeacherClient(teacher.base_url, "m", settings, RequestCache(tmp_path / "cache"))
            try:
                answers = await asyncio.gather(*(client.ask(*one) for one in requests), return_exceptions=True)
            finally:
                await client.close()
            return answers, client.usage

        return asyncio.run(gather())

    return run


@pytest.fixture
def ask(ask_all):
    """The same for one request; an error is raised."""

    def run(messages=MESSAGES, seed=1, **settings):
        (answer,), usage = ask_all((messages, SAMPLING, seed), **settings)
        if isinstance(answer, BaseException):
            raise answer
        return answer, usage

    return run


def test_an_answer_and_its_cost(teacher, ask):
    teacher.says("So.", finish_reason="length")
    answer, usage = ask()
    assert answer == {"text": "So.", "finish_reason": "length", "prompt_tokens": 7, "completion_tokens": 3}
    assert (usage.requests, usage.cached, usage.failed) == (1, 0, 0)
    assert (usage.prompt_tokens, usage.completion_tokens) == (7, 3)
    assert teacher.requests == [{"model": "m", "messages": MESSAGES, "seed": 1, **SAMPLING}]


def test_a_finished_request_is_never_sent_again(teacher, ask):
    teacher.says("So.").says("No.")
    first, _ = ask()
    again, usage = ask()
    assert again == first
    assert (usage.requests, usage.cached, usage.completion_tokens) == (0, 1, 0)
    other, _ = ask(seed=2)  # another random seed is another request
    assert other["text"] == "No."
    assert len(teacher.requests) == 2


def test_too_many_requests_waits_as_long_as_it_is_told(teacher, ask):
    teacher.sends({"error": {}}, status=429, Retry_After="1").says("So.")
    begun = time.monotonic()
    assert ask()[0]["text"] == "So."
    assert time.monotonic() - begun >= 1  # its own first pause would be half a second
    assert len(teacher.requests) == 2


def test_a_broken_server_is_asked_again(teacher, ask):
    teacher.sends(b"oops", status=500).says("So.")
    assert ask()[0]["text"] == "So."
    assert len(teacher.requests) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retries_are_bounded(teacher, ask, status, caplog):
    teacher.sends({"error": {}}, status=status, Retry_After_Ms="1")
    with pytest.raises(TeacherError, match=f"HTTP status {status}$"):
        ask(retries=2)
    assert len(teacher.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_a_retry_cannot_mend_is_not_retried(teacher, ask, status):
    teacher.sends({"error": {}}, status=status)
    with pytest.raises(TeacherError, match=f"HTTP status {status}$"):
        ask()
    assert len(teacher.requests) == 1


def test_a_server_that_hangs(teacher, ask):
    teacher.says("Late.", seconds=20).says("So.")
    begun = time.monotonic()
    assert ask(timeout=0.3)[0]["text"] == "So."
    assert time.monotonic() - begun < 5


def test_a_server_that_always_hangs(teacher, ask):
    teacher.says("Late.", seconds=20)
    with pytest.raises(TeacherError, match="no answer within the time-out"):
        ask(timeout=0.2, retries=0)


def test_a_lost_connection_is_tried_again(teacher, ask):
    teacher.sends(b'{"choices"', Content_Length="500", Connection="close").says("So.")
    assert ask()[0]["text"] == "So."


def test_no_server_at_all(teacher, ask):
    teacher.base_url = "http://127.0.0.1:9/v1"
    with pytest.raises(TeacherError, match="no connection"):
        ask(retries=0)


GARBAGE = [b'{"choices": [', b"<html>Sorry</html>", b"", b"[]", b"null", {}, {"choices": []}]
NO_TEXT = [{"choices": [{"message": {"role": "assistant", "content": None}}]}, {"choices": [{"message": None}]}]
WITHOUT_COSTS = {"choices": [{"finish_reason": "stop", "message": {"content": "So."}}]}


@pytest.mark.parametrize("body", [*GARBAGE, *NO_TEXT], ids=str)
def test_a_malformed_answer_is_an_error_of_the_teacher(teacher, ask, tmp_path, body):
    teacher.sends(body)
    with pytest.raises(TeacherError):
        ask()
    assert not list(tmp_path.rglob("*.json"))  # errors are never stored


@pytest.mark.parametrize("body", [{"choices": [None]}, {"choices": "none"}], ids=str)
def test_choices_of_another_shape_are_an_error_of_the_teacher(teacher, ask, body):
    teacher.sends(body)
    with pytest.raises(TeacherError):
        ask()


def test_a_server_that_counts_no_tokens(teacher, ask):
    teacher.sends(WITHOUT_COSTS)
    answer, usage = ask()
    assert (answer["text"], answer["completion_tokens"], usage.completion_tokens) == ("So.", 0, 0)


def test_a_server_that_leaves_its_counts_out(teacher, ask):
    teacher.sends({**WITHOUT_COSTS, "usage": {}})
    assert ask()[0]["text"] == "So."


@pytest.mark.parametrize("body", [b'{"choices": [', {"choices": []}], ids=str)
def test_a_malformed_answer_is_asked_for_again(teacher, ask, body):
    """Craft, promise 4: 429, 500, time-out *or malformed answer* - bounded retries, then the row is rejected."""
    teacher.sends(body).says("So.")
    assert ask()[0]["text"] == "So."


def test_half_an_emoji_is_no_crash(teacher, ask):
    teacher.says("Well \ud83d")
    assert ask()[0]["text"].startswith("Well")


def test_no_more_requests_at_once_than_the_config_says(teacher, ask_all):
    teacher.says("So.", seconds=0.05)
    answers, usage = ask_all(*((MESSAGES, SAMPLING, seed) for seed in range(9)), concurrency=3)
    assert [answer["text"] for answer in answers] == ["So."] * 9
    assert (usage.requests, teacher.most_at_once) == (9, 3)


def test_one_failure_leaves_the_others(teacher, ask_all):
    teacher.sends({}, status=400).says("So.")
    answers, usage = ask_all(*((MESSAGES, SAMPLING, seed) for seed in range(4)), concurrency=1)
    assert [isinstance(answer, TeacherError) for answer in answers] == [True, False, False, False]
    assert (usage.requests, usage.failed) == (4, 1)


def test_a_begun_message_is_to_be_continued(teacher, ask):
    teacher.says("So.")
    ask([*MESSAGES, {"role": "assistant", "content": "Well"}])
    assert teacher.requests[0]["continue_final_message"] is True
    assert teacher.requests[0]["add_generation_prompt"] is False


def test_the_key_is_sent_and_stands_nowhere_else(teacher, ask, tmp_path, monkeypatch, caplog, capfd):
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    teacher.says("So.").sends({"error": {"message": f"bad key Bearer {SECRET}"}}, status=401)
    with caplog.at_level("INFO"):
        ask(api_key_env="TEACHER_KEY")
        with pytest.raises(TeacherError) as caught:
            ask(seed=2, api_key_env="TEACHER_KEY")
    assert teacher.headers[0]["authorization"] == f"Bearer {SECRET}"
    stored = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert json.loads(stored)["answer"]["text"] == "So."
    assert SECRET not in "".join((stored, str(caught.value), caplog.text, *capfd.readouterr()))


def test_a_key_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(UserError, match=r"environment variable that `teacher.api_key_env`.*Export it"):
        api_key("TEACHER_KEY")
    assert api_key(None) == "no-key"
