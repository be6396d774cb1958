"""Checkpoints: where they lie, which are whole, and what a failure leaves."""

import errno
import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.training.template import TEMPLATE

# What safetensors and torch say of a full disk; neither raises an OSError with its number.
FULL = ("No space left on device", "StorageFull", "code: 28", "file write failed", "unexpected pos")
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def state_folder(checkpoints: Path, settings: Row, fingerprint: str, base: Path) -> Path:
    """The folder of this training's checkpoints, named by all that it hangs on.

    Checkpoints of other data, settings, template or base are never resumed from. The launcher and the number of
    processes are not in the name: the batches are the same on any number.
    """
    weights = sorted((file.name, file.stat().st_size) for file in base.glob("*.safetensors"))
    config = (base / "config.json").read_text(encoding="utf-8")
    return checkpoints / content_id(settings, fingerprint, config, weights, TEMPLATE.read_text(encoding="utf-8"))


def drop_unfinished(state: Path) -> None:
    """Remove checkpoints whose writing was interrupted: the trainer writes trainer_state.json last."""
    for folder in state.glob("checkpoint-*"):
        if not (folder / "trainer_state.json").is_file():
            shutil.rmtree(folder)


def last_step(state: Path) -> int:
    """The step of the last whole checkpoint, 0 if there is none."""
    whole = [folder for folder in state.glob("checkpoint-*") if (folder / "trainer_state.json").is_file()]
    return max((int(folder.name.partition("-")[2]) for folder in whole), default=0)


def explained(error: BaseException, settings: Row, state: Path) -> UserError | None:
    """What to do about a disk or a memory that is full, or None for any other failure."""
    text = f"{type(error).__name__}: {error}"
    step = last_step(state)
    kept = (
        f"The checkpoint of step {step} is whole; the same command goes on from it"
        if step
        else "No checkpoint had been written"
    )
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(sign in text for sign in FULL):
        return UserError(
            f"the disk is full, while training wrote to {state}. Free some space (a checkpoint of full fine-tuning takes 12 bytes a "
            f"parameter, of an adapter a few megabytes) and run again. {kept}."
        )
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in NO_MEMORY):
        method = {"full": "`training.method: lora`", "lora": "`training.method: qlora`"}.get(settings["method"])
        ways = [
            f"`training.micro_batch_size` below {settings['micro_batch_size']} (the global batch stays)"
            if settings["micro_batch_size"] > 1
            else None,
            None if settings["activation_checkpointing"] else "`training.activation_checkpointing: true`",
            f"`training.max_length` below {settings['max_length']}",
            method,
            "more GPUs with FSDP (profiles/accelerate/fsdp2.yaml)",
        ]
        return UserError(f"out of memory in training. Lower it by {', by '.join(way for way in ways if way)}. {kept}.")
    return None
