"""Licences that forbid commercial use."""

import pytest

from workflow_scripts.common.licenses import forbids_commercial_use


@pytest.mark.parametrize(
    ("name", "forbids"),
    [
        ("CC-BY-NC-4.0", True),
        ("cc-by-nc-sa-3.0", True),
        ("CC-BY-4.0", False),
        ("MIT", False),
        ("NCSA", False),  # the University of Illinois' licence, an open one
        ("unstated", False),
    ],
)
def test_non_commercial_licences(name, forbids):
    assert forbids_commercial_use(name) is forbids
