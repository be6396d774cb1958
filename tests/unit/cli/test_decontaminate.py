"""`capybara decontaminate`: files in, hits and clean files out, one line for each error."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.runs import interruptible
from workflow_scripts.cli.decontaminate import main
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.decontamination import corpus, index

ROOT = str(Path(__file__).parents[3])
ENVIRONMENT = dict(os.environ)
QUESTION = "Why does granite erode so much more slowly than limestone does in a wet climate?"
CODE = "def area(width, height):\n    # in square metres\n    return width * height if width > 0 else 0"


SEARCH = ["data.jsonl", "--columns", "text", "--benchmark-file", "mine.yaml"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a benchmark of two items and its entry."""
    write_jsonl(tmp_path / "items.jsonl", [{"id": "q1", "question": QUESTION}, {"id": "q2", "question": CODE}])
    (tmp_path / "mine.yaml").write_text("mine: {path: items.jsonl, id: id, question: question}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    main([*words, "--benchmark-file", "mine.yaml", "--output", "out"])
    return list(read_jsonl("out/hits.jsonl"))


def rows(count):
    """Rows of which every third contains a question, at another position each time."""
    return [
        {"id": f"r{n:03d}", "text": f"{'Well. ' * n}{QUESTION if n % 3 == 0 else 'Nothing.'} Explain it. 北京"}
        for n in range(count)
    ]


def test_jsonl_in_and_out(folder):
    write_jsonl(folder / "data.jsonl", rows(9))
    hits = run("data.jsonl", "--columns", "text")
    assert [(hit["id"], hit["row"], hit["file"], hit["item"]) for hit in hits] == [
        (f"r00{n}", n + 1, "data.jsonl", "q1") for n in (0, 3, 6)
    ]
    kept = [line for n, line in enumerate((folder / "data.jsonl").read_bytes().splitlines()) if n % 3]
    assert (folder / "out/clean/data.jsonl").read_bytes().splitlines() == kept  # byte for byte
    assert [row["row"] for row in read_jsonl("out/rejected.jsonl")] == [1, 4, 7]
    stats = read_json("out/stats.json")
    assert (stats["in"], stats["out"], stats["rejected"]) == (9, 6, {"contaminated": 3})
    assert stats["suites"]["mine"]["levels"]["97"] == {"items": 1, "conversations": 3}


def test_parquet_in_and_out(folder):
    table = pa.Table.from_pylist([{**row, "number": n} for n, row in enumerate(rows(9))])
    pq.write_table(table, "data.parquet", row_group_size=2)
    hits = run("data.parquet", "--columns", "text")
    assert [hit["row"] for hit in hits] == [1, 4, 7]
    clean = pq.read_table("out/clean/data.parquet")
    assert clean.schema.equals(table.schema)
    assert clean["number"].to_pylist() == [1, 2, 4, 5, 7, 8]


def test_several_files_and_rows_without_id(folder):
    for name in ("a.jsonl", "b.jsonl"):
        write_jsonl(folder / name, [{"text": row["text"]} for row in rows(4)])
    assert [hit["id"] for hit in run("a.jsonl", "b.jsonl", "--columns", "text")] == [
        "a.jsonl:1",
        "a.jsonl:4",
        "b.jsonl:1",
        "b.jsonl:4",
    ]


def files(folder, name):
    """The contents of a file in one or several shards, concatenated in order."""
    found = sorted((folder / "out").glob(name), key=lambda path: int(path.name.split(".")[1].split("-")[0]))
    return b"".join(path.read_bytes() for path in found)


def test_eight_shards_give_the_files_of_one_run(folder, monkeypatch):
    monkeypatch.setattr(corpus, "BLOCK_BYTES", 700)
    write_jsonl(folder / "data.jsonl", rows(60))
    main(["--benchmark-file", "mine.yaml", "--index", "index"])
    main(["data.jsonl", "--columns", "text", "--index", "index", "--output", "out"])
    for number in range(1, 9):
        main(["data.jsonl", "--columns", "text", "--index", "index", "--output", "out", "--shard", f"{number}/8"])
    for whole, parts in (
        ("hits.jsonl", "hits.*-of-8.jsonl"),
        ("rejected.jsonl", "rejected.*-of-8.jsonl"),
        ("clean/data.jsonl", "clean/data.*-of-8.jsonl"),
    ):
        assert files(folder, parts) == (folder / "out" / whole).read_bytes()
    counted = [read_json(path) for path in (folder / "out").glob("stats.*-of-8.json")]
    assert sum(one["in"] for one in counted) == 60 and sum(one["out"] for one in counted) == 40


def test_the_number_of_processes_does_not_affect_results(folder, monkeypatch):
    monkeypatch.setattr(corpus, "BLOCK_BYTES", 700)
    write_jsonl(folder / "data.jsonl", rows(60))
    assert run("data.jsonl", "--columns", "text") == run("data.jsonl", "--columns", "text", "--processes", "3")


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        (QUESTION.upper(), 0),
        (QUESTION.replace("granite", "basalt "), None),  # seven edits
        (QUESTION.replace("slowly", "slowli"), 1),
        (f"> *{QUESTION.replace(' ', '  ')}*".replace("erode", "**erode**").replace("slowly", "slowly\n\n"), 0),
        (f"`{CODE}`", 0),
        (CODE.replace("    ", "\t").replace("metres", "meters"), 2),
        (CODE.replace("height):", "hight):"), 1),
    ],
)
def test_planted_edits(folder, text, distance):
    write_jsonl(folder / "data.jsonl", [{"text": f"I ask you. {text} Please."}])
    assert [hit["distance"] for hit in run("data.jsonl", "--columns", "text")] == (
        [] if distance is None else [distance]
    )


def test_a_text_that_spans_two_turns(folder):
    half = QUESTION.index("than")
    messages = [
        {"role": "user", "content": f"So: {QUESTION[:half]}"},
        {"role": "assistant", "content": f"…{QUESTION[half:]} Hm."},
    ]
    write_jsonl(folder / "data.jsonl", [{"messages": messages}])
    (hit,) = run("data.jsonl")
    assert (hit["distance"], hit["turn"], hit["start"], hit["end_turn"], hit["role"]) == (0, 0, 4, 1, "user")
    assert hit["end"] == len(messages[1]["content"]) - len("? Hm.")


def test_allowed_hits_are_kept(folder):
    write_jsonl(folder / "data.jsonl", rows(4))
    (folder / "allow.yaml").write_text("- {benchmark: mine, item: q1, id: r000, reason: a common question}\n")
    assert [hit["counts"] for hit in run("data.jsonl", "--columns", "text", "--allow", "allow.yaml")] == [False, True]
    (folder / "allow.yaml").write_text("- {benchmark: mine}\n")
    with pytest.raises(
        UserError, match=r"allow.yaml has errors:\n  allow.yaml, line 1: \[0\].item: missing.\n.*\[0\].reason: missing"
    ):
        run("data.jsonl", "--columns", "text", "--allow", "allow.yaml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.jsonl", "--columns", "txt"], r"data.jsonl, line 1: no column txt; the columns are id, text"),
        (["data.jsonl"], r"no conversation in the columns id, text; .*Name the columns"),
        (["none.jsonl"], "none.jsonl: no such file"),
        (["data.jsonl", "data.jsonl"], "two files are named data.jsonl"),
        (["data.jsonl", "--processes", "0"], "--processes must be at least 1"),
        (["."], "is a folder. Name its files"),
        (["data.jsonl", "--levels", "80"], "must be from 90 to 100"),
        (["data.jsonl", "--benchmarks", "mmul"], "unknown benchmark mmul; did you mean `mmlu`"),
        (["data.jsonl", "--benchmark-file", "none.yaml"], "none.yaml: no such file"),
        (["broken.jsonl", "--columns", "text"], r"broken.jsonl, line 1: not valid JSON"),
        (["data.jsonl", "--judge", "judge.yaml"], "--judge and --remove-relations need --rephrased"),
        (["data.jsonl", "--rephrased", "--remove-relations", "rephrased"], "Set it with --judge"),
        (["data.jsonl", "--near-duplicates", "0.1"], "must be from 0.6 to 1"),
    ],
)  # fmt: skip
def test_errors(folder, words, message):
    write_jsonl(folder / "data.jsonl", rows(3))
    (folder / "broken.jsonl").write_text('{"text": \n')
    with pytest.raises(UserError, match=message):
        main(["--benchmark-file", "mine.yaml", "--output", "out", *words])


def test_an_index_is_rebuilt_if_the_items_change(folder):
    write_jsonl(folder / "data.jsonl", [{"text": CODE}])
    write_jsonl(folder / "items.jsonl", [{"id": "q1", "question": QUESTION}])
    assert run("data.jsonl", "--columns", "text") == []
    made = (folder / "out/index/texts.npz").stat().st_mtime_ns
    assert run("data.jsonl", "--columns", "text") == []
    assert (folder / "out/index/texts.npz").stat().st_mtime_ns == made  # the same items, the same index
    write_jsonl(folder / "items.jsonl", [{"id": "q1", "question": QUESTION}, {"id": "q2", "question": CODE}])
    assert [hit["item"] for hit in run("data.jsonl", "--columns", "text")] == ["q2"]
    with pytest.raises(UserError, match="is an index for levels of 97 % and above"):
        main(["data.jsonl", "--columns", "text", "--index", "out/index", "--output", "out", "--levels", "95"])
    assert len(run("data.jsonl", "--columns", "text", "--levels", "95")) == 1


def test_an_index_of_another_version_is_rejected(folder, monkeypatch):
    write_jsonl(folder / "data.jsonl", rows(3))
    run("data.jsonl", "--columns", "text")
    monkeypatch.setattr(index, "FORMAT_VERSION", index.FORMAT_VERSION + 1)
    with pytest.raises(UserError, match=r"texts.npz: an index of another version\. Delete it"):
        main(["data.jsonl", "--columns", "text", "--index", "out/index", "--output", "out"])


def test_the_statistics_name_dataset_and_revision(folder):
    write_jsonl(folder / "data.jsonl", rows(3))
    run("data.jsonl", "--columns", "text")
    entry = read_json("out/stats.json")["benchmarks"]["mine"]
    assert entry["dataset"] == "items.jsonl" and entry["revision"].startswith("sha256:")


def test_rows_with_the_same_id_are_counted_separately(folder):
    for name in ("a.jsonl", "b.jsonl"):
        write_jsonl(folder / name, [{"id": 0, "text": QUESTION}, {"id": 1, "text": QUESTION}])
    run("a.jsonl", "b.jsonl", "--columns", "text")
    stats = read_json("out/stats.json")
    assert stats["suites"]["mine"]["levels"]["97"]["conversations"] == stats["rejected"]["contaminated"] == 4


def test_items_with_the_same_id_are_counted_separately(folder):
    write_jsonl(folder / "items.jsonl", [{"id": "q", "question": QUESTION}, {"id": "q", "question": CODE}])
    write_jsonl(folder / "data.jsonl", [{"text": f"{QUESTION} {CODE}"}])
    assert [hit["item"] for hit in run("data.jsonl", "--columns", "text")] == ["q", "q#2"]


def test_a_null_is_not_a_text(folder):
    write_jsonl(folder / "items.jsonl", [{"id": "q", "question": None}, {"id": "r", "question": QUESTION}])
    write_jsonl(folder / "data.jsonl", [{"text": "I want none of it."}])
    assert run("data.jsonl", "--columns", "text") == []
    assert read_json("out/stats.json")["benchmarks"]["mine"]["empty"] == 1


def test_a_file_or_shard_without_rows_has_an_empty_copy(folder):
    write_jsonl(folder / "data.jsonl", rows(2))
    (folder / "empty.jsonl").write_text("")
    main(["--benchmark-file", "mine.yaml", "--index", "index"])
    for shard in ("1/12", "12/12"):
        words = ["data.jsonl", "empty.jsonl", "--columns", "text", "--index", "index", "--output", "out"]
        main([*words, "--shard", shard])
    assert (folder / "out/clean/empty.01-of-12.jsonl").read_bytes() == b""
    assert (folder / "out/clean/data.12-of-12.jsonl").read_bytes() == b""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_files_in_and_out(folder, kind):
    name = {"gzip": "data [1].jsonl.gz", "zstd": "data [1].jsonl.zst"}[kind]
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows(9))
    with pa.OSFile(name, "wb") as file, pa.CompressedOutputStream(file, kind) as stream:
        stream.write(content)
    assert [hit["row"] for hit in run(name, "--columns", "text")] == [1, 4, 7]
    with pa.OSFile(f"out/clean/{name}") as file, pa.CompressedInputStream(file, kind) as stream:
        assert stream.read() == b"".join(line for n, line in enumerate(content.splitlines(keepends=True)) if n % 3)
    shards = [*rows(0)]
    for number in (1, 2):
        main([name, "--columns", "text", "--index", "out/index", "--output", "out", "--shard", f"{number}/2"])
        shards += read_jsonl(f"out/hits.{number}-of-2.jsonl")
        assert (folder / f"out/clean/{name.replace('.jsonl', f'.{number}-of-2.jsonl')}").is_file()
    assert shards == list(read_jsonl("out/hits.jsonl"))


def test_lines_and_an_array_in_a_json_file(folder):
    write_jsonl(folder / "data.json", rows(3))
    assert [hit["row"] for hit in run("data.json", "--columns", "text")] == [1]
    (folder / "array.json").write_text(json.dumps(rows(9), indent=1))
    assert [hit["row"] for hit in run("array.json", "--columns", "text")] == [1, 4, 7]
    assert json.loads((folder / "out/clean/array.json").read_text()) == [row for n, row in enumerate(rows(9)) if n % 3]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_unreadable_rows_are_skipped_and_counted(folder, monkeypatch, processes):
    monkeypatch.setattr(corpus, "BLOCK_BYTES", 40)
    good, bad = json.dumps({"text": f"{QUESTION} 北京"}), ['{"text": ', '{"txt": "a"}', '{"text": 7}', "[1]", "\xff"]
    lines = [good, *bad, '{"text": "Well."}', good]
    (folder / "data.jsonl").write_bytes("\n".join(lines).encode("latin-1", "replace") + b"\n")
    hits = run("data.jsonl", "--columns", "text", "--processes", processes)
    assert [hit["row"] for hit in hits] == [1, 8]
    stats = read_json("out/stats.json")
    assert (stats["in"], stats["out"], stats["rejected"]) == (8, 1, {"contaminated": 2, "unreadable": 5})
    assert (folder / "out/clean/data.jsonl").read_text() == '{"text": "Well."}\n'
    problems = {
        row["row"]: row["evidence"][0] for row in read_jsonl("out/rejected.jsonl") if row["reason"] == "unreadable"
    }
    assert list(problems) == [2, 3, 4, 5, 6]
    assert problems[2].startswith("data.jsonl, line 2: not valid JSON") and "no column text" in problems[3]


def test_near_duplicate_rows(folder):
    write_jsonl(folder / "data.jsonl", [{"text": f"{CODE} {text}"} for text in ("a", "b")] + [{"text": "Other."}])
    (folder / "mine.yaml").write_text("mine: {path: items.jsonl, id: id, question: id}\n")
    run("data.jsonl", "--columns", "text", "--near-duplicates")
    [row] = read_jsonl("out/rejected.jsonl")
    assert row["reason"] == "near_duplicate" and {row["row"], row["evidence"][0]["kept_row"]} == {1, 2}
    assert len(list(read_jsonl("out/clean/data.jsonl"))) == 2
    run("data.jsonl", "--columns", "text")
    assert len(list(read_jsonl("out/clean/data.jsonl"))) == 3


REPHRASED = "In a wet climate, what makes limestone wear away so much faster than granite?"


def test_rephrased_items_are_listed_and_removed_by_a_judge(folder, teacher):
    messages = [{"role": "user", "content": REPHRASED}, {"role": "assistant", "content": "It dissolves."}]
    write_jsonl(folder / "data.jsonl", [{"messages": messages}, {"messages": [{"role": "user", "content": "Hm."}]}])
    (folder / "config.yaml").write_text((Path(ROOT) / "config.yaml").read_text())
    (folder / "resources").symlink_to(Path(ROOT) / "resources")
    assert run("data.jsonl", "--rephrased") == []
    [row] = read_jsonl("out/rephrased.jsonl")
    assert (row["file"], row["row"], row["item"], row["relation"], row["counts"]) == (
        "data.jsonl",
        1,
        "q1",
        None,
        False,
    )
    assert read_json("out/stats.json")["rephrased"]["unjudged"] == 1
    teacher.says('{"reason": "Both ask why granite lasts.", "relation": "rephrased"}')
    (folder / "judge.yaml").write_text(f"{{kind: endpoint, model: judge, base_url: '{teacher.base_url}'}}\n")
    run("data.jsonl", "--rephrased", "--judge", "judge.yaml", "--remove-relations", "rephrased")
    assert [row["reason"] for row in read_jsonl("out/rejected.jsonl")] == ["rephrased_item"]
    assert len(list(read_jsonl("out/clean/data.jsonl"))) == 1
    (folder / "judge.yaml").write_text("{kind: endpoint, modle: judge}\n")
    with pytest.raises(UserError, match=r"--judge has errors:\n  judge.teacher: .*modle"):
        run("data.jsonl", "--rephrased", "--judge", "judge.yaml")


@pytest.mark.parametrize("processes", ["1", "3"])
def test_ctrl_c_ends_the_search_without_a_traceback(folder, processes):
    """The interrupt goes to all processes, as from a terminal."""
    with open("data.jsonl", "w", encoding="utf-8") as file:
        for n in range(6000):
            file.write(json.dumps({"text": f"Line {n} of much text. " * 800}) + "\n")
    words = [*SEARCH, "--output", "out", "--processes", processes]
    command = [sys.executable, "-m", "workflow_scripts.cli.main", "decontaminate", *words]
    started = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**ENVIRONMENT, "PYTHONPATH": ROOT},
        preexec_fn=interruptible,
    )
    while not (folder / "out/index/made_of.json").is_file():
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(started.pid, signal.SIGINT)
    printed = started.communicate(timeout=60)[1]
    assert started.returncode == 130 and "Traceback" not in printed and "KeyboardInterrupt" not in printed
    assert not (folder / "out/hits.jsonl").exists() and not list((folder / "out").rglob(".*"))


def test_rows_without_a_conversation_are_kept(folder):
    talk = {"conversations": [{"from": "human", "value": QUESTION}]}
    (folder / "data.jsonl").write_text(f'{{"conversations": null}}\nnull\n\n{json.dumps(talk)}\n')
    assert [hit["row"] for hit in run("data.jsonl")] == [4]
    assert (folder / "out/clean/data.jsonl").read_text() == '{"conversations": null}\nnull\n\n'


def test_cells_of_a_csv_benchmark_are_texts(folder):
    """None, NA, 0.50 and 007 are choices, not nulls and numbers."""
    (folder / "items.csv").write_text(
        "id,question,A,B,answer\n1,Which of these names a colour?,None of these at all,NA,0\n2,How long is it?,0.50,007,1\n"
    )
    (folder / "mine.yaml").write_text(
        "mine: {path: items.csv, id: id, question: question, choices: [A, B], answer: answer, answer_is: index}\n"
    )
    texts = ["Which of these names a colour? A. None of these at all B. NA", "How long is it? A. 0.50 B. 007"]
    write_jsonl(folder / "data.jsonl", [{"text": f"{text} Well."} for text in texts])
    assert [(hit["item"], hit["distance"]) for hit in run("data.jsonl", "--columns", "text")] == [("1", 0), ("2", 0)]
    renderings = {row["text"] for row in read_jsonl("out/index/queries.jsonl") if row["item"] == "2"}
    assert renderings == {"How long is it?\nA. 0.50\nB. 007"}
    items = read_json("out/stats.json")["benchmarks"]["mine"]
    assert (items["items"], items["answers"]) == (2, {"long": 0, "short": 2})


def test_format_characters_do_not_hide_a_hit(folder):
    hidden = QUESTION.replace("granite", "gra\xadni\u200bte").replace("slowly", "s\u2060lowly\u202e")
    write_jsonl(folder / "data.jsonl", [{"text": f"Well. {hidden} So."}])
    [hit] = run("data.jsonl", "--columns", "text")
    assert (hit["distance"], hit["found_text"]) == (0, hidden.removesuffix("?"))


def test_a_benchmark_of_ones_own_needs_its_file(folder):
    write_jsonl(folder / "data.jsonl", rows(3))
    with pytest.raises(UserError, match=r"unknown benchmark mine; .* A benchmark of your own needs --benchmark-file"):
        main(["data.jsonl", "--benchmarks", "mine", "--output", "out"])
    (folder / "mine.yaml").write_text(
        "run: x\ndecontamination:\n  custom: {mine: {path: items.jsonl, question: question}}\n"
    )
    with pytest.raises(UserError) as caught:
        run("data.jsonl", "--columns", "text")
    assert str(caught.value) == (
        "mine.yaml: a whole configuration. Write the entries of its `decontamination.custom` to a file of their own."
    )


def test_an_input_file_is_never_overwritten(folder):
    (folder / "out/clean").mkdir(parents=True)
    write_jsonl(folder / "out/clean/data.jsonl", rows(2))
    with pytest.raises(UserError, match="is in the output folder"):
        run("out/clean/data.jsonl", "--columns", "text")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{path: items.jsonl, question: question, choice: x}", r"mine.choice: unknown key; did you mean `choices`"),
        ("{path: items.jsonl}", "mine.question: missing"),
        ("{question: question}", "give either `path` or `hub`"),
        ("{hub: x, question: question}", "mine.hub: 'x' is a string; expected a mapping"),
        ("{path: items.jsonl, question: question, answer: id}", "answer_is"),
        ("{path: items.jsonl, question: question, pattern: '('}", "`pattern` is not a regular expression"),
        ("{path: items.jsonl, question: question, choices: id}", "`choices`: expected a list of texts, not one text"),
    ],
)
def test_errors_of_an_entry(folder, entry, message):
    write_jsonl(folder / "data.jsonl", rows(3))
    (folder / "mine.yaml").write_text(f"mine: {entry}\n")
    with pytest.raises(UserError, match=message):
        run("data.jsonl", "--columns", "text")


def test_an_error_is_one_line(folder):
    (folder / "items.jsonl").write_text("")
    write_jsonl(folder / "data.jsonl", rows(3))
    words = ["data.jsonl", "--benchmark-file", "mine.yaml", "--output", "out"]
    command = [sys.executable, "-m", "workflow_scripts.cli.main", "decontaminate", *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "PYTHONPATH": ROOT})
    assert (done.returncode, done.stderr) == (1, "error: benchmark mine: items.jsonl: the file is empty.\n")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(folder):
    """Twelve times the text needs at most 15 % more memory."""
    peaks = []
    for copies in (400, 4800):
        with open("data.jsonl", "w", encoding="utf-8") as file:
            for n in range(copies):
                file.write(json.dumps({"id": n, "text": f"Line {n} of much text. " * 800}) + "\n")
        code = (
            "import resource, sys; from workflow_scripts.cli.decontaminate import main; main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        words = [*SEARCH, "--index", "index", "--output", "out"]
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, env={**ENVIRONMENT, "PYTHONPATH": ROOT})  # fmt: skip
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.15 * peaks[0], peaks
