"""Complete checkpoints, their folders, and the messages for a full disk or memory."""

import errno

import pytest

from tests.support.tiny_training import SETTINGS
from workflow_scripts.training.checkpoints import drop_unfinished, explain_failure, last_step, state_folder


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


def test_an_incomplete_checkpoint_is_deleted(state):
    assert last_step(state) == 15
    drop_unfinished(state)
    assert sorted(path.name for path in state.iterdir()) == ["checkpoint-15", "checkpoint-5"]
    assert last_step(state) == 15


def test_other_data_settings_or_bases_have_other_folders(tmp_path):
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
