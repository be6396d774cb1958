"""Answers exported from a run's cache and imported on another machine."""

import asyncio
import gzip
import json
import random

import pytest

from workflow_scripts.cli.cache import main
from workflow_scripts.common.errors import UserError
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient

SAMPLING = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 8}
SECRET = "canary-2f6c1d"


def request(seed):
    return {"model": "m", "messages": [{"role": "user", "content": "Größe?"}], "seed": seed, **SAMPLING, "teacher": "t"}


def answer(text):
    return {"text": text, "finish_reason": "stop", "prompt_tokens": 7, "completion_tokens": 3}


@pytest.fixture
def fill():
    """A function that creates a cache with answers, stored in random order."""

    def make(folder, seeds=range(30)):
        cache = RequestCache(folder)
        seeds = list(seeds)
        random.shuffle(seeds)
        for seed in seeds:
            cache.put(request(seed), answer(f"{seed} \ud83d 北京"))
        return cache

    return make


def command(direction, folder, file):
    main([direction, str(file), "--cache", str(folder)])


@pytest.mark.parametrize("name", ["answers.jsonl.zst", "answers.jsonl.gz", "answers.jsonl"])
def test_an_export_and_an_import_preserve_every_answer(tmp_path, fill, name):
    files = [tmp_path / number / name for number in "123"]
    for file in files[:2]:
        command("export", fill(file.parent / "cache").folder, file)
    command("import", tmp_path / "new", files[0])
    command("export", tmp_path / "new", files[2])
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()
    first, new = (list(RequestCache(folder).rows()) for folder in (tmp_path / "1" / "cache", tmp_path / "new"))
    assert len(new) == 30
    assert first == new
    assert sorted(path.name for path in files[2].parent.iterdir()) == [name]  # nothing unfinished is left


def test_a_run_from_an_imported_cache_needs_no_key_and_no_server(tmp_path, teacher, monkeypatch):
    messages = [{"role": "user", "content": "Why?"}]
    settings = {"concurrency": 2, "timeout": 5, "retries": 0, "api_key_env": "TEACHER_KEY"}
    teacher.says("So.").says("No.")

    def run(base_url, folder):
        async def ask():
            client = TeacherClient(base_url, "m", settings, RequestCache(folder), identity="endpoint m")
            answers = [await client.ask(messages, SAMPLING, seed) for seed in range(2)]
            await client.close()
            return answers

        return asyncio.run(ask())

    monkeypatch.setenv("TEACHER_KEY", SECRET)
    paid = run(teacher.base_url, tmp_path / "paid")
    command("export", tmp_path / "paid", tmp_path / "answers.jsonl.gz")
    monkeypatch.delenv("TEACHER_KEY")
    command("import", tmp_path / "free", tmp_path / "answers.jsonl.gz")
    assert run("http://127.0.0.1:9/v1", tmp_path / "free") == paid
    assert SECRET not in gzip.decompress((tmp_path / "answers.jsonl.gz").read_bytes()).decode()


def test_only_the_answer_itself_is_exported(tmp_path, fill):
    cache = fill(tmp_path / "cache", [])
    cache.put(request(1), {**answer("So."), "headers": {"authorization": SECRET}})
    command("export", cache.folder, tmp_path / "a.jsonl")
    assert json.loads((tmp_path / "a.jsonl").read_text())["answer"] == answer("So.")
    cache.put({**request(2), "extra_headers": {"authorization": SECRET}}, answer("So."))
    with pytest.raises(UserError, match="extra_headers, which may contain a key") as caught:
        command("export", cache.folder, tmp_path / "b.jsonl")
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "b.jsonl").exists()


def test_a_file_without_a_finished_request_is_skipped(tmp_path, fill, caplog):
    cache = fill(tmp_path / "cache", range(2))
    (legacy := cache.folder / "ab").mkdir()
    (legacy / f"ab{'0' * 14}.json").write_text("{")
    cache.put(request(9), {"text": "So."})
    command("export", cache.folder, tmp_path / "a.jsonl")
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2
    assert "2 rows without a finished request" in caplog.text


def test_stored_answers_are_kept(tmp_path, fill, caplog):
    command("export", fill(tmp_path / "cache", range(4)).folder, tmp_path / "a.jsonl")
    mine = fill(tmp_path / "mine", [])
    mine.put(request(1), answer("mine"))
    with caplog.at_level("INFO"):
        command("import", mine.folder, tmp_path / "a.jsonl")
    assert mine.get(request(1))["text"] == "mine"
    assert "3 new answers stored in" in caplog.text
    assert "; 1 already stored" in caplog.text


def changed(**changes):
    return lambda row: json.dumps(row | changes)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (changed(request=request(99)), "line 3: the request does not match its key"),
        (changed(key="0" * 16), "line 3: the request does not match its key"),
        (changed(answer={"text": 1}), "line 3: the answer does not have text, "),
        (
            changed(answer={"finish_reason": None, "prompt_tokens": 1, "completion_tokens": 1}),
            "line 3: the answer does not have text, ",
        ),
        (changed(answer=None), "line 3: the answer does not have text, "),
        (lambda row: "{", "line 3: not {key, request, answer}"),
        (lambda row: "[]", "line 3: not {key, request, answer}"),
        (lambda row: json.dumps({"key": row["key"]}), "line 3: not {key, request, answer}"),
    ],
)
def test_a_changed_file_is_rejected_completely(tmp_path, fill, spoil, words):
    file = tmp_path / "a.jsonl"
    command("export", fill(tmp_path / "cache", range(4)).folder, file)
    lines = file.read_text().splitlines()
    lines[2] = spoil(json.loads(lines[2]))
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError) as caught:
        command("import", tmp_path / "new", file)
    assert words in str(caught.value)
    assert not list(tmp_path.glob("new/**/*.gz"))


@pytest.mark.parametrize("missing", [1, 8, 20, 1000])
@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.jsonl.gz"])
def test_a_truncated_file_is_rejected(tmp_path, fill, name, missing):
    file = tmp_path / name
    command("export", fill(tmp_path / "cache", range(200)).folder, file)
    file.write_bytes(file.read_bytes()[:-missing])
    with pytest.raises(UserError, match=r"damaged after line|not \{key"):
        command("import", tmp_path / "new", file)
    assert not list(tmp_path.glob("new/**/*.gz"))


def test_errors(tmp_path, fill):
    cache = fill(tmp_path / "cache", range(1)).folder
    with pytest.raises(UserError, match="unknown file type"):
        command("export", cache, tmp_path / "answers.zip")
    with pytest.raises(UserError, match="no answers in"):
        command("export", tmp_path / "none", tmp_path / "a.jsonl")
    with pytest.raises(UserError, match="no such file"):
        command("import", cache, tmp_path / "none.jsonl")


def test_the_folder_is_that_of_the_run(tmp_path, fill):
    (tmp_path / "mine.yaml").write_text(f"run: mine\nresults: {tmp_path}\n")
    fill(tmp_path / "mine" / "teacher" / "cache", range(3))
    file, overlay = tmp_path / "a.jsonl", str(tmp_path / "mine.yaml")
    main(["export", str(file), "--configfile", overlay])
    assert len(file.read_text().splitlines()) == 3
    (tmp_path / "mine.yaml").write_text(f"run: other\nresults: {tmp_path}\n")
    main(["import", str(file), "--configfile", overlay])
    assert len(RequestCache(tmp_path / "other" / "teacher" / "cache").keys()) == 3
