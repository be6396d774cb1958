"""Which checkpoints are whole, whose they are, and what is said when a disk or a memory is full."""

import errno

import pytest

from tests.tiny_training import SETTINGS
from workflow_scripts.training.checkpoints import drop_unfinished, explained, last_step, state_folder


@pytest.fixture
def state(tmp_path):
    for name, files in (
        ("checkpoint-5", ["trainer_state.json"]),
        ("checkpoint-15", ["trainer_state.json"]),
        ("checkpoint-20", ["model.safetensors"]),
    ):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("{}")
    return tmp_path


def test_a_checkpoint_whose_writing_was_interrupted_is_dropped(state):
    assert last_step(state) == 15
    drop_unfinished(state)
    assert sorted(path.name for path in state.iterdir()) == ["checkpoint-15", "checkpoint-5"]
    assert last_step(state) == 15


def test_checkpoints_of_other_data_settings_or_base_are_not_found(tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    one = state_folder(tmp_path, SETTINGS, "f", base)
    assert one == state_folder(tmp_path, dict(reversed(SETTINGS.items())), "f", base)
    others = {
        state_folder(tmp_path, {**SETTINGS, "epochs": 3}, "f", base),
        state_folder(tmp_path, SETTINGS, "g", base),
    }
    (base / "model.safetensors").write_bytes(b"x")
    others.add(state_folder(tmp_path, SETTINGS, "f", base))
    assert len(others | {one}) == 4


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk(error, state):
    told = str(explained(error, SETTINGS, state))
    assert told.startswith(f"the disk is full, while training wrote to {state}.")
    assert "The checkpoint of step 15 is whole; the same command goes on from it." in told


def test_a_full_memory(tmp_path):
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
    told = str(explained(error, SETTINGS, tmp_path))
    assert "`training.micro_batch_size` below 2" in told and "`training.method: lora`" in told
    assert told.endswith("No checkpoint had been written.")
    least = {**SETTINGS, "method": "qlora", "micro_batch_size": 1, "activation_checkpointing": True}
    told = str(explained(MemoryError(), least, tmp_path))
    assert told.startswith("out of memory in training. Lower it by `training.max_length` below 256, by more GPUs")


def test_any_other_failure_is_not_explained_away(tmp_path):
    assert explained(ValueError("no"), SETTINGS, tmp_path) is None
