"""The licence of a card follows from the licences of its rows."""

import pytest

from workflow_scripts.release.licenses import card_license, restrictions


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"Apache-2.0": 40}, {"license": "apache-2.0"}),
        ({"CC-BY-NC-4.0": 1}, {"license": "cc-by-nc-4.0"}),
        ({"Apache-2.0": 40, "MIT": 1}, {"license": "other", "license_name": "by-row"}),
        ({"MIT": 3, "unstated": 1}, {"license": "other", "license_name": "by-row"}),
        ({"unstated": 3}, {"license": "unknown"}),
        ({"My own terms": 3}, {"license": "other", "license_name": "as-stated"}),
        ({}, {"license": "other", "license_name": "as-stated"}),
    ],
)
def test_the_licence_of_a_data_set(parts, expected):
    assert card_license(parts) == expected


def test_restrictions_of_some_rows_apply_to_the_data_set():
    assert restrictions({"MIT": 3, "Apache-2.0": 2}) == []
    sentences = restrictions({"CC-BY-NC-4.0": 5, "CC-BY-NC-SA-4.0": 2, "CC-BY-SA-4.0": 1, "unstated": 4})
    assert [sentence.split()[0] for sentence in sentences] == ["7", "3", "4"]
    assert restrictions({"CC-BY-SA-4.0": 1, "unstated": 1}) == [
        "1 row is under a share-alike licence.", "1 row comes from sources that state no licence.",
    ]  # fmt: skip
