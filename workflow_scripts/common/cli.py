"""Runs every entry point: logging to stderr, one line for an error that the user can fix, no bare traceback."""

import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.integrity import describe_damage

MAX_PATH_CHARS = 4096  # longer arguments are settings as JSON
DISK_ADVICE = {
    errno.ENOSPC: "the disk is full. Free some space and run again; finished work is kept",
    errno.EDQUOT: "your disk quota is used up. Free some space and run again; finished work is kept",
    errno.EACCES: "permission denied. Choose a folder that you may write to (`results:` in the config)",
    errno.ENOTDIR: "a file is where a folder is needed. Name another folder",
    errno.EEXIST: "a file is where a folder is needed. Name another folder",
    errno.EISDIR: "a folder is where a file is needed. Name a file",
    errno.ELOOP: "a symbolic link is where a file is needed. Remove the link",
    errno.EROFS: "the file system is read-only. Choose a folder that you may write to (`results:` in the config)",
}


def run(main: Callable[[], None]) -> None:
    """Run an entry point's `main`. Exit status 1 and one line for a `UserError`, a disk error or a damaged input file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # These libraries log a line per request.
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "datasets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Redrawn progress bars are unreadable in a log; `common.progress` prints lines.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_MININTERVAL", "5")
    if os.environ.get("HF_HUB_OFFLINE") == "1":  # no downloads, so the remaining bars last half a second
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ADVICE:
            sys.exit(f"error: {error.filename or 'writing'}: {DISK_ADVICE[error.errno]}.")
        # Each library reports a corrupt file differently, so the files that the command names are checked here.
        words = (word for word in sys.argv[1:] if len(word) < MAX_PATH_CHARS and os.path.exists(word))
        if lines := describe_damage(map(Path, words)):
            sys.exit("\n".join(f"error: {line}." for line in lines))
        raise
