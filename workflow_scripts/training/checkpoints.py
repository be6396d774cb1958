"""Checkpoints: their folder, which of them are complete, and error messages for a full disk or memory."""

import errno
import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.training.template import TEMPLATE

# Parts of the messages of safetensors and torch for a full disk; neither raises an OSError with its errno.
DISK_FULL = ("No space left on device", "StorageFull", "code: 28", "file write failed", "unexpected pos")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def state_folder(checkpoints: Path, settings: Row, fingerprint: str, base: Path) -> Path:
    """The folder of this training's checkpoints, named by a hash of everything that the training depends on.

    A checkpoint of other data, settings, template or base is never resumed. The launcher and the number of processes are
    not hashed, because the batches do not depend on them.
    """
    weights = sorted((file.name, file.stat().st_size) for file in base.glob("*.safetensors"))
    config = (base / "config.json").read_text(encoding="utf-8")
    return checkpoints / content_id(settings, fingerprint, config, weights, TEMPLATE.read_text(encoding="utf-8"))


def drop_unfinished(state: Path) -> None:
    """Delete incomplete checkpoints: the trainer writes trainer_state.json last."""
    for folder in state.glob("checkpoint-*"):
        if not (folder / "trainer_state.json").is_file():
            shutil.rmtree(folder)


def last_step(state: Path) -> int:
    """The step of the last complete checkpoint, or 0."""
    complete = [folder for folder in state.glob("checkpoint-*") if (folder / "trainer_state.json").is_file()]
    return max((int(folder.name.partition("-")[2]) for folder in complete), default=0)


def explain_failure(error: BaseException, settings: Row, state: Path) -> UserError | None:
    """The error message for a full disk or memory, or None for any other error."""
    text = f"{type(error).__name__}: {error}"
    step = last_step(state)
    kept = (
        f"The checkpoint of step {step} is complete; the same command resumes from it"
        if step
        else "No checkpoint has been written"
    )
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(part in text for part in DISK_FULL):
        return UserError(
            f"the disk is full: {state}. Free some space (a checkpoint takes 12 bytes per parameter with full fine-tuning, a few "
            f"megabytes with an adapter) and run again. {kept}."
        )
    if isinstance(error, MemoryError) or any(part in text.lower() for part in OUT_OF_MEMORY):
        method = {"full": "`training.method: lora`", "lora": "`training.method: qlora`"}.get(settings["method"])
        remedies = [
            f"`training.micro_batch_size` below {settings['micro_batch_size']} (the global batch size stays the same)"
            if settings["micro_batch_size"] > 1
            else None,
            None if settings["activation_checkpointing"] else "`training.activation_checkpointing: true`",
            f"`training.max_length` below {settings['max_length']}",
            method,
            "more GPUs with FSDP (profiles/accelerate/fsdp2.yaml)",
        ]
        return UserError(
            f"out of memory in training. Reduce memory use with {', '.join(text for text in remedies if text)}. {kept}."
        )
    return None
