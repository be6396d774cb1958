"""How every entry point runs: logging to stderr, a user's mistake as one line, no bare traceback."""

import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.integrity import damaged

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
    """Run an entry point's `main`; exit 1 with one line for a `UserError`, a disk that refuses or a damaged input."""
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
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ADVICE:
            sys.exit(f"error: {error.filename or 'writing'}: {DISK_ADVICE[error.errno]}.")
        # What the command names may be cut off or overwritten; whoever reads it stumbles in words of his own.
        if lines := damaged(Path(word) for word in sys.argv[1:] if len(word) < 4096 and os.path.exists(word)):
            sys.exit("\n".join(f"error: {line}." for line in lines))
        raise
