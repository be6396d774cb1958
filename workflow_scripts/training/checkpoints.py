"""Checkpoints: their folder, which of them are intact, and error messages for a full disk or memory."""

import errno
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, file_sha256, read_json, write_json
from workflow_scripts.common.types import Row
from workflow_scripts.training.template import TEMPLATE

CHECKSUMS = "checksums.json"
# Parts of the messages of safetensors and torch for a full disk; neither raises an OSError with its errno.
DISK_FULL = ("No space left on device", "StorageFull", "code: 28", "file write failed", "unexpected pos")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def state_folder(checkpoints: Path, settings: Row, audit: Row) -> Path:
    """The folder of this training's checkpoints, named by a hash of everything that the training depends on.

    A checkpoint of other data, settings, template or base is never resumed. The launcher and the number of processes are
    not hashed, because the batches do not depend on them.
    """
    template = TEMPLATE.read_text(encoding="utf-8")
    return checkpoints / content_id(settings, audit["fingerprint"], audit["base"], template)


def base_hash(base: Path) -> str:
    """A hash of the content of a model folder's weights and configuration."""
    files = sorted([*base.glob("*.safetensors"), base / "config.json"])
    return content_id([(file.name, file_sha256(file)) for file in files])


def seal(checkpoint: Path) -> None:
    """Write the checksums of a checkpoint's files, which mark it as complete."""
    write_json(checkpoint / CHECKSUMS, _checksums(checkpoint))


def save_by_time(minutes: float) -> Any:
    """A trainer callback that saves a checkpoint after the first step that ends `minutes` after the last checkpoint."""
    import torch
    from transformers import TrainerCallback

    class SaveByTime(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.saved = time.monotonic()

        def on_step_end(self, args, state, control, **kwargs):
            due = torch.tensor([float(time.monotonic() - self.saved >= 60 * minutes)], device=args.device)
            if torch.distributed.is_initialized():  # clocks differ, and all processes must save the same step
                torch.distributed.broadcast(due, src=0)
            if due.item():
                control.should_save = True

        def on_save(self, args, state, control, **kwargs):
            self.saved = time.monotonic()

    return SaveByTime()


def check_best(checkpoint: Path) -> None:
    """UserError unless the checkpoint with the lowest held-out loss is intact."""
    if not checkpoint.is_dir() or (damaged := _damaged(checkpoint)):
        what = f"damaged ({', '.join(damaged)})" if checkpoint.is_dir() else "missing"
        raise UserError(
            f"{checkpoint}: the checkpoint with the lowest held-out loss is {what}. Delete {checkpoint.parent} and run again."
        )


def drop_damaged(state: Path) -> None:
    """Delete incomplete and damaged checkpoints, from the newest to the first intact one; the log names the files."""
    for folder in sorted(state.glob("checkpoint-*"), key=_step, reverse=True):
        if not (folder / CHECKSUMS).is_file():
            logging.info("the checkpoint of step %d is incomplete: deleted", _step(folder))
        elif damaged := _damaged(folder):
            logging.warning("the checkpoint of step %d is deleted, %s is damaged", _step(folder), ", ".join(damaged))
        else:
            return
        shutil.rmtree(folder)


def last_step(state: Path) -> int:
    """The step of the last complete checkpoint, or 0."""
    return max((_step(folder) for folder in state.glob("checkpoint-*") if (folder / CHECKSUMS).is_file()), default=0)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.partition("-")[2])


def _checksums(checkpoint: Path) -> dict[str, str]:
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return {path.relative_to(checkpoint).as_posix(): file_sha256(path) for path in files}


def _damaged(checkpoint: Path) -> list[str]:
    """The files that differ from the checksums, or are missing."""
    try:
        expected = read_json(checkpoint / CHECKSUMS)
    except UserError:
        return [CHECKSUMS]
    found = _checksums(checkpoint)
    return [name for name, digest in expected.items() if found.get(name) != digest]


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
