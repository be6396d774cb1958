"""Near-duplicate conversations: the better-judged one is kept."""

import random

import pytest

from workflow_scripts.common.rows import content_id
from workflow_scripts.conversations.near_duplicates import near_duplicates
from workflow_scripts.seeds import duplicates


def text(seed, words=60):
    """Words of random letters: two of these texts have almost no 5-gram in common."""
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(words))


POST = text("post", 300)


def talk(*texts, mean=None, **facts):
    conversation = [{"input": a, "output": b} for a, b in zip(texts[::2], texts[1::2], strict=True)]
    judgement = {} if mean is None else {"judgement": {"mean": mean}}
    return {
        "id": content_id(conversation),
        "source": "Dove",
        "conversation": conversation,
        "provenance": judgement | facts,
    }


def removed(*rows, threshold=0.8):
    return sorted((row, kept) for row, kept, _ in near_duplicates(list(rows), threshold))


@pytest.mark.parametrize(("means", "expected"), [((4.0, 2.0), [(1, 0)]), ((2.0, 4.0), [(0, 1)])])
def test_the_better_judged_one_is_kept(means, expected):
    answer = text(1)
    pair = (talk("Why so?", answer, mean=means[0]), talk("Why so, then?", answer, mean=means[1]))
    assert removed(*pair, talk("Why so?", text(2), mean=5.0)) == expected


def test_without_a_judgement_of_all_the_measures_decide():
    answer = text(1)
    repeats = talk("Why so?", f"{answer} {answer}", mean=5.0)
    assert removed(repeats, talk("Why so?", f"{answer} {answer[:200]}")) == [(0, 1)]


def test_reviewed_conversations_come_first():
    answer = text(1)
    assert removed(talk("Why so?", answer, mean=5.0), talk("Why, so?", answer, mean=1.0, verification={})) == [(0, 1)]


def test_two_requests_about_one_long_text_stay():
    assert removed(talk(f"{POST} Sum it up.", text(1, 8)), talk(f"{POST} Argue against it.", text(2, 8))) == []


def test_a_chain_loses_only_what_is_near_one_that_is_kept():
    """The ends are near the middle, which is best, but not near each other."""
    parts = [text(seed, 10) for seed in range(12)]
    chain = [talk("Why?", " ".join(parts[start : start + 10]), mean=mean) for start, mean in enumerate((3.0, 5.0, 4.0))]
    assert removed(*chain) == [(0, 1), (2, 1)]
    chain = [talk("Why?", " ".join(parts[start : start + 10]), mean=mean) for start, mean in enumerate((4.0, 3.0, 3.5))]
    assert removed(*chain) == [(1, 0)]


def test_the_order_of_the_rows_does_not_matter():
    rows = [talk("Why?", f"{text(number // 3)} {number}", mean=float(number % 3)) for number in range(30)]
    first = {(rows[row]["id"], rows[kept]["id"]) for row, kept, _ in near_duplicates(rows, 0.8)}
    assert len(first) == 20
    random.Random(0).shuffle(rows)
    assert {(rows[row]["id"], rows[kept]["id"]) for row, kept, _ in near_duplicates(rows, 0.8)} == first


def test_the_size_of_batches_changes_nothing(monkeypatch):
    rows = [talk("Why?", f"{text(number // 2)} {number}") for number in range(20)]
    expected = removed(*rows)
    assert len(expected) == 10
    monkeypatch.setattr(duplicates, "BATCH_CHARS", 1000)
    assert removed(*rows) == expected


def test_no_conversation_and_half_a_surrogate_pair():
    assert removed() == []
    assert removed(talk("\ud800 Why so?", text(1), mean=1.0), talk("\ud800 Why so!", text(1), mean=2.0)) == [(0, 1)]
