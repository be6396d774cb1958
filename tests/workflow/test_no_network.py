"""Offline: downloads first, then everything else in a network namespace with loopback only."""

import re

import pytest

from tests.support import without_network

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not without_network.prefix(), reason="no network namespace can be made here")
def test_after_the_downloads_no_job_needs_a_network(finished):
    """The pocket run of conftest.py: its downloads and its other jobs are disjoint."""
    downloads, rest = (set(re.findall(r"\(Rule: (\w+)\)", printed)) for printed in finished.printed)
    assert downloads == {"download", "fetch_source", "fetch_benchmark", "fetch_task", "fetch_base"}
    assert {"synthesize_shard", "train_model", "evaluate_task", "render_report"} <= rest and not downloads & rest
