"""Settings passed through to trl and peft; evaluation every N steps, the best checkpoint, early stopping, saving by time."""

import inspect
import re

import pytest

from tests.support.tiny_training import SETTINGS, TinyTraining
from tests.unit.training.test_train_model import expected_held_out_loss, train
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json
from workflow_scripts.training import checkpoints, recipe
from workflow_scripts.training.extra import LORA_FIELDS, SFT_FIELDS, extra_mistakes, fields


@pytest.mark.parametrize(
    ("package", "name", "managed"), [("trl", "SFTConfig", SFT_FIELDS), ("peft", "LoraConfig", LORA_FIELDS)]
)
def test_every_field_that_the_workflow_sets_exists(package, name, managed):
    """Otherwise a renamed field of a new version could be set twice."""
    names = [field for group in managed.values() for field in group]
    assert set(names) <= fields(package, name) and len(set(names)) == len(names)


def test_all_that_the_configuration_of_trl_is_given_is_refused_in_extra(tmp_path):
    with pytest.raises(TypeError, match="multiple values"):
        recipe.sft_config({**SETTINGS, "extra": {"seed": 1}}, tmp_path, 1, evaluate=True)
    source = inspect.getsource(recipe.sft_config).partition("return SFTConfig(")[2]
    given = set(re.findall(r"^        (\w+)=", source, re.MULTILINE)) - {
        "dataloader_pin_memory",
        "ddp_find_unused_parameters",
    }
    assert len(given) > 30 and given <= {field for group in SFT_FIELDS.values() for field in group}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"extra": {"neftune_alpha": 5}}, "training.extra.neftune_alpha: SFTConfig has no such field; did you mean `neftune_noise_alpha`?"),
        ({"extra": {"num_train_epochs": 5}}, "training.extra.num_train_epochs: set `training.epochs` instead."),
        ({"extra": {"packing": True}}, "training.extra.packing: set `training.batching` instead."),
        ({"extra": {"assistant_only_loss": True}}, "training.extra.assistant_only_loss: not allowed: tokens and labels come from the loss mask audit."),
        ({"lora": {**SETTINGS["lora"], "extra": {"use_dorra": True}}}, "training.lora.extra.use_dorra: LoraConfig has no such field; did you mean `use_dora`"),
        ({"lora": {**SETTINGS["lora"], "extra": {"lora_alpha": 1}}}, "training.lora.extra.lora_alpha: set `training.lora.alpha` instead."),
        ({"lora": {**SETTINGS["lora"], "extra": {"init_lora_weights": "pissa"}}}, "training.lora.extra.init_lora_weights: not allowed: it changes the base"),
    ],
)  # fmt: skip
def test_an_entry_that_is_unknown_or_set_by_the_workflow(change, line):
    (mistake,) = extra_mistakes(SETTINGS | change)
    assert mistake.startswith(line)


def test_known_entries_have_no_error():
    extra = {"neftune_noise_alpha": 5, "optim": "adamw_8bit", "max_grad_norm": 0.5, "label_smoothing_factor": 0.1}
    lora = {**SETTINGS["lora"], "extra": {"use_dora": True, "use_rslora": True}}
    assert list(extra_mistakes(SETTINGS | {"extra": extra, "lora": lora})) == []
    recipe.check_extra(SETTINGS | {"extra": extra, "lora": lora, "method": "lora"})


def test_a_value_that_trl_or_peft_rejects():
    with pytest.raises(UserError, match=r"^`training.extra`: trl rejects it: .*adamx.* Correct the value\.$"):
        recipe.check_extra(SETTINGS | {"extra": {"optim": "adamx"}})
    lora = {**SETTINGS["lora"], "extra": {"layers_pattern": "layers"}}
    with pytest.raises(UserError, match=r"^`training.lora.extra`: peft rejects it"):
        recipe.check_extra(SETTINGS | {"lora": lora, "method": "lora"})


def test_they_are_part_of_the_identity_of_a_training(tmp_path):
    audit = {"fingerprint": "f", "base": "b"}
    plain = checkpoints.state_folder(tmp_path, SETTINGS, audit)
    assert plain != checkpoints.state_folder(tmp_path, SETTINGS | {"extra": {"max_grad_norm": 0.5}}, audit)
    lora = {**SETTINGS["lora"], "extra": {"use_dora": True}}
    assert plain != checkpoints.state_folder(tmp_path, SETTINGS | {"lora": lora}, audit)


def test_they_reach_the_training(tmp_path):
    tiny = TinyTraining(
        tmp_path, epochs=1, extra={"optim": "sgd", "max_grad_norm": 0.001, "label_smoothing_factor": 0.2}
    )
    tiny.audit()
    rows = train(tiny)
    losses = [row["eval_loss"] for row in rows if "eval_loss" in row]
    assert losses[0] == pytest.approx(losses[-1], abs=1e-4), "clipped to almost nothing"
    assert losses[0] == pytest.approx(expected_held_out_loss(tiny), abs=1e-5), "without smoothing, which adds 0.006"
    dora = recipe.adapter(SETTINGS | {"method": "lora", "lora": {**SETTINGS["lora"], "extra": {"use_dora": True}}})
    assert dora.use_dora


def test_the_best_checkpoint_is_kept_and_a_worse_training_stops(tmp_path):
    """A learning rate that makes the held-out loss grow."""
    tiny = TinyTraining(
        tmp_path, epochs=12, learning_rate=0.05, warmup_ratio=0.0, lr_scheduler="constant",
        eval_steps=1, save_steps=1, keep_best=True, early_stopping=3,
    )  # fmt: skip
    tiny.audit()
    losses = [row["eval_loss"] for row in train(tiny) if "eval_loss" in row]
    best = losses.index(min(losses))
    assert 0 < best == len(losses) - 1 - 3, "three evaluations after the best"
    assert len(losses) < 12 * 6
    (tmp_path / "base").rename(tmp_path / "old")
    (tmp_path / "out" / "trained").rename(tmp_path / "base")
    again = TinyTraining.__new__(TinyTraining)
    again.folder, again.settings = (
        tmp_path,
        tiny.settings | {"learning_rate": 1e-9, "epochs": 1, "keep_best": False, "early_stopping": None},
    )
    again.audit()
    first = next(row for row in train(again, out="again", state="again-state") if "eval_loss" in row)
    assert first["eval_loss"] == pytest.approx(losses[best], abs=1e-5)


def test_a_missing_best_checkpoint_is_an_error(tmp_path):
    with pytest.raises(UserError, match="the checkpoint with the lowest held-out loss is missing"):
        checkpoints.check_best(tmp_path / "state" / "checkpoint-3")
    folder = tmp_path / "state" / "checkpoint-4"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("1")
    checkpoints.seal(folder)
    checkpoints.check_best(folder)
    (folder / "weights").write_text("2")
    with pytest.raises(UserError, match=r"is damaged \(weights\)"):
        checkpoints.check_best(folder)


def test_checkpoints_by_time(tmp_path):
    """After every step here; the second step fails, and the checkpoint of the first stays."""
    tiny = TinyTraining(tmp_path, learning_rate=1e30, warmup_ratio=0.0, save_steps=None, save_minutes=1e-9)
    tiny.audit()
    with pytest.raises(UserError, match="training stopped at step 2"):
        train(tiny)
    saved = [read_json(path)["global_step"] for path in tmp_path.glob("checkpoints/*/*/trainer_state.json")]
    assert saved == [1]
    assert [path.name for path in tmp_path.glob("checkpoints/*/*/checksums.json")] == ["checksums.json"]
