"""Benchmark rows as items, and what is looked for on their behalf."""

import pytest
import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.config.check import BENCHMARKS
from workflow_scripts.decontamination.items import queries, tiers, to_item

CATALOGUE = yaml.safe_load(BENCHMARKS.read_text(encoding="utf-8"))
LONG = "Why does granite erode so much more slowly than limestone does?"
ARC = {"id": "Mercury_1", "question": LONG, "choices": {"text": ["sun", "rain"], "label": ["A", "B"]}, "answerKey": "B"}


def read(benchmark, row):
    return to_item(row, 7, "test", {**CATALOGUE[benchmark], "id_of_benchmark": benchmark})


def item(question, answer="", choices=(), passage="", name="x"):
    return {
        "id": f"{question}|{answer}",
        "benchmark": name,
        "question": question,
        "choices": list(choices),
        "answer": answer,
        "passage": passage,
    }


def looked_for(*items):
    return [
        (query.tier, query.field, query.exact_only, query.removes)
        for one, tier in zip(items, tiers(list(items)), strict=True)
        for query in queries(one, tier)
    ]


@pytest.mark.parametrize(
    ("benchmark", "row", "question", "choices", "answer"),
    [
        ("mmlu", {"question": "q", "choices": ["a", "b"], "answer": 1}, "q", ["a", "b"], "b"),
        ("arc_easy", ARC, LONG, ["sun", "rain"], "rain"),
        ("hellaswag", {"ctx": "q", "endings": ["a", "b"], "label": "0"}, "q", ["a", "b"], "a"),
        ("hellaswag", {"ctx": "q", "endings": ["a", "b"], "label": ""}, "q", ["a", "b"], ""),
        ("winogrande", {"sentence": "q", "option1": "a", "option2": "b", "answer": "2"}, "q", ["a", "b"], "b"),
        ("winogrande", {"sentence": "q", "option1": "a", "option2": "b", "answer": ""}, "q", ["a", "b"], ""),
        ("truthfulqa", {"question": "q", "correct_answers": ["a"], "best_answer": "a."}, "q", ["a"], "a."),
        ("boolq", {"question": "q", "passage": "p"}, "q", [], ""),
        ("agieval_sat_math", {"query": "Q: How\nmany? Answer Choices: (A)1 (B)2"}, "How\nmany?", [], ""),
        ("agieval_sat_math", {"query": "How many?"}, "How many?", [], ""),
    ],
)
def test_published_layouts(benchmark, row, question, choices, answer):
    found = read(benchmark, row)
    assert (found["question"], found["choices"], found["answer"]) == (question, choices, answer)
    assert (found["benchmark"], found["passage"]) == (benchmark, row.get("passage", ""))


def test_ids():
    assert read("arc_easy", ARC)["id"] == "Mercury_1"
    assert read("mmlu", {"question": "q", "choices": ["a"], "answer": 0})["id"] == "test/7"


def test_a_missing_column_names_the_benchmark_and_its_columns():
    with pytest.raises(
        UserError, match=r"benchmark arc_easy: no column choices.text; there are id, question\. Correct"
    ):
        read("arc_easy", {"id": "1", "question": "q"})


def test_a_missing_id_column_is_a_users_mistake_too():
    with pytest.raises(UserError, match="no column id"):
        read("arc_easy", {key: value for key, value in ARC.items() if key != "id"})


@pytest.mark.parametrize(("benchmark", "label"), [("piqa", -1), ("winogrande", 0)])
def test_a_hidden_label_is_no_answer(benchmark, label):
    choices = dict.fromkeys(("sol1", "sol2", "option1", "option2"), "a")
    found = read(benchmark, {"goal": "q", "sentence": "q", **choices, "label": label, "answer": label})
    assert found["answer"] == ""


def test_every_entry_of_the_catalogue_is_one_that_a_user_could_write(config):
    from workflow_scripts.config.check import mistakes

    config["decontamination"]["custom"] = CATALOGUE
    config["decontamination"]["benchmarks"] = list(CATALOGUE)
    assert mistakes(config, ["config.yaml"]) == []


def test_tier_a_is_a_long_question_that_one_item_has():
    assert looked_for(item(LONG, "rain")) == [("A", "question", False, True)]


def test_a_shared_question_counts_only_with_its_answer_or_choices():
    one, other = item(LONG, "rain", ["sun", "rain"]), item(LONG, "wind", ["sun", "wind"])
    both = [("B", "question+answer", False, True), ("B", "question+choices", False, True)]
    assert looked_for(one, other) == both * 2
    assert looked_for(one, {**one, "benchmark": "y"}) == [("A", "question", False, True)] * 2  # the same item twice


def test_a_short_question_counts_with_a_long_answer_or_choices():
    assert looked_for(item("Why granite?", "x" * 40)) == [("B", "question+answer", False, True)]
    assert looked_for(item("Why granite?", "rain", ["x" * 40])) == [("B", "question+choices", False, True)]


def test_tier_c_is_exact_and_removes_nothing():
    assert looked_for(item("Why granite?", "rain")) == [("C", "question", True, False)]


def test_long_answers_and_passages_are_looked_for_too():
    found = looked_for(item(LONG, "y" * 50, passage="z" * 50))
    assert found[1:] == [("A", "answer", False, True), ("A", "passage", False, False)]
    assert looked_for(item(LONG, "y" * 49, passage="z" * 49)) == found[:1]


def test_an_empty_question_is_looked_for_nowhere():
    assert looked_for(item("?!")) == []
