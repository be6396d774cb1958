"""Stored answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.rows import content_id
from workflow_scripts.teacher.cache import RequestCache

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Größe?"}], "seed": 1, "temperature": 0.5}
ANSWER = {"text": "So.", "finish_reason": "stop"}


@pytest.fixture
def earlier(tmp_path):
    """A function that writes the file in which earlier versions stored the answer to REQUEST."""

    def write(content=None):
        key = content_id(REQUEST)
        path = tmp_path / key[:2] / f"{key}.json"
        path.parent.mkdir()
        path.write_bytes(json.dumps({"request": REQUEST, "answer": ANSWER}).encode() if content is None else content)
        return path

    return write


def test_an_answer_is_found_by_another_job(tmp_path):
    RequestCache(tmp_path).put(REQUEST, ANSWER)
    assert RequestCache(tmp_path).get(dict(reversed(REQUEST.items()))) == ANSWER
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@given(st.sampled_from(sorted(REQUEST)), st.integers() | st.text())
def test_any_other_value_is_another_request(tmp_path_factory, key, value):
    cache = RequestCache(tmp_path_factory.mktemp("cache"))
    cache.put(REQUEST, ANSWER)
    other = {**REQUEST, key: value}
    assert cache.get(other) == (ANSWER if other == REQUEST else None)
    assert cache.get({**REQUEST, "more": value}) is None


def test_answers_of_earlier_versions_are_found(earlier, tmp_path):
    path = earlier()
    cache = RequestCache(tmp_path)
    assert cache.get(REQUEST) == ANSWER and cache.keys() == [path.stem]
    assert list(cache.rows()) == [(path.stem, REQUEST, ANSWER)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"request": ',
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        b'{"request": {}, "answer": 1}',
        b'{"request": {}, "answer": {}}',
    ],
)
def test_an_invalid_file_is_ignored_and_its_request_stored_again(earlier, tmp_path, content):
    earlier(content)
    cache = RequestCache(tmp_path)
    assert cache.get(REQUEST) is None and list(cache.rows()) == [None]
    cache.put(REQUEST, ANSWER)
    assert cache.get(REQUEST) == RequestCache(tmp_path).get(REQUEST) == ANSWER


def test_rows_are_all_finished_requests_sorted_by_hash(earlier, tmp_path):
    earlier()
    for job in range(2):
        cache = RequestCache(tmp_path)
        for seed in range(10 * job + 2, 10 * job + 12):
            cache.put({**REQUEST, "seed": seed}, {**ANSWER, "text": str(seed)})
        cache.close()
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "host-1.jsonl").write_text("{}")
    keys, requests, answers = zip(*RequestCache(tmp_path).rows(), strict=True)
    assert list(keys) == sorted(keys) == RequestCache(tmp_path).keys()
    assert sorted(request["seed"] for request in requests) == list(range(1, 22))
    texts = {request["seed"]: answer["text"] for request, answer in zip(requests, answers, strict=True)}
    assert texts == {1: "So.", **{seed: str(seed) for seed in range(2, 22)}}


def test_forgotten_answers_are_gone_and_all_others_stay(earlier, tmp_path):
    earlier()
    cache = RequestCache(tmp_path)
    requests = [{**REQUEST, "seed": seed} for seed in range(2, 12)]
    cache.put_all((request, ANSWER) for request in requests)
    cache.forget([content_id(REQUEST), content_id(requests[0])])
    for each in (cache, RequestCache(tmp_path)):
        assert [each.get(request) for request in (REQUEST, *requests)] == [None, None, *[ANSWER] * 9]
    cache.put(REQUEST, ANSWER)
    assert RequestCache(tmp_path).get(REQUEST) == ANSWER
