"""An entry of `seeds.sources`, completed by its registered one."""

import copy

import pytest

from workflow_scripts.config.sources import (
    ADAPT,
    FETCH,
    PLACES,
    cleaning,
    registry,
    resolve,
    subset,
)
from workflow_scripts.seeds.posts import task_families

REGISTERED = {
    "stones": {"label": "Stones", "hub": {"dataset": "a/stones", "revision": None}, "license": "MIT", "rows": 9},
    "essays": {"label": "Essays", "url": "https://example.org/e.json", "layout": "post", "post_chars": 500},
}


def resolved(**source):
    before = copy.deepcopy(REGISTERED)
    entry = resolve(source, REGISTERED)
    assert before == REGISTERED
    return entry


def test_a_source_without_registered_entry_is_unchanged():
    source = {"id": "mine", "path": "x.json", "layout": "instruction"}
    assert resolved(**source) == source
    assert resolved(path="x.json")["id"] is None


def test_a_registered_source():
    assert resolved(registered="stones") == {**REGISTERED["stones"], "id": "stones", "registered": "stones"}


def test_any_key_can_be_overridden():
    entry = resolved(registered="stones", id="mine", rows=3, license="CC0-1.0")
    assert (entry["id"], entry["rows"], entry["license"], entry["label"]) == ("mine", 3, "CC0-1.0", "Stones")


@pytest.mark.parametrize("place", [{"path": "x.json"}, {"hub": {"dataset": "b/c"}}, {"url": "https://example.org/x"}])
def test_a_place_in_the_configuration_replaces_the_registered_one(place):
    for name in REGISTERED:
        entry = resolved(registered=name, **place)
        assert {key: entry[key] for key in PLACES if key in entry} == place


def test_a_revision_alone_replaces_the_commit():
    assert resolved(registered="stones", revision="main")["hub"] == {"dataset": "a/stones", "revision": "main"}
    assert resolved(registered="stones", revision="main", path="x.json")["path"] == "x.json"
    assert "hub" not in resolved(registered="essays", revision="main")


def test_a_post_has_its_tasks():
    assert resolved(registered="essays")["post_tasks"] == list(task_families())
    assert resolved(registered="essays", post_tasks=["argument"])["post_tasks"] == ["argument"]
    assert "post_tasks" not in resolved(registered="stones")


def test_a_post_has_a_minimum_length_and_score_for_every_place():
    for place in ({"path": "e.jsonl"}, {"url": "https://example.org/e.json"}, {"hub": {"dataset": "a/e"}}):
        entry = resolved(registered="essays", **place)
        assert (entry["post_min_chars"], entry["post_min_score"]) == (1000, 30)
    forum = {"url": "https://example.org/graphql", "after": "2010-01-01", "before": "2010-02-01"}
    assert resolved(registered="essays", graphql=forum)["graphql"]["min_score"] == 30
    assert resolved(registered="essays", graphql=forum, post_min_score=7)["graphql"]["min_score"] == 7
    assert resolved(registered="essays", graphql=forum, post_min_score=None)["graphql"]["min_score"] == 0
    assert resolved(registered="essays", graphql=forum | {"min_score": 50})["graphql"]["min_score"] == 50


def test_an_unknown_name():
    with pytest.raises(KeyError, match="zzz"):
        resolved(registered="zzz")


def test_each_rule_depends_only_on_its_keys():
    """A changed note or share reruns nothing."""
    entry = resolved(registered="stones", note="x", domain="Math", cleaning={"max_chars": 9})
    assert subset(entry, FETCH) == {"id": "stones", "hub": {"dataset": "a/stones", "revision": None}, "rows": 9}
    assert subset(entry, ADAPT) == {"id": "stones", "label": "Stones", "license": "MIT", "domain": "Math"}


def test_cleaning_of_a_source():
    settings = {"rules": ["empty"], "max_chars": 99}
    assert cleaning({}, settings) == settings
    assert cleaning({"cleaning": {"max_chars": 9}}, settings) == {"rules": ["empty"], "max_chars": 9}
    assert settings["max_chars"] == 99


def test_the_registry():
    assert "airoboros" in registry()
