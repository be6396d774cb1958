"""A hub model at its pinned revision, as files in a folder."""

import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError

# Safetensors only: a pickle can run code when it is loaded.
PATTERNS = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "*.txt", "*.jinja"]


def download(name: str, revision: str | None, target: Path | None) -> str:
    """Bring a hub repository's safetensors, tokenizer and configuration to `target`, or None for the hub's own cache.

    Returns the folder. UserError if they cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(name, revision=revision, local_dir=target, allow_patterns=PATTERNS)
    except Exception as error:  # one message for what hub, network and access rights may raise
        raise UserError(
            f"model {name} at {revision} cannot be downloaded: {' '.join(str(error).split())}. "
            "Check the name, the network, HF_ENDPOINT, and HF_TOKEN for a gated model."
        ) from error
    if target is not None:
        shutil.rmtree(target / ".cache", ignore_errors=True)
    return folder
