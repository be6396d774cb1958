"""Run a job on GPU cards of its own.

Snakemake counts GPUs on a workstation (`resources: gpu`), but does not say which: all jobs would meet on card 0. This
takes the wanted number of free cards, names them in CUDA_VISIBLE_DEVICES and becomes the given command:

    python -m workflow_scripts.common.on_gpus 1 python -m workflow_scripts.training.train_model …

A card is taken by a lock on a file, which the command and all processes that it starts hold as long as one of them
lives; so a killed job leaves no card behind, and a server that outlives its job keeps its own. A job that asks for none
sees none. Cards that a scheduler or the user has named in CUDA_VISIBLE_DEVICES are the ones to choose from.
"""

import argparse
import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError

QUERY = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
PATIENCE = 2.0  # seconds between two looks for a free card


class Card(NamedTuple):
    """A GPU as NVIDIA's tool names it; `index` is what CUDA_VISIBLE_DEVICES takes, `uuid` is the same in every cgroup."""

    index: str
    uuid: str


def cards_of_machine() -> list[Card] | None:
    """The GPUs that this process may see; None where NVIDIA's tool is not installed."""
    if shutil.which(QUERY[0]) is None:
        return None
    done = subprocess.run(QUERY, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"nvidia-smi: {(done.stdout + done.stderr).strip()}. Mend the driver, or set `gpus: 0`.")
    return [Card(*map(str.strip, line.split(","))) for line in done.stdout.splitlines() if line.strip()]


def selectable(cards: list[Card], environment: Mapping[str, str]) -> list[Card]:
    """The cards that CUDA_VISIBLE_DEVICES names, by index or by (the beginning of) a UUID; all without it."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return cards
    words = [word.strip() for word in named.split(",") if word.strip()]
    return [
        card for word in words for card in cards if word == card.index or (len(word) > 4 and card.uuid.startswith(word))
    ]


def take(cards: list[Card], count: int, folder: Path) -> list[Card]:
    """Lock `count` of the cards, for as long as this process or one that it starts lives; waits for them.

    Less than all of them is not kept while waiting, so that two jobs cannot wait for each other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        taken: list[tuple[Card, int]] = []
        for card in cards:
            lock = os.open(folder / card.uuid, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            taken.append((card, lock))
            if len(taken) == count:
                for _, descriptor in taken:
                    os.set_inheritable(descriptor, True)
                return [card for card, _ in taken]
        for _, descriptor in taken:
            os.close(descriptor)
        if not told:
            logging.info("waiting for %d of %d GPUs: the others are at work", count, len(cards))
            told = True
        time.sleep(PATIENCE)


def locks() -> Path:
    """Where this user's locks lie: one folder for all runs on the machine."""
    return Path(tempfile.gettempdir()) / f"capybara-gpus-{os.getuid()}"


def environment_for(count: int) -> dict[str, str]:
    """The environment of a job that is to have `count` GPUs, which are locked by then."""
    environment = dict(os.environ)
    if count == 0:
        return environment | {"CUDA_VISIBLE_DEVICES": ""}
    cards = cards_of_machine()
    if cards is None:  # not NVIDIA's: the job and its libraries know better
        return environment
    chosen = selectable(cards, environment)
    if len(chosen) < count:
        raise UserError(
            f"this job asks for {count} GPUs and sees {len(chosen)}. Correct `resources: gpus` of its stage in the configuration, "
            "or CUDA_VISIBLE_DEVICES."
        )
    mine = take(chosen, count, locks())
    logging.info("on GPU %s", ", ".join(card.index for card in mine))
    return environment | {"CUDA_VISIBLE_DEVICES": ",".join(card.index for card in mine)}


def main(argv: list[str] | None = None) -> None:
    """Become the command, on cards of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="GPUs that the command is to see")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command with its arguments")
    args = parser.parse_args(argv)
    if not args.command:
        parser.error("no command to run")
    os.execvpe(args.command[0], args.command, environment_for(args.count))


if __name__ == "__main__":
    run(main)
