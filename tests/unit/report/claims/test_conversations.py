"""Measurements of the published conversations."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from workflow_scripts.dataset.split_dataset import publish
from workflow_scripts.report.claims.conversations import measure, published_places, read

PLACES = {"Airoboros": {"jondurbin/airoboros"}, "Less-Wrong": {"https://lesswrong.example/graphql"}}


def row(name, source, turns, **provenance):
    about = {
        "seed": None,
        "dataset": "x.jsonl",
        "license": "MIT",
        "kind": "instruction",
        "techniques": [],
        **provenance,
    }
    return {"id": name, "source": source, "conversation": turns, "provenance": about}


def seed(name, response, **meta):
    return {"id": name, "instruction": "Explain it.", "context": None, "response": response, "meta": meta}


def turns(*texts):
    return [{"input": question, "output": answer} for question, answer in zip(texts[::2], texts[1::2], strict=True)]


@pytest.fixture
def tokenizer():
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return words


def measured(tmp_path, tokenizer, rows, seeds):
    path = tmp_path / "train.parquet"
    publish(rows, tmp_path / "train.jsonl", path)
    return measure(read([path]), tokenizer, ["as an ai language model"], PLACES, seeds, 3)


def test_counts(tmp_path, tokenizer):
    rows = [
        row("a", "Airoboros", turns("one two", "three"), seed="s", dataset="jondurbin/airoboros"),
        row("b", "Airoboros", turns("one two", "three", "four", "As an AI\nlanguage model I"), seed="s", techniques=["orca", "amplify", "amplify"]),
    ]  # fmt: skip
    found = measured(tmp_path, tokenizer, rows, [])
    assert (found["conversations"], found["multi_turn"], found["synthesised"]) == (2, 1, 1)
    assert found["messages"] == 3 and found["tokens"] == (3 + 10) / 2
    assert found["labels"] == {"Airoboros": {"conversations": 2, "published": 1}}
    assert found["techniques"] == {"amplify": 1, "orca": 1}
    assert found["phrases"] == {"as an ai language model": 1}


def test_a_phrase_in_a_question_is_no_answer(tmp_path, tokenizer):
    rows = [row("a", "Dove", turns("Why say as an AI language model?", "It is a habit."))]
    assert measured(tmp_path, tokenizer, rows, [])["phrases"] == {"as an ai language model": 0}


def test_posts_and_summaries(tmp_path, tokenizer):
    made = {"kind": "post", "techniques": ["amplify"], "dataset": "https://lesswrong.example/graphql"}
    rows = [
        row("a", "Less-Wrong", turns("a", "b", "c", "d"), seed="s", **made),
        row("b", "Less-Wrong", turns("a", "b"), seed="t", **made),  # one exchange is not multi-turn
        row("c", "Less-Wrong", turns("a", "b", "c", "d"), seed="t", **{**made, "dataset": "resources/posts.jsonl"}),
    ]
    found = measured(tmp_path, tokenizer, rows, [seed("s", "", task="complex_summary"), seed("t", "", task="argument")])
    assert (found["from_posts"], found["summaries"]) == (1, 1)


def test_new_words(tmp_path, tokenizer):
    rows = [
        row("a", "Airoboros", turns("Explain it.", "old words occur here and four new ones"), seed="s"),
        row("b", "Mine", turns("included", "unchanged words")),
    ]
    found = measured(tmp_path, tokenizer, rows, [seed("s", "Here old words occur.")])
    # "Explain it." is the whole text of a seed, "old words occur" are three consecutive words.
    assert found["new"] == {"words": 13, "old": 5, "included": 3}
    assert measured(tmp_path, tokenizer, rows, None)["new"] is None


def test_published_places_are_from_the_registry():
    registry = {
        "one": {"label": "A", "hub": {"dataset": "org/a", "revision": None}},
        "two": {"label": "A", "url": "https://a.example/x.json"},
        "three": {"label": "B", "path": "mine.jsonl"},
    }
    assert published_places(registry) == {"A": {"org/a", "https://a.example/x.json"}, "B": set()}
