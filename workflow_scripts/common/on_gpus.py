"""Run a command on GPUs that no other job uses.

On a workstation Snakemake counts GPUs (`resources: gpu`) but does not assign them, so all jobs would use GPU 0. This
program locks free GPUs, sets CUDA_VISIBLE_DEVICES and replaces itself with the given command:

    python -m workflow_scripts.common.on_gpus 1 python -m workflow_scripts.training.train_model …

The lock is a file lock. The command and all its child processes hold it until the last of them ends: a killed job
releases its GPUs, and a server that outlives its job keeps them. A job that requests no GPU sees none. If a scheduler or
the user has set CUDA_VISIBLE_DEVICES, only the GPUs listed there are used.
"""

import argparse
import contextlib
import fcntl
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError

QUERY = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
OTHERS = stat.S_IRWXG | stat.S_IRWXO  # permissions of the group and of other users
POLL_SECONDS = 2.0  # between two attempts to lock free GPUs


@dataclass(frozen=True)
class Card:
    """A GPU as listed by nvidia-smi. `index` is used in CUDA_VISIBLE_DEVICES; `uuid` is the same in every cgroup."""

    index: str
    uuid: str


def list_cards() -> list[Card] | None:
    """The GPUs that nvidia-smi lists; None if nvidia-smi is not installed. UserError if it fails."""
    if shutil.which(QUERY[0]) is None:
        return None
    done = subprocess.run(QUERY, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"nvidia-smi: {(done.stdout + done.stderr).strip()}. Fix the driver, or set `gpus: 0`.")
    return [Card(*map(str.strip, line.split(","))) for line in done.stdout.splitlines() if line.strip()]


def visible_cards(cards: list[Card], environment: Mapping[str, str]) -> list[Card]:
    """The cards listed in CUDA_VISIBLE_DEVICES, by index or by the beginning of a UUID; all cards if it is not set."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return cards
    words = [word.strip() for word in named.split(",") if word.strip()]
    return [
        card for word in words for card in cards if word == card.index or (len(word) > 4 and card.uuid.startswith(word))
    ]


def lock_cards(cards: list[Card], count: int, folder: Path) -> list[Card]:
    """Lock `count` of the cards until this process and all its children have ended; waits until they are free.

    While waiting no lock is held, so that two jobs cannot wait for each other.
    """
    logged = False
    while True:
        locked: list[tuple[Card, int]] = []
        for card in cards:
            lock = os.open(folder / card.uuid, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            locked.append((card, lock))
            if len(locked) == count:
                for _, descriptor in locked:
                    os.set_inheritable(descriptor, True)
                return [card for card, _ in locked]
        for _, descriptor in locked:
            os.close(descriptor)
        if not logged:
            logging.info("waiting for %d of %d GPUs: other jobs use them", count, len(cards))
            logged = True
        time.sleep(POLL_SECONDS)


def lock_folder() -> Path:
    """The folder of this user's locks, shared by all runs on the machine. UserError if another user controls it.

    It is in XDG_RUNTIME_DIR or, without one that is private, in the folder for temporary files.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and _owned(Path(runtime)) and not Path(runtime).stat().st_mode & OTHERS:
        folder = Path(runtime) / "capybara-gpus"
    else:
        folder = Path(tempfile.gettempdir()) / f"capybara-gpus-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not _owned(folder):
        raise UserError(
            f"{folder}: another user's, or not a folder. The locks of GPUs need a folder of your own: remove it, or set TMPDIR."
        )
    folder.chmod(0o700)  # earlier versions followed the umask
    return folder


def _owned(folder: Path) -> bool:
    """Whether it is a folder, not a link to one, and belongs to this user."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def environment_for(count: int) -> dict[str, str]:
    """The environment variables of a job with `count` GPUs, after locking them. UserError if fewer are visible."""
    environment = dict(os.environ)
    if count == 0:
        return environment | {"CUDA_VISIBLE_DEVICES": ""}
    cards = list_cards()
    if cards is None:  # no NVIDIA GPUs: the environment stays as it is
        return environment
    visible = visible_cards(cards, environment)
    if len(visible) < count:
        raise UserError(
            f"this job requests {count} GPUs and sees {len(visible)}. Correct `resources: gpus` of its stage in the configuration, "
            "or CUDA_VISIBLE_DEVICES."
        )
    locked = lock_cards(visible, count, lock_folder())
    logging.info("on GPU %s", ", ".join(card.index for card in locked))
    return environment | {"CUDA_VISIBLE_DEVICES": ",".join(card.index for card in locked)}


def main(argv: list[str] | None = None) -> None:
    """Replace this process with the command, on its own GPUs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="number of GPUs")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command with its arguments")
    args = parser.parse_args(argv)
    if not args.command:
        parser.error("no command to run")
    os.execvpe(args.command[0], args.command, environment_for(args.count))


if __name__ == "__main__":
    run(main)
