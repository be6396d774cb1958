"""Items: their field, and a stratified sample that only grows."""

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.verification.items import field_of, from_conversation, from_gold, from_seed, stratified_sample

FIELDS = {"physics": {"datasets": ["physics"]}, "mathematics": {"datasets": ["math"], "domains": ["Math"]}}


def test_a_field_matches_by_dataset_then_by_domain():
    rows = [("camel-ai/Physics", "Math"), ("a/b", "Math"), ("a/b", "History"), ("a/math", None)]
    assert [field_of({"dataset": name, "domain": domain}, FIELDS) for name, domain in rows] == [
        "physics", "mathematics", "other", "mathematics",
    ]  # fmt: skip


def test_an_item_has_the_id_of_its_seed_or_conversation(problem, grow):
    seed = problem(1, context="Given 2 m.")
    talk = grow(seed)
    assert from_seed(seed, FIELDS)["id"] == seed["id"]
    assert from_seed(seed, FIELDS)["conversation"] == [{"input": "Problem 1?\n\nGiven 2 m.", "output": "It is 4 m."}]
    item = from_conversation(talk, seed, FIELDS)
    assert (item["id"], item["topic"], item["field"], len(item["conversation"])) == (talk["id"], "Optics", "physics", 3)


def test_field_and_topic_of_a_rewritten_opening_are_its_own(problem, grow):
    seed = problem(1)
    item = from_conversation(grow(seed, opening="lamini_topic", domain="Math"), seed, FIELDS)
    assert (item["field"], item["topic"]) == ("mathematics", "Math")
    item = from_conversation(grow(seed, opening="lamini_topic", domain=None), seed, FIELDS)
    assert (item["field"], item["topic"]) == ("other", "")


def test_a_gold_item_looks_like_any_other():
    entry = {"instruction": "One and one?", "response": "Three.", "field": "mathematics", "verdict": "wrong"}
    item = from_gold(entry)
    assert len(item["id"]) == 16 and item["expected"] == "wrong" and item["conversation"][0]["output"] == "Three."


items = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from("abc")), min_size=1, max_size=60, unique_by=lambda pair: pair[0]
).map(lambda pairs: [{"id": str(number), "topic": topic} for number, topic in pairs])


@given(items, st.integers(0, 70), st.integers(0, 70), st.randoms())
def test_a_sample_grows_and_does_not_depend_on_order(rows, few, many, rng):
    few, many = sorted((few, many))
    shuffled = rng.sample(rows, len(rows))
    assert stratified_sample(rows, few, "topic") == stratified_sample(shuffled, many, "topic")[:few]
    assert len(stratified_sample(rows, None, "topic")) == len(rows)


def test_a_sample_is_proportional_to_the_group_sizes():
    rows = [
        {"id": f"{topic}{n}", "topic": topic} for topic, size in (("a", 60), ("b", 30), ("c", 10)) for n in range(size)
    ]
    drawn = [row["topic"] for row in stratified_sample(rows, 20, "topic")]
    assert [drawn.count(topic) for topic in "abc"] == [12, 6, 2]
