"""Intact checkpoints, their folders, and the messages for a full disk or memory."""

import errno

import pytest

from tests.support.tiny_training import SETTINGS
from workflow_scripts.training.checkpoints import (
    CHECKSUMS,
    base_hash,
    drop_damaged,
    explain_failure,
    last_step,
    seal,
    state_folder,
)

FILES = ("model.safetensors", "optimizer/state.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


@pytest.fixture
def state(tmp_path):
    """Two complete checkpoints, each with files at two depths, and one that was not completed."""
    for step in (5, 15, 20):
        folder = tmp_path / f"checkpoint-{step}"
        (folder / "optimizer").mkdir(parents=True)
        for name in FILES:
            (folder / name).write_text(f"{name} of step {step}")
        if step < 20:
            seal(folder)
    return tmp_path


def test_an_incomplete_checkpoint_is_deleted(state):
    assert last_step(state) == 15
    drop_damaged(state)
    assert sorted(path.name for path in state.iterdir()) == ["checkpoint-15", "checkpoint-5"]
    assert last_step(state) == 15


@pytest.mark.parametrize("name", [*FILES, CHECKSUMS])
@pytest.mark.parametrize("damage", ["truncated", "one bit", "missing"])
def test_the_newest_intact_checkpoint_is_used_whichever_file_is_damaged(state, name, damage, caplog):
    path = state / "checkpoint-15" / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "truncated" else bytes([data[0] ^ 1]) + data[1:])
    caplog.set_level("INFO")
    drop_damaged(state)
    assert last_step(state) == 5 and not path.exists()
    if (name, damage) != (CHECKSUMS, "missing"):
        assert f"the checkpoint of step 15 is deleted, {name} is damaged" in caplog.text


def test_other_data_settings_or_bases_have_other_folders(tmp_path):
    audit = {"fingerprint": "f", "base": "b"}
    one = state_folder(tmp_path, SETTINGS, audit)
    assert one == state_folder(tmp_path, dict(reversed(SETTINGS.items())), audit)
    others = {
        state_folder(tmp_path, {**SETTINGS, "epochs": 3}, audit),
        state_folder(tmp_path, SETTINGS, audit | {"fingerprint": "g"}),
        state_folder(tmp_path, SETTINGS, audit | {"base": "c"}),
    }
    assert len(others | {one}) == 4


def test_another_base_of_the_same_size_has_another_hash(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    one = base_hash(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert base_hash(tmp_path) == one, "the audited tokens depend on the tokenizer"
    (tmp_path / "model.safetensors").write_bytes(b"y")
    assert base_hash(tmp_path) != one


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_the_message_for_a_full_disk(error, state):
    message = str(explain_failure(error, SETTINGS, state))
    assert message.startswith(f"the disk is full: {state}.")
    assert "The checkpoint of step 15 is complete; the same command resumes from it." in message


def test_the_message_for_a_full_memory(tmp_path):
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
    message = str(explain_failure(error, SETTINGS, tmp_path))
    assert "`training.micro_batch_size` below 2" in message and "`training.method: lora`" in message
    assert message.endswith("No checkpoint has been written.")
    least = {**SETTINGS, "method": "qlora", "micro_batch_size": 1, "activation_checkpointing": True}
    message = str(explain_failure(MemoryError(), least, tmp_path))
    assert message.startswith(
        "out of memory in training. Reduce memory use with `training.max_length` below 256, more GPUs"
    )


def test_any_other_error_has_no_explanation(tmp_path):
    assert explain_failure(ValueError("no"), SETTINGS, tmp_path) is None
