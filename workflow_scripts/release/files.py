"""Files of a release: copied, listed, and checksummed in the format of `sha256sum -c`."""

import os
import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError

SUMS = "SHA256SUMS"
CRATE = "ro-crate-metadata.json"
HARD_LINK_BYTES = 64 * 2**20  # larger files are hard-linked: model weights, which are not edited in place
UNSAFE_SUFFIXES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}  # formats that may execute code when they are loaded


def place(source: Path, target: Path) -> None:
    """Copy a file. A large file becomes a hard link, which uses no disk space, if the file system supports it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if source.stat().st_size >= HARD_LINK_BYTES:
        try:
            return os.link(source, target)
        except OSError:
            pass  # another file system, or one without hard links
    shutil.copyfile(source, target)


def listed(folder: Path) -> list[Path]:
    """All files below a folder, sorted by path, without SHA256SUMS and hidden files and folders."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    kept = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(
        (path for path in kept if path.relative_to(folder).as_posix() != SUMS), key=lambda path: path.as_posix()
    )


def model_files(folder: Path) -> list[Path]:
    """Files of a saved model. Raises UserError for weights in a format that may execute code."""
    files = listed(folder)
    if unsafe := [path.name for path in files if path.suffix in UNSAFE_SUFFIXES]:
        raise UserError(f"{folder}: {', '.join(unsafe)} may execute code when loaded. Save the model as safetensors.")
    return files


def sums(digests: dict[str, str]) -> str:
    """The text of SHA256SUMS for {relative path: SHA-256}."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_sums(text: str) -> dict[str, str]:
    """{relative path: SHA-256} from the text of SHA256SUMS."""
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines() if line)}
