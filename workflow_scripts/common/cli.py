"""How every entry point runs: logging to stderr, a user's mistake as one line, no bare traceback."""

import errno
import logging
import os
import sys
from collections.abc import Callable

from workflow_scripts.common.errors import UserError

DISK_ADVICE = {
    errno.ENOSPC: "the disk is full. Free some space and run again; finished work is kept",
    errno.EDQUOT: "your disk quota is used up. Free some space and run again; finished work is kept",
    errno.EACCES: "permission denied. Choose a folder that you may write to (`results:` in the config)",
    errno.ENOTDIR: "a file stands where a folder is needed. Name another folder",
    errno.EEXIST: "a file stands where a folder is needed. Name another folder",
    errno.EISDIR: "a folder stands where a file is needed. Name a file",
    errno.EROFS: "the file system is read-only. Choose a folder that you may write to (`results:` in the config)",
}


def run(main: Callable[[], None]) -> None:
    """Run an entry point's `main`; exit 1 with one line for a `UserError` or a disk that refuses."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # One line a request would bury what the user wants to see.
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "datasets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Bars that redraw themselves are unreadable in a log; our own progress prints lines.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_MININTERVAL", "5")
    if os.environ.get("HF_HUB_OFFLINE") == "1":  # nothing is downloaded, so what is left are bars of half a second
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in DISK_ADVICE:
            raise
        sys.exit(f"error: {error.filename or 'writing'}: {DISK_ADVICE[error.errno]}.")
    except KeyboardInterrupt:
        sys.exit(130)
