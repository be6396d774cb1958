"""Stored answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.teacher.cache import RequestCache

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Größe?"}], "seed": 1, "temperature": 0.5}
ANSWER = {"text": "So.", "finish_reason": "stop"}


@pytest.fixture
def stored(tmp_path):
    cache = RequestCache(tmp_path)
    cache.put(REQUEST, ANSWER)
    return cache, next(tmp_path.rglob("*.json"))


def test_an_answer_is_found_by_another_job(stored, tmp_path):
    assert RequestCache(tmp_path).get(dict(reversed(REQUEST.items()))) == ANSWER
    assert [path.name.endswith(".json") for path in tmp_path.rglob("*") if path.is_file()] == [True]


@given(st.sampled_from(sorted(REQUEST)), st.integers() | st.text())
def test_any_other_value_is_another_request(tmp_path_factory, key, value):
    cache = RequestCache(tmp_path_factory.mktemp("cache"))
    cache.put(REQUEST, ANSWER)
    other = {**REQUEST, key: value}
    assert cache.get(other) == (ANSWER if other == REQUEST else None)
    assert cache.get({**REQUEST, "more": value}) is None


@pytest.mark.parametrize("content", [b"", b'{"request": ', b"\xff", b"{}", b'{"request": {}, "answer": 1}'])
def test_an_invalid_file_is_ignored_and_replaced(stored, content):
    cache, path = stored
    path.write_bytes(content)
    assert cache.get(REQUEST) is None
    cache.put(REQUEST, ANSWER)
    assert cache.get(REQUEST) == ANSWER


@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"'])
def test_a_file_without_an_object_is_ignored(stored, content):
    cache, path = stored
    path.write_bytes(content)
    assert cache.get(REQUEST) is None


def test_rows_are_all_finished_requests_sorted_by_hash(tmp_path):
    cache = RequestCache(tmp_path)
    for seed in range(20):
        cache.put({**REQUEST, "seed": seed}, {**ANSWER, "text": str(seed)})
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "host-1.jsonl").write_text("{}")
    keys, requests, answers = zip(*cache.rows(), strict=True)
    assert list(keys) == sorted(keys) == [path.stem for path in cache.files()]
    assert sorted(request["seed"] for request in requests) == list(range(20))
    assert all(answer["text"] == str(request["seed"]) for request, answer in zip(requests, answers, strict=True))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"request": {}, "answer": {}}', b'{"request": {}, "answer": 1}'])
def test_rows_report_invalid_files(stored, content):
    cache, path = stored
    path.write_bytes(content)
    assert list(cache.rows()) == [None]
