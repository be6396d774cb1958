"""Away from the internet: downloads first, then everything else in a network namespace that has loopback alone."""

import re

import pytest

from tests import without_network

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not without_network.prefix(), reason="no network namespace can be made here")
def test_after_the_downloads_no_job_needs_a_network(finished):
    """The pocket run was made so (conftest.py); here what it fetched and what it did are told apart."""
    downloads, rest = (set(re.findall(r"\(Rule: (\w+)\)", printed)) for printed in finished.printed)
    assert downloads == {"download", "fetch_source", "fetch_benchmark", "fetch_task", "fetch_base"}
    assert {"synthesize_shard", "train_model", "evaluate_task", "render_report"} <= rest and not downloads & rest
