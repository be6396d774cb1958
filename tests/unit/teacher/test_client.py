"""The client against a real server that fails in every way servers do."""

import asyncio
import gzip
import time

import pytest

from tests.unit.teacher.conftest import MESSAGES, SAMPLING
from workflow_scripts.common.errors import UserError
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import TeacherError

SECRET = "canary-2f6c1d"


def test_an_answer_and_its_cost(teacher, ask):
    teacher.says("So.", finish_reason="length")
    answer, usage = ask()
    assert answer == {"text": "So.", "finish_reason": "length", "prompt_tokens": 7, "completion_tokens": 3}
    assert (usage.requests, usage.cached, usage.failed) == (1, 0, 0)
    assert (usage.prompt_tokens, usage.completion_tokens) == (7, 3)
    assert teacher.requests == [{"model": "m", "messages": MESSAGES, "seed": 1, **SAMPLING}]


def test_a_stored_answer_is_not_requested_again(teacher, ask):
    teacher.says("So.").says("No.")
    first, _ = ask()
    again, usage = ask()
    assert again == first
    assert (usage.requests, usage.cached, usage.completion_tokens) == (0, 1, 0)
    other, _ = ask(seed=2)  # another sampling seed is another request
    assert other["text"] == "No."
    assert len(teacher.requests) == 2


def test_too_many_requests_waits_for_retry_after(teacher, ask):
    teacher.sends({"error": {}}, status=429, Retry_After="1").says("So.")
    start = time.monotonic()
    assert ask()[0]["text"] == "So."
    assert time.monotonic() - start >= 1  # the default first pause is half a second
    assert len(teacher.requests) == 2


def test_a_server_error_is_retried(teacher, ask):
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
def test_permanent_errors_are_not_retried(teacher, ask, status):
    teacher.sends({"error": {}}, status=status)
    with pytest.raises(TeacherError, match=f"HTTP status {status}$"):
        ask()
    assert len(teacher.requests) == 1


def test_a_time_out_is_retried(teacher, ask):
    teacher.says("Late.", seconds=20).says("So.")
    start = time.monotonic()
    assert ask(timeout=0.3)[0]["text"] == "So."
    assert time.monotonic() - start < 5


def test_a_server_that_always_times_out(teacher, ask):
    teacher.says("Late.", seconds=20)
    with pytest.raises(TeacherError, match="no answer within the time-out"):
        ask(timeout=0.2, retries=0)


def test_a_lost_connection_is_retried(teacher, ask):
    teacher.sends(b'{"choices"', Content_Length="500", Connection="close").says("So.")
    assert ask()[0]["text"] == "So."


def test_no_server_at_all(teacher, ask):
    teacher.base_url = "http://127.0.0.1:9/v1"
    with pytest.raises(TeacherError, match="no connection"):
        ask(retries=0)


GARBAGE = [b'{"choices": [', b"<html>Sorry</html>", b"", b"[]", b"null", {}, {"choices": []}]
NO_TEXT = [{"choices": [{"message": {"role": "assistant", "content": None}}]}, {"choices": [{"message": None}]}]
WITHOUT_USAGE = {"choices": [{"finish_reason": "stop", "message": {"content": "So."}}]}


@pytest.mark.parametrize("body", [*GARBAGE, *NO_TEXT], ids=str)
def test_a_malformed_answer_is_a_teacher_error(teacher, ask, tmp_path, body):
    teacher.sends(body)
    with pytest.raises(TeacherError):
        ask()
    assert not list(tmp_path.rglob("*.json"))  # errors are never stored


@pytest.mark.parametrize("body", [{"choices": [None]}, {"choices": "none"}], ids=str)
def test_choices_of_another_type_are_a_teacher_error(teacher, ask, body):
    teacher.sends(body)
    with pytest.raises(TeacherError):
        ask()


def test_an_answer_without_usage(teacher, ask):
    teacher.sends(WITHOUT_USAGE)
    answer, usage = ask()
    assert (answer["text"], answer["completion_tokens"], usage.completion_tokens) == ("So.", 0, 0)


def test_an_answer_with_empty_usage(teacher, ask):
    teacher.sends({**WITHOUT_USAGE, "usage": {}})
    assert ask()[0]["text"] == "So."


@pytest.mark.parametrize("body", [b'{"choices": [', {"choices": []}], ids=str)
def test_a_malformed_answer_is_retried(teacher, ask, body):
    teacher.sends(body).says("So.")
    assert ask()[0]["text"] == "So."


def test_half_a_surrogate_pair_is_replaced(teacher, ask):
    teacher.says("Well \ud83d")
    assert ask()[0]["text"].startswith("Well")


def test_concurrency_is_bounded(teacher, ask_all):
    teacher.says("So.", seconds=0.05)
    answers, usage = ask_all(*((MESSAGES, SAMPLING, seed) for seed in range(9)), concurrency=3)
    assert [answer["text"] for answer in answers] == ["So."] * 9
    assert (usage.requests, teacher.max_concurrent) == (9, 3)


def test_one_failure_does_not_affect_other_requests(teacher, ask_all):
    teacher.sends({}, status=400).says("So.")
    answers, usage = ask_all(*((MESSAGES, SAMPLING, seed) for seed in range(4)), concurrency=1)
    assert [isinstance(answer, TeacherError) for answer in answers] == [True, False, False, False]
    assert (usage.requests, usage.failed) == (4, 1)


def test_a_final_assistant_message_is_continued(teacher, ask):
    teacher.says("So.")
    ask([*MESSAGES, {"role": "assistant", "content": "Well"}])
    assert teacher.requests[0]["continue_final_message"] is True
    assert teacher.requests[0]["add_generation_prompt"] is False


def test_the_key_is_sent_and_never_stored_or_logged(teacher, ask, tmp_path, monkeypatch, caplog, capfd):
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    teacher.says("So.").sends({"error": {"message": f"bad key Bearer {SECRET}"}}, status=401)
    with caplog.at_level("INFO"):
        ask(api_key_env="TEACHER_KEY")
        with pytest.raises(TeacherError) as caught:
            ask(seed=2, api_key_env="TEACHER_KEY")
    assert teacher.headers[0]["authorization"] == f"Bearer {SECRET}"
    ((_, _, answer),) = RequestCache(tmp_path / "cache").rows()
    assert answer["text"] == "So."
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    stored += [gzip.decompress(content) for content in stored if content.startswith(b"\x1f\x8b")]
    assert len(stored) > 2 and not any(SECRET.encode() in content for content in stored)
    assert SECRET not in "".join((str(caught.value), caplog.text, *capfd.readouterr()))


def test_a_key_of_a_file_is_sent(teacher, ask, tmp_path):
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(f"{SECRET}\n")
    teacher.says("So.")
    ask(api_key_file=str(tmp_path / "key"))
    assert teacher.headers[0]["authorization"] == f"Bearer {SECRET}"


def test_a_key_is_needed_only_to_send_a_request(teacher, ask, monkeypatch):
    teacher.says("So.")
    ask()
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    assert ask(api_key_env="TEACHER_KEY")[0]["text"] == "So."
    with pytest.raises(UserError, match="Export it"):
        ask(seed=2, api_key_env="TEACHER_KEY")
    assert len(teacher.requests) == 1


def test_another_identity_is_another_request(teacher, ask):
    teacher.says("First.").says("Second.")
    assert [ask(identity=name)[0]["text"] for name in ("a", "b", "a")] == ["First.", "Second.", "First."]
    assert all(request == teacher.requests[0] for request in teacher.requests)  # the identity is not sent


def test_concurrent_equal_requests_are_sent_once(teacher, ask_all):
    teacher.says("So.", seconds=0.2)
    answers, usage = ask_all(*[(MESSAGES, SAMPLING, 1)] * 5)
    assert [answer["text"] for answer in answers] == ["So."] * 5
    assert (len(teacher.requests), usage.requests, usage.cached) == (1, 1, 4)


def test_closing_waits_for_pending_requests(teacher, tmp_path):
    teacher.says("So.", seconds=0.3)
    settings = {"concurrency": 1, "timeout": 5, "retries": 3}
    cache = RequestCache(tmp_path)

    async def cancel_and_close():
        client = TeacherClient(teacher.base_url, "m", settings, cache)
        tasks = [asyncio.create_task(client.ask(MESSAGES, SAMPLING, seed)) for seed in range(2)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()  # as a failed stage does
        await client.close()

    asyncio.run(cancel_and_close())
    assert len(teacher.requests) == sum(1 for _ in cache.rows()) == 1


def test_no_proxy_is_used_for_this_machine(teacher, ask, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    teacher.says("So.")
    assert ask(retries=0)[0]["text"] == "So."


NESTED = b"[" * 100_000


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (NESTED, 200, "the reply is not JSON"),
        (b'{"choices": [{"finish_reason": ' + b"[" * 900 + b"]" * 900 + b', "message": {}}]}', 200, "finish_reason list"),
        (b'{"error": ' + b'{"a": ' * 900 + b"1" + b"}" * 901, 200, "nested too deeply|an error in a reply"),
        (NESTED, 400, "HTTP status 400"),
        (b'{"error": ' * 900 + b"1" + b"}" * 900, 400, "HTTP status 400|nested too deeply"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rate", [None, {"tokens_per_minute": 10**9}], ids=["unlimited", "limited"])
def test_a_nested_reply_is_a_failed_reply(teacher, ask, body, status, message, rate):
    teacher.sends(body, status=status)
    with pytest.raises(TeacherError, match=message):
        ask(retries=0, rate=rate)


def test_a_compressed_reply_is_read_up_to_a_limit(teacher, ask, tmp_path):
    teacher.sends(gzip.compress(bytes(2**26)), Content_Encoding="gzip")
    with pytest.raises(TeacherError, match="the reply is larger than 16 MiB"):
        ask(retries=1)
    assert len(teacher.requests) == 2 and not list(tmp_path.rglob("*.json"))
    assert teacher.headers[0]["accept-encoding"] == "gzip, deflate"
    teacher.queue.clear()
    teacher.says("So.")
    teacher.queue[0]["body"] = gzip.compress(teacher.queue[0]["body"])
    teacher.queue[0]["headers"] = {"Content-Encoding": "gzip", "Content-Length": str(len(teacher.queue[0]["body"]))}
    assert ask()[0]["text"] == "So."


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_an_encoding_without_a_limit_of_its_growth_is_a_failed_reply(teacher, ask, encoding):
    teacher.sends(b"{}", Content_Encoding=encoding)
    with pytest.raises(TeacherError, match=f"content encoding {encoding}"):
        ask(retries=0)


def test_a_reply_that_contains_the_key_is_rejected(teacher, ask, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", SECRET)
    teacher.says(f"Your key is {SECRET}.")
    with pytest.raises(TeacherError, match="the reply contains the API key") as error:
        ask(retries=1, api_key_env="MY_KEY")
    assert SECRET not in str(error.value) and len(teacher.requests) == 2
    assert not list(tmp_path.rglob("*.json"))
