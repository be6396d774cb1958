"""Assignment: only items of the reviewer's fields, the configured number of reviewers, nothing twice."""

from collections import Counter

from workflow_scripts.verification.assignment import assign

PROFILES = {
    "anna": {"fields": ["physics"]},
    "ben": {"fields": ["physics", "chemistry"]},
    "cleo": {"fields": ["physics"]},
}


def queue(count, field="physics", kind="seed"):
    return [{"id": f"{field}-{kind}-{n}", "field": field, "kind": kind} for n in range(count)]


def assigned(new):
    return Counter(item["id"] for items in new.values() for item in items)


def none_held():
    return {name: set() for name in PROFILES}


def test_each_item_goes_to_the_configured_number_of_reviewers_in_equal_shares():
    new = assign(queue(60), set(), PROFILES, set(), none_held(), 2)
    assert set(assigned(new).values()) == {2}
    assert all(30 <= len(items) <= 50 for items in new.values())


def test_no_reviewer_gets_items_of_another_field():
    new = assign(queue(5, "chemistry"), set(), PROFILES, set(), none_held(), 2)
    assert {name: len(items) for name, items in new.items()} == {"anna": 0, "ben": 5, "cleo": 0}


def test_a_second_push_assigns_only_new_items():
    first = assign(queue(20), set(), PROFILES, set(), none_held(), 2)
    held = {name: {item["id"] for item in items} for name, items in first.items()}
    assert not assigned(assign(queue(20), set(), PROFILES, set(), held, 2))
    second = assigned(assign(queue(25), set(), PROFILES, set(), held, 2))
    assert set(second) == {f"physics-seed-{n}" for n in range(20, 25)} and set(second.values()) == {2}


def test_a_new_reviewer_takes_over_no_items():
    two = {name: PROFILES[name] for name in ("anna", "ben")}
    first = assign(queue(20), set(), two, set(), none_held(), 2)
    held = {name: {item["id"] for item in items} for name, items in first.items()} | {"cleo": set()}
    assert not assigned(assign(queue(20), set(), PROFILES, set(), held, 2))


def test_gold_items_go_to_all_and_disputed_items_to_adjudicators():
    items = [*queue(3), *queue(2, kind="gold")]
    new = assign(items, {"physics-seed-1"}, PROFILES, {"cleo"}, none_held(), 2)
    assert [item["id"] for item in new["cleo"]] == ["physics-seed-1"]
    assert {item["id"] for item in new["anna"]} == {item["id"] for item in items}
