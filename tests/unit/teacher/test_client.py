"""The client against a real server that fails in every way servers do."""

import asyncio
import json
import time

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.teacher.budget import BudgetSpent, Ledger
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient, TeacherError, api_key

MESSAGES = [{"role": "user", "content": "Why?"}]
SAMPLING = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 8}
SECRET = "canary-2f6c1d"


@pytest.fixture
def ask_all(teacher, tmp_path):
    """A function that sends requests at once through one client: (answers or errors, usage)."""

    def run(*requests, identity="", **settings):
        settings = {"concurrency": 4, "timeout": 5, "retries": 1, **settings}

        async def gather():
            cache = RequestCache(tmp_path / "cache")
            client = TeacherClient(teacher.base_url, "m", settings, cache, identity=identity)
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
    stored = {path.suffix: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert json.loads(stored[".json"])["answer"]["text"] == "So."
    assert SECRET not in "".join((*stored.values(), str(caught.value), caplog.text, *capfd.readouterr()))


def test_a_key_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(UserError, match=r"environment variable that `teacher.api_key_env`.*Export it"):
        api_key("TEACHER_KEY")
    assert api_key(None) == "no-key"


def test_a_key_is_looked_for_when_something_has_to_be_asked(teacher, ask, monkeypatch):
    teacher.says("So.")
    ask()
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    assert ask(api_key_env="TEACHER_KEY")[0]["text"] == "So."
    with pytest.raises(UserError, match="Export it"):
        ask(seed=2, api_key_env="TEACHER_KEY")
    assert len(teacher.requests) == 1


def test_another_model_of_the_same_name_is_asked_anew(teacher, ask):
    teacher.says("First.").says("Second.")
    assert [ask(identity=name)[0]["text"] for name in ("a", "b", "a")] == ["First.", "Second.", "First."]
    assert all(request == teacher.requests[0] for request in teacher.requests)  # it is no part of what is sent


def test_the_same_request_twice_at_once_is_sent_once(teacher, ask_all):
    teacher.says("So.", seconds=0.2)
    answers, usage = ask_all(*[(MESSAGES, SAMPLING, 1)] * 5)
    assert [answer["text"] for answer in answers] == ["So."] * 5
    assert (len(teacher.requests), usage.requests, usage.cached) == (1, 1, 4)


def test_a_reply_that_drips_is_bounded_as_a_whole(teacher, ask):
    """Each single read is in time; without a bound on the whole this would take a minute."""
    teacher.drips = 0.05
    teacher.says("So.")
    begun = time.monotonic()
    with pytest.raises(TeacherError, match="no answer within the time-out"):
        ask(timeout=0.4, retries=1)
    assert time.monotonic() - begun < 4
    assert len(teacher.requests) == 2  # a late reply is tried again


def test_requests_a_minute(teacher, ask_all):
    teacher.says("So.")
    begun = time.monotonic()
    ask_all(*((MESSAGES, SAMPLING, seed) for seed in range(8)), rate={"requests_per_minute": 300})
    assert 0.55 < time.monotonic() - begun < 3  # a second's five at once, then one each fifth of a second
    assert len(teacher.requests) == 8


def test_retries_keep_the_pace_too(teacher, ask):
    teacher.sends({}, status=429, Retry_After_Ms="1").sends({}, status=429, Retry_After_Ms="1").says("So.")
    begun = time.monotonic()
    ask(retries=2, rate={"requests_per_minute": 120})
    assert len(teacher.requests) == 3
    assert time.monotonic() - begun > 0.4


def test_tokens_a_minute(teacher, ask_all):
    """What a request may use at most is reserved; what it left, here nearly all of it, is given to the next one."""
    teacher.says("So.")
    sampling = {**SAMPLING, "max_tokens": 1000}
    begun = time.monotonic()
    ask_all((MESSAGES, sampling, 1), rate={"tokens_per_minute": 60_000})
    assert time.monotonic() - begun < 1
    begun = time.monotonic()
    ask_all(*((MESSAGES, sampling, seed) for seed in range(2, 4)), rate={"tokens_per_minute": 60_000})
    assert 0.9 < time.monotonic() - begun < 3
    begun = time.monotonic()
    requests = [(MESSAGES, sampling, seed) for seed in range(4, 9)]
    ask_all(*requests, rate={"tokens_per_minute": 60_000}, concurrency=1)
    assert time.monotonic() - begun < 1.5  # five reservations in a row would take four seconds


PRICE = {"input": 1000.0, "output": 10000.0, "currency": "EUR"}  # an answer of 7 + 3 tokens: 0.037


def test_what_it_costs(teacher, ask):
    teacher.says("So.")
    _, usage = ask(price=PRICE)
    assert usage.money == pytest.approx(0.037)
    assert usage.line("EUR").endswith(", 0.0370 EUR")
    assert ask(price=PRICE)[1].money == 0


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"max_tokens": 25}, "30 tokens of `teacher.budget.max_tokens` 25"),
        ({"max_money": 0.08}, "0.1110 EUR of `teacher.budget.max_money` 0.08"),
    ],
)
def test_a_budget_that_is_spent(teacher, ask_all, tmp_path, budget, words):
    teacher.says("So.")
    requests = [(MESSAGES, SAMPLING, seed) for seed in range(6)]
    answers, _ = ask_all(*requests, concurrency=1, price=PRICE, budget=budget)
    assert [type(answer) for answer in answers] == [dict] * 3 + [BudgetSpent] * 3
    assert words in str(answers[-1])
    assert "Raise the budget and run again" in str(answers[-1])
    assert "\n" not in str(answers[-1])
    assert len(teacher.requests) == 3
    # Another job of the same cache knows it; answers from disk are still given.
    answers, usage = ask_all(*requests, concurrency=1, price=PRICE, budget=budget)
    assert [type(answer) for answer in answers] == [dict] * 3 + [BudgetSpent] * 3
    assert (len(teacher.requests), usage.requests, usage.cached) == (3, 0, 3)
    answers, _ = ask_all(*requests, price=PRICE, budget={"max_tokens": 1000, "max_money": 1})
    assert [answer["text"] for answer in answers] == ["So."] * 6
    assert len(teacher.requests) == 6


def test_what_is_under_way_when_the_budget_ends_comes_in_first(teacher, tmp_path):
    teacher.says("So.").says("Late.", seconds=0.6)
    settings = {"concurrency": 3, "timeout": 5, "retries": 0, "budget": {"max_tokens": 10}}
    cache = RequestCache(tmp_path)

    async def gather():  # no return_exceptions: the first error ends it, as in a stage
        client = TeacherClient(teacher.base_url, "m", settings, cache)

        async def one(seed):
            await asyncio.sleep(seed / 20)
            await client.ask(MESSAGES, SAMPLING, seed)

        await asyncio.gather(*(one(seed) for seed in (0, 0.1, 0.2, 8)))

    with pytest.raises(BudgetSpent):
        asyncio.run(gather())
    assert len(teacher.requests) == 3
    assert sum(1 for _ in cache.rows()) == 3  # all that was paid for


def test_a_budget_ends_waiting_requests_too(teacher, ask_all):
    """Those which wait for their turn are not under way."""
    teacher.says("So.")
    requests = [(MESSAGES, SAMPLING, seed) for seed in range(4)]
    answers, _ = ask_all(*requests, rate={"requests_per_minute": 120}, budget={"max_tokens": 10})
    assert 1 <= len(teacher.requests) == sum(isinstance(answer, dict) for answer in answers) < 4
    assert {type(answer) for answer in answers} == {dict, BudgetSpent}


def test_an_answer_that_cannot_be_used_is_paid_for(teacher, ask, tmp_path):
    teacher.sends({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}).says("So.")
    _, usage = ask(price=PRICE)
    assert usage.money == pytest.approx(2 * 0.037)
    assert Ledger(tmp_path / "cache" / "ledger").spent()[0] == 20


def test_a_server_that_does_not_count_is_counted(teacher, ask, tmp_path):
    teacher.sends(
        {"choices": [{"finish_reason": "stop", "message": {"content": "So" * 20}}], "usage": {"prompt_tokens": "x"}}
    )
    ask([{"role": "user", "content": "Why?" * 5}])
    assert Ledger(tmp_path / "cache" / "ledger").spent()[0] == 5 + 10


def test_a_budget_without_a_price_is_a_mistake(ask):
    with pytest.raises(UserError, match=r"teacher.price"):
        ask(budget={"max_money": 5})


def test_ledgers_of_several_processes_add_up(tmp_path):
    mine, other, late = (Ledger(tmp_path, every_seconds=0) for _ in range(3))
    mine.add(1, 2, 0.5)
    other.add(10, 20, 0.25)
    (half,) = [path for path in tmp_path.iterdir() if path.name == other._own.name]
    with open(half, "ab") as file:
        file.write(b'{"prompt_tokens": 1')  # killed while it wrote
    assert [ledger.spent() for ledger in (mine, other, late)] == [(33, 0.75)] * 3
    mine.add(1, 0, 0.0)
    assert [ledger.spent()[0] for ledger in (mine, other, late)] == [34] * 3


def test_closing_keeps_what_is_under_way(teacher, tmp_path):
    teacher.says("So.", seconds=0.3)
    settings = {"concurrency": 1, "timeout": 5, "retries": 3}
    cache = RequestCache(tmp_path)

    async def leave():
        client = TeacherClient(teacher.base_url, "m", settings, cache)
        asked = [asyncio.create_task(client.ask(MESSAGES, SAMPLING, seed)) for seed in range(2)]
        await asyncio.sleep(0.1)
        for task in asked:
            task.cancel()  # as a failed stage does
        await client.close()

    asyncio.run(leave())
    assert len(teacher.requests) == sum(1 for _ in cache.rows()) == 1


def test_a_proxy_does_not_stand_before_this_machine(teacher, ask, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    teacher.says("So.")
    assert ask(retries=0)[0]["text"] == "So."
