"""Budgets: costs, limits over several jobs, and requests in flight when a limit is reached."""

import asyncio

import pytest

from tests.unit.teacher.conftest import MESSAGES, SAMPLING
from workflow_scripts.teacher.budget import BudgetSpent, Ledger
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient

PRICE = {"input": 1000.0, "output": 10000.0, "currency": "EUR"}  # an answer of 7 + 3 tokens: 0.037


def test_costs_are_counted_once(teacher, ask):
    teacher.says("So.")
    _, usage = ask(price=PRICE)
    assert usage.money == pytest.approx(0.037)
    assert usage.line("EUR").endswith(", 0.0370 EUR")
    assert ask(price=PRICE)[1].money == 0


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"max_tokens": 25}, "30 tokens of `teacher.budget.max_tokens` 25"),
        ({"max_money": 0.08}, "0.1110 EUR of `teacher.budget.max_money` 0.08"),
    ],
)
def test_a_spent_budget_stops_requests_of_all_jobs(teacher, ask_all, tmp_path, budget, message):
    teacher.says("So.")
    requests = [(MESSAGES, SAMPLING, seed) for seed in range(6)]
    answers, _ = ask_all(*requests, concurrency=1, price=PRICE, budget=budget)
    assert [type(answer) for answer in answers] == [dict] * 3 + [BudgetSpent] * 3
    assert message in str(answers[-1])
    assert "Raise the budget and run again" in str(answers[-1])
    assert "\n" not in str(answers[-1])
    assert len(teacher.requests) == 3
    # It also applies to another job with the same cache; stored answers are still returned.
    answers, usage = ask_all(*requests, concurrency=1, price=PRICE, budget=budget)
    assert [type(answer) for answer in answers] == [dict] * 3 + [BudgetSpent] * 3
    assert (len(teacher.requests), usage.requests, usage.cached) == (3, 0, 3)
    answers, _ = ask_all(*requests, price=PRICE, budget={"max_tokens": 1000, "max_money": 1})
    assert [answer["text"] for answer in answers] == ["So."] * 6
    assert len(teacher.requests) == 6


def test_requests_in_flight_are_answered_before_the_budget_error(teacher, tmp_path):
    teacher.says("So.").says("Late.", seconds=0.6)
    settings = {"concurrency": 3, "timeout": 5, "retries": 0, "budget": {"max_tokens": 10}}
    cache = RequestCache(tmp_path)

    async def gather():  # no return_exceptions: the first error ends it, as in a job
        client = TeacherClient(teacher.base_url, "m", settings, cache)

        async def ask_later(seed):
            await asyncio.sleep(seed / 20)
            await client.ask(MESSAGES, SAMPLING, seed)

        await asyncio.gather(*(ask_later(seed) for seed in (0, 0.1, 0.2, 8)))

    with pytest.raises(BudgetSpent):
        asyncio.run(gather())
    assert len(teacher.requests) == 3
    assert sum(1 for _ in cache.rows()) == 3  # all paid answers


def test_a_spent_budget_stops_waiting_requests(teacher, ask_all):
    """Requests that wait for the rate limit are not in flight."""
    teacher.says("So.")
    requests = [(MESSAGES, SAMPLING, seed) for seed in range(4)]
    answers, _ = ask_all(*requests, rate={"requests_per_minute": 120}, budget={"max_tokens": 10})
    assert 1 <= len(teacher.requests) == sum(isinstance(answer, dict) for answer in answers) < 4
    assert {type(answer) for answer in answers} == {dict, BudgetSpent}


def test_a_malformed_answer_is_charged(teacher, ask, tmp_path):
    teacher.sends({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}).says("So.")
    _, usage = ask(price=PRICE)
    assert usage.money == pytest.approx(2 * 0.037)
    assert Ledger(tmp_path / "cache" / "ledger").spent()[0] == 20


def test_missing_usage_is_estimated_from_characters(teacher, ask, tmp_path):
    teacher.sends(
        {"choices": [{"finish_reason": "stop", "message": {"content": "So" * 20}}], "usage": {"prompt_tokens": "x"}}
    )
    ask([{"role": "user", "content": "Why?" * 5}])
    assert Ledger(tmp_path / "cache" / "ledger").spent()[0] == 5 + 10


def test_a_free_judge_may_have_the_teachers_money_limit(teacher, ask):
    teacher.says("So.")
    assert ask(budget={"max_money": 5}, price={"input": 0, "output": 0, "currency": "USD"})


def test_ledgers_of_several_processes_are_summed(tmp_path):
    mine, other, late = (Ledger(tmp_path, poll_seconds=0) for _ in range(3))
    mine.add(1, 2, 0.5)
    other.add(10, 20, 0.25)
    (path,) = [file for file in tmp_path.iterdir() if file.name == other._own.name]
    with open(path, "ab") as file:
        file.write(b'{"prompt_tokens": 1')  # killed while writing
    assert [ledger.spent() for ledger in (mine, other, late)] == [(33, 0.75)] * 3
    mine.add(1, 0, 0.0)
    assert [ledger.spent()[0] for ledger in (mine, other, late)] == [34] * 3
