"""Topics in replies."""

import pytest

from workflow_scripts.synthesis.topics import parse_numbered_list


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
