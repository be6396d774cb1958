"""The seeds of each shard, and the examples that are drawn for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import pool
from workflow_scripts.common.rows import read_jsonl, write_jsonl
from workflow_scripts.synthesis.shard_seeds import main
from workflow_scripts.synthesis.shards import examples_shown, shards

AMPLIFY = {"recipe": [{"path": ["amplify"], "weight": 1}], "techniques": {}}
LAMINI = {
    "recipe": [{"path": ["lamini_example", "amplify"], "weight": 1}],
    "techniques": {"lamini_example": {"examples": 2}, "lamini_topic": {"examples": 5}},
}


@pytest.fixture
def sharded(tmp_path):
    """A function that divides seeds into shards: the rows of each file."""

    def run(seeds, size=2, count=3, examples=0):
        write_jsonl(tmp_path / "data.jsonl", seeds)
        words = [
            "--seeds",
            tmp_path / "data.jsonl",
            "--shard-size",
            size,
            "--shard-count",
            count,
            "--examples",
            examples,
        ]
        main([*map(str, words), "--shards", str(tmp_path / "shards")])
        files = sorted((tmp_path / "shards").iterdir())
        assert [file.name for file in files] == [f"{number:04d}.jsonl" for number in range(count)]
        return [list(read_jsonl(file)) for file in files]

    return run


DRAWN = st.lists(
    st.tuples(st.text(), st.sampled_from(["instruction", "post", "conversation"])), unique_by=lambda pair: pair[0]
)


@given(DRAWN, st.integers(1, 9), st.randoms())
def test_shards_are_ranges_of_the_single_turn_seeds_sorted_by_id(tmp_path_factory, drawn, size, random):
    path = tmp_path_factory.mktemp("seeds") / "data.jsonl"
    seeds = [{"id": seed_id, "kind": kind, "text": "\u2028"} for seed_id, kind in drawn]
    random.shuffle(seeds)
    write_jsonl(path, seeds)
    parts = list(shards(path, size, 0))
    assert [seed["id"] for part in parts for seed in part] == sorted(
        seed_id for seed_id, kind in drawn if kind != "conversation"
    )
    assert all(len(part) == size for part in parts[:-1]) and all(parts)
    assert all(seed["text"] == "\u2028" and seed["examples"] == [] for part in parts for seed in part)


def test_every_shard_has_a_file(sharded, make_seed):
    seeds = sorted((make_seed(f"Why does granite {n} last?") for n in range(3)), key=lambda seed: seed["id"])
    assert [[seed["id"] for seed in part] for part in sharded(seeds[::-1])] == [
        [seeds[0]["id"], seeds[1]["id"]], [seeds[2]["id"]], []
    ]  # fmt: skip
    with pytest.raises(ValueError, match="1 shards of 2 seeds do not hold all seeds"):
        sharded(seeds, count=1)


def test_examples_come_from_all_shards(sharded, make_seed):
    seeds = [make_seed(f"Why does granite {n} last?") for n in range(4)]
    rows = [seed for part in sharded(seeds, size=1, count=4, examples=2) for seed in part]
    assert all(len(row["examples"]) == 2 for row in rows)
    known = {seed["id"]: seed["instruction"] for seed in seeds}
    assert all(known[shown["id"]] == shown["instruction"] for row in rows for shown in row["examples"])


def test_only_techniques_of_the_recipe_need_examples():
    assert examples_shown(AMPLIFY | {"techniques": LAMINI["techniques"]}) == 0
    assert examples_shown(LAMINI) == 2


@pytest.fixture
def others(make_seed):
    """(eight usable seeds of the same source, seeds that are not used as examples)."""
    return [make_seed(f"Name a bird that lives on island {n}.") for n in range(8)], [
        make_seed("Summarise this essay.", "A very long essay.", kind="post"),
        make_seed("Hello.", kind="conversation"),
        make_seed("Sum up the text.", "The text."),
        make_seed("Explain " + "and explain " * 200),
        make_seed("Name a bird.", license="CC-BY-NC-4.0"),
    ]


def test_examples_are_other_short_seeds_of_the_same_licence(make_seed, others):
    usable, unusable = others
    seed = make_seed("Why does granite last?")
    drawn = pool([seed, {**seed, "id": "again"}, *usable, *unusable]).draw(seed, 50)
    assert sorted(row["id"] for row in drawn) == sorted(other["id"] for other in usable)


def test_other_sources_are_used_if_the_own_source_has_too_few(make_seed, others):
    far = [make_seed(f"Count the islands of lake {n}.", source="Other") for n in range(9)]
    drawn = pool([*far, *others[0][:1]]).draw(make_seed("Why?"), 3)
    assert drawn[0]["id"] == others[0][0]["id"] and {row["id"] for row in drawn[1:]} <= {row["id"] for row in far}


def test_draws_do_not_depend_on_the_order_and_hardly_on_an_added_seed(make_seed):
    seeds = [make_seed(f"Name a bird that lives on island {n}.") for n in range(200)]
    first, second = pool(seeds), pool(seeds[::-1])
    more = pool([*seeds, make_seed("Name a fish.")])
    drawn = [first.draw(seed, 3) for seed in seeds]
    assert drawn == [second.draw(seed, 3) for seed in seeds]
    assert sum(before != more.draw(seed, 3) for before, seed in zip(drawn, seeds, strict=True)) <= 10
    assert len({row["id"] for rows in drawn for row in rows}) > 150
