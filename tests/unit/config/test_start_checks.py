"""A gated base model without a token is refused; a teacher that a cluster's jobs cannot reach is reported."""

import logging
from types import SimpleNamespace

import pytest

from workflow_scripts.config.gpus import Limit
from workflow_scripts.config.start_checks import is_loopback, start_mistakes


def jobs(*rules):
    return [SimpleNamespace(rule=SimpleNamespace(name=rule)) for rule in rules]


@pytest.fixture
def start(config, monkeypatch, tmp_path):
    """A function that returns the errors of a start with jobs of these rules, without any token."""
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    config["training"]["base"] = {"model": "meta-llama/Llama-2-7b-hf", "revision": "abc"}

    def check(*rules, on_cluster=False):
        return start_mistakes(jobs(*rules), config, Limit(None), "slurm" if on_cluster else "local", on_cluster)

    return check


def test_a_gated_model_needs_a_token_before_its_download(start, config, monkeypatch):
    assert start("fetch_source", "fetch_base") == [
        "training.base.model: meta-llama/Llama-2-7b-hf is gated, and there is no token. Accept its licence on "
        "https://huggingface.co/meta-llama/Llama-2-7b-hf, then export HF_TOKEN or run `hf auth login`."
    ]
    assert start("train_model") == [], "it has been downloaded"
    monkeypatch.setenv("HF_TOKEN", "hf_1234")
    assert start("fetch_base") == []
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror")
    assert start("fetch_base") == []
    monkeypatch.delenv("HF_ENDPOINT")
    config["training"]["base"]["model"] = "microsoft/phi-1_5"
    assert start("fetch_base") == []


def test_several_nodes_need_slurm(start, config):
    config["training"]["nodes"] = 2
    assert start("train_model", on_cluster=True) == [] == start("merge_model")
    assert start("train_model") == [
        "training.nodes: 2 nodes need SLURM. Start with `--workflow-profile profiles/slurm`, or set it to 1."
    ]


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://gpu-node-17:8000/v1", False),
        ("https://10.0.0.3/v1", False),
        (None, False),
    ],
)
def test_addresses_of_the_machine_itself(address, loopback):
    assert is_loopback(address) == loopback


def test_a_cluster_is_warned_of_an_address_of_the_machine_itself(start, config, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("snakemake"), "propagate", True)
    config["teacher"] |= {"kind": "endpoint", "base_url": "http://127.0.0.1:8000/v1"}
    start("synthesize_shard")
    start("train_model", on_cluster=True)
    assert not caplog.records
    start("synthesize_shard", on_cluster=True)
    (record,) = caplog.records
    assert "teacher.base_url: http://127.0.0.1:8000/v1 is a different machine for each job" in record.getMessage()
