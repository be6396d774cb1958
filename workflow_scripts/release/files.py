"""Files of a release: placed, listed, and summed as `sha256sum -c` reads it."""

import os
import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError

SUMS = "SHA256SUMS"
CRATE = "ro-crate-metadata.json"
LARGE = 64 * 2**20  # bytes; weights are, and nobody edits those in place
UNSAFE = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}  # formats whose reading may execute code


def place(source: Path, target: Path) -> None:
    """A copy of the file; of a large one a hard link, which takes no disk, where the file system allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if source.stat().st_size >= LARGE:
        try:
            return os.link(source, target)
        except OSError:
            pass  # another file system, or one without links
    shutil.copyfile(source, target)


def listed(folder: Path) -> list[Path]:
    """All files below a folder but its sums and what Snakemake and file systems hide there, by name."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    kept = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(
        (path for path in kept if path.relative_to(folder).as_posix() != SUMS), key=lambda path: path.as_posix()
    )


def model_files(folder: Path) -> list[Path]:
    """Files of a saved model. UserError for weights in a format that may execute code."""
    files = listed(folder)
    if unsafe := [path.name for path in files if path.suffix in UNSAFE]:
        raise UserError(
            f"{folder}: {', '.join(unsafe)} may execute code when it is read. Save the model as safetensors."
        )
    return files


def sums(digests: dict[str, str]) -> str:
    """The text of SHA256SUMS for {relative path: SHA-256}."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_sums(text: str) -> dict[str, str]:
    """{relative path: SHA-256} of such a text."""
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines() if line)}
