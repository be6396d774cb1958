"""The recipe of the V1 preset with the scripted teacher: every technique is used, and no seed is lost to one."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support import simulated_synthesis
from workflow_scripts.config.files import merged_config
from workflow_scripts.synthesis.recipe import TECHNIQUES

SEEDS = 150


@pytest.fixture(scope="module")
def settings():
    """`synthesis` of the V1 preset."""
    return merged_config([Path("presets/capybara-7b-v1.yaml")])["synthesis"]


@pytest.fixture(scope="module")
def simulated(settings):
    """(seeds, conversations, rejected seeds by fault)."""
    seeds = simulated_synthesis.make_seeds(SEEDS)
    rows, lost, _ = simulated_synthesis.generate(seeds, settings)
    return seeds, rows, lost


def test_no_seed_is_lost(simulated):
    seeds, rows, lost = simulated
    assert not lost
    assert {row["provenance"]["seed"] for row in rows} == {seed["id"] for seed in seeds}


def test_every_technique_is_used(simulated):
    used = Counter(name for row in simulated[1] for name in row["provenance"]["techniques"])
    assert set(used) == set(TECHNIQUES)


def test_source_and_labels_describe_the_opening(simulated):
    seeds, rows, _ = simulated
    by_id = {seed["id"]: seed for seed in seeds}
    for row in rows:
        provenance, seed = row["provenance"], by_id[row["provenance"]["seed"]]
        request = f"{seed['instruction']}\n\n{seed['context']}".strip()
        own = row["conversation"][0]["input"].endswith(request)
        assert own == (row["source"] == seed["source"]) == (provenance["opening"] == "seed")
        assert own or provenance["seed_labels"]["source"] == seed["source"]


def test_if_every_technique_fails_all_seeds_are_amplified(settings, simulated, monkeypatch):
    """The worst case: the conversations are those of a recipe without techniques."""
    seeds = simulated[0][:40]

    def always(fault):
        return lambda *_, **__: fault

    monkeypatch.setattr("workflow_scripts.synthesis.techniques.instruction.instruction_fault", always("answers"))
    monkeypatch.setattr("workflow_scripts.synthesis.techniques.orca.answer_fault", always("refusal"))
    rows, lost, _ = simulated_synthesis.generate(seeds, settings)
    plain, _, _ = simulated_synthesis.generate(seeds, settings | {"recipe": [{"path": ["amplify"], "weight": 1}]})
    assert not lost and any(row["provenance"]["fallbacks"] for row in rows)
    assert [row["conversation"] for row in rows] == [row["conversation"] for row in plain]
    assert all(row["provenance"]["techniques"] == ["amplify"] for row in rows)
