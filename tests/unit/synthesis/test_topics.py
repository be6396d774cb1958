"""Topics in replies."""

import pytest

from workflow_scripts.synthesis.topics import listed_topics, parse_numbered_list


@pytest.mark.parametrize(
    ("reply", "items"),
    [
        ("1. Kelp\n2. Tidal power", ["Kelp", "Tidal power"]),
        ("Topics:\n\n1) **Kelp**\n2) Tidal power.\n", ["Kelp", "Tidal power"]),
        ("1. Kelp\n2. Tidal power\n3.", ["Kelp", "Tidal power"]),
        ("1. **Kelp:** a large alga\n2. Tidal power - old and new", ["Kelp", "Tidal power"]),
        ("1. Kelp\n3. Tidal power", []),
        ("Kelp\nTidal power", []),
        ("1. Kelp\n- Tidal power\n2. Eels", []),
        ("", []),
    ],
)
def test_numbered_lists_are_parsed_strictly(reply, items):
    assert parse_numbered_list(reply) == items


def test_a_list_of_more_than_99_items():
    items = [f"Kelp {number}" for number in range(1, 121)]
    assert parse_numbered_list("\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))) == items


def test_topics_have_letters_and_few_words():
    reply = "\n".join(["1. Kelp", "2. 2017-2018", "3. ?", f"4. {'word ' * 16}", "5. Tidal mills"])
    assert listed_topics(reply) == ["Kelp", "Tidal mills"]
