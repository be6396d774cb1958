"""Benchmark rows as items, and the queries of items."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.decontamination import catalogue
from workflow_scripts.decontamination.items import read_benchmark, to_items
from workflow_scripts.decontamination.queries import queries, summary, tiers

CATALOGUE, SUITES = catalogue.known()
LONG = "Why does granite erode so much more slowly than limestone does?"
ARC = {"id": "Mercury_1", "question": LONG, "choices": {"text": ["sun", "rain"], "label": ["A", "B"]}, "answerKey": "B"}


def read(benchmark, row):
    (found,) = to_items(row, 7, "test", {**CATALOGUE[benchmark], "id_of_benchmark": benchmark})
    return found


def item(question, answer="", choices=(), passage="", context="", name="x"):
    return {
        "id": f"{question}|{answer}",
        "benchmark": name,
        "question": question,
        "choices": list(choices),
        "answer": answer,
        "context": context,
        "passage": passage,
    }


def queries_of(*items):
    found = queries(list(items), tiers(list(items)))
    return [(query.tier, query.field, query.exact_only, query.removes) for query in found]


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
        ("mt_bench", {"prompt_id": 1, "prompt": ["q"], "reference": []}, "q", [], ""),
        (
            "bigbench_snarks",
            {"inputs": "q", "multiple_choice_targets": ["(a)", "(b)"], "targets": ["(b)"]},
            "q",
            ["(a)", "(b)"],
            "(b)",
        ),
    ],
)
def test_published_layouts(benchmark, row, question, choices, answer):
    found = read(benchmark, row)
    assert (found["question"], found["choices"], found["answer"]) == (question, choices, answer)
    assert (found["benchmark"], found["passage"]) == (benchmark, row.get("passage", ""))


@pytest.mark.parametrize(
    ("benchmark", "query", "context", "question", "passage"),
    [
        (
            "agieval_sat_math",
            "Q: How\nmany? Answer Choices: (A)1 (B)2\nA: Among A through D, the answer is",
            "",
            "How\nmany?",
            "",
        ),
        ("agieval_sat_en", "A tale.\nQ: Who? Answer Choices: (A)1 (B)2\nA: Among", "", "Who?", "A tale."),
        ("agieval_lsat_ar", "Six sit.Q: Who? Answer Choices: (A)1 (B)2\nA: Among", "Six sit.", "Six sit. Who?", ""),
        ("agieval_gaokao_physics", "问题：关于电场 选项：(A)一 (B)二\n答案：从A到D", "", "关于电场", ""),
        ("agieval_logiqa_zh", "近几年来问题：以下 选项：(A)一 (B)二\n答案：", "近几年来", "近几年来 以下", ""),
        ("agieval_sat_math", "How many?", "", "How many?", ""),
    ],
)
def test_prompts_of_agieval(benchmark, query, context, question, passage):
    found = read(benchmark, {"query": query, "choices": ["(A)1", "(B)2"], "gold": [1]})
    assert (found["context"], found["question"], found["passage"]) == (context, question, passage)
    assert (found["choices"], found["answer"]) == (["1", "2"], "2")


def test_several_correct_choices_give_no_gold_answer():
    assert read("agieval_jec_qa_ca", {"query": "问题：一", "choices": ["(A)1", "(B)2"], "gold": [0, 1]})["answer"] == ""


def test_open_questions_of_agieval():
    found = read("agieval_math", {"query": "Q: Sum?\nA: The answer is", "answer": "4"})
    assert (found["question"], found["answer"]) == ("Sum?", "4")
    found = read("agieval_gaokao_mathcloze", {"query": "问题：求和\n答案：", "answer": "4"})
    assert (found["question"], found["answer"]) == ("求和", "4")


def test_each_turn_of_a_question_is_an_item():
    entry = {**CATALOGUE["mt_bench"], "id_of_benchmark": "mt_bench"}
    found = list(to_items({"prompt_id": 81, "prompt": ["a", "b"], "reference": ["x"]}, 0, "train", entry))
    assert [(entry["id"], entry["question"], entry["answer"]) for entry in found] == [
        ("81/0", "a", "x"),
        ("81/1", "b", ""),
    ]


def test_suites_name_known_benchmarks():
    assert len(SUITES["agieval"]) == 21 and len(SUITES["gpt4all"]) == 7
    for members in SUITES.values():
        assert set(members) <= set(CATALOGUE)
    entries, members = catalogue.resolve(["gpt4all", "piqa"], {})
    assert list(entries) == SUITES["gpt4all"] and members["piqa"] == ["piqa"]


def test_an_unknown_benchmark_gets_a_suggestion():
    with pytest.raises(UserError, match=r"unknown benchmark gpt4al; did you mean `gpt4all`\?"):
        catalogue.resolve(["gpt4al"], {})


def test_a_benchmark_without_items(tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(UserError, match=r"benchmark mine: .*none.jsonl: the file is empty"):
        read_benchmark("mine", {"path": str(tmp_path / "none.jsonl"), "question": "q"})


def test_ids():
    assert read("arc_easy", ARC)["id"] == "Mercury_1"
    assert read("mmlu", {"question": "q", "choices": ["a"], "answer": 0})["id"] == "test/7"


def test_a_missing_column_names_the_benchmark_and_its_columns():
    with pytest.raises(
        UserError, match=r"benchmark arc_easy: no column choices.text; the columns are id, question\. Correct"
    ):
        read("arc_easy", {"id": "1", "question": "q"})


def test_a_missing_id_column_is_a_user_error():
    with pytest.raises(UserError, match="no column id"):
        read("arc_easy", {key: value for key, value in ARC.items() if key != "id"})


@pytest.mark.parametrize(("benchmark", "label"), [("piqa", -1), ("winogrande", 0)])
def test_a_hidden_label_gives_no_answer(benchmark, label):
    choices = dict.fromkeys(("sol1", "sol2", "option1", "option2"), "a")
    found = read(benchmark, {"goal": "q", "sentence": "q", **choices, "label": label, "answer": label})
    assert found["answer"] == ""


LABELLED = {
    "id_of_benchmark": "mine",
    "question": "q",
    "choices": "c",
    "answer": "a",
    "answer_is": "label",
    "labels": "l",
}


@pytest.mark.parametrize(
    ("labels", "answer", "choice"),
    [
        ("AB", "B", "rain"), ("AB", "b", "rain"), ("AB", "B.", "rain"), ("AB", "(b)", "rain"), ("AB", " B ", "rain"),
        (["1", "2"], 2, "rain"), (["1", "2"], "2", "rain"), ([1, 2], "2", "rain"), (["1", "2"], 2.0, "rain"),
        (["(A)", "(B)"], "B", "rain"), (["a", "A"], "A", "rain"), ("AB", "", ""), ("AB", None, ""),
    ],
)  # fmt: skip
def test_a_label_in_another_form_is_the_same_label(labels, answer, choice):
    row = {"q": LONG, "c": ["sun", "rain"], "l": list(labels), "a": answer}
    (found,) = to_items(row, 0, "items", LABELLED)
    assert found["answer"] == choice


@pytest.mark.parametrize(
    ("entry", "row", "message"),
    [
        ({}, {"a": "E", "l": ["A", "B"]}, "`answer`: 'E' is not one of the labels A, B"),
        ({}, {"a": "a", "l": ["A.", "(A)"]}, "`answer`: 'a' is not one of the labels"),  # two labels are meant
        ({"answer_is": "index"}, {"a": 2}, "there is no choice 2, counted from 0; the row has 2"),
        ({"answer_is": "index"}, {"a": 0.5}, "0.5 is not the number of a choice"),
        ({"answer_is": "index1"}, {"a": "three"}, "could not convert"),
    ],
)
def test_an_answer_that_names_no_choice_is_an_error(tmp_path, entry, row, message):
    write_jsonl(tmp_path / "x.jsonl", [{"q": LONG, "c": ["sun", "rain"], **row}])
    with pytest.raises(UserError, match=r"benchmark mine, items, row 1 of .*x\.jsonl: ") as caught:
        read_benchmark("mine", {**LABELLED, **entry, "path": str(tmp_path / "x.jsonl")})
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.jsonl", "x.json"])
def test_choices_are_read_as_written(tmp_path, name):
    """A choice of "None", "NA", "0.50" or "007" is that text."""
    row = {"q": LONG, "A": "None", "B": "NA", "C": "0.50", "D": "007", "a": "2"}
    if ".csv" in name:
        text = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    else:
        text = json.dumps([row]) if name == "x.json" else json.dumps(row)
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    entry = {
        "path": str(tmp_path / name),
        "question": "q",
        "choices": list("ABCD"),
        "answer": "a",
        "answer_is": "index",
    }
    [found], _ = read_benchmark("mine", entry)
    assert (found["choices"], found["answer"]) == (["None", "NA", "0.50", "007"], "0.50")


def test_columns_that_are_not_needed_are_not_decoded(tmp_path):
    far = pa.array([10**15], pa.timestamp("ms"))  # beyond the year 9999
    pq.write_table(pa.table({"q": [LONG], "when": far}), tmp_path / "x.parquet")
    [found], _ = read_benchmark("mine", {"path": str(tmp_path / "x.parquet"), "question": "q"})
    assert found["question"] == LONG
    with pytest.raises(UserError, match=r"benchmark mine: no column ask; the columns are q, when\. Correct its entry"):
        read_benchmark("mine", {"path": str(tmp_path / "x.parquet"), "question": "ask"})


def test_every_entry_of_the_catalogue_passes_the_schema_of_custom_benchmarks(config):
    from workflow_scripts.config.check import mistakes

    config["decontamination"]["custom"] = CATALOGUE
    config["decontamination"]["benchmarks"] = list(CATALOGUE)
    assert mistakes(config) == []


def test_tier_a_is_a_long_question_of_one_item():
    assert queries_of(item(LONG, "rain")) == [("A", "question", False, True)]


BY_ANSWER = [("B", "question+answer", False, True)] * 2  # alone, and after "Answer:"
BY_CHOICES = [("B", "question+choices", False, True)] * 2  # alone, and labelled


def test_a_shared_question_counts_only_with_its_answer_or_choices():
    first, second = item(LONG, "rain", ["sun", "rain"]), item(LONG, "wind", ["sun", "wind"])
    assert queries_of(first, second) == (BY_ANSWER + BY_CHOICES) * 2
    assert queries_of(first, {**first, "benchmark": "y"}) == [("A", "question", False, True)] * 2  # the same item twice


def test_a_question_about_several_passages_is_shared():
    about = [item(LONG, "rain", passage="of stones"), item(LONG, "wind", passage="of dunes")]
    assert queries_of(*about) == BY_ANSWER * 2
    same = [item(LONG, "rain", ["a"], passage="of stones"), item(LONG, "rain", ["a"])]
    assert queries_of(*same) == [("A", "question", False, True)] * 2


def test_a_short_question_counts_with_a_long_answer_or_choices():
    assert queries_of(item("Why granite?", "x" * 40)) == BY_ANSWER
    assert queries_of(item("Why granite?", "rain", ["x" * 40])) == BY_CHOICES


def test_the_renderings_of_choices():
    found = queries([item("Why granite?", choices=["sun and wind and frost", "a rain of many years"])], ["B"])
    assert [query.normal for query in found] == [
        "why granite sun and wind and frost a rain of many years",
        "why granite a sun and wind and frost b a rain of many years",
    ]


def test_tier_c_is_exact_and_removes_nothing():
    assert queries_of(item("Why granite?", "rain")) == [("C", "question", True, False)]


def test_long_answers_contexts_and_passages_are_queries():
    found = queries_of(item(LONG, "y" * 50, passage="z" * 50, context="w" * 50))
    assert found[1:] == [("A", "answer", False, True), ("A", "context", False, True), ("A", "passage", False, False)]
    assert queries_of(item(LONG, "y" * 49, passage="z" * 49, context="w" * 49)) == found[:1]


def test_an_answer_that_several_questions_share_removes_nothing():
    other = LONG.replace("granite", "basalt")
    found = queries_of(item(LONG, "y" * 50), item(other, "y" * 50))
    assert [removes for _, field, _, removes in found if field == "answer"] == [False, False]


def test_an_empty_question_gives_no_query_and_is_counted():
    assert queries_of(item("?!")) == []
    items = [item("?!"), item("Why granite?", "rain"), item(LONG, "y" * 50)]
    found = summary(items, tiers(items), queries(items, tiers(items)))["x"]
    assert found == {"items": 3, "tiers": {"A": 1, "B": 0, "C": 2}, "empty": 1, "answers": {"long": 1, "short": 1}}
