"""Download of a Hub model at its pinned revision."""

import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError

# Safetensors only: a pickle can run code when it is loaded.
PATTERNS = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "*.txt", "*.jinja"]


def download(name: str, revision: str | None, target: Path | None) -> str:
    """Download a Hub repository's safetensors, tokenizer and configuration to `target`, or to the Hub's cache if None.

    Returns the folder. UserError if the download fails.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(name, revision=revision, local_dir=target, allow_patterns=PATTERNS)
    except Exception as error:  # Hub, network and access rights raise many classes of errors
        raise UserError(
            f"model {name} at {revision} cannot be downloaded: {' '.join(str(error).split())}. "
            "Check the name, the network, HF_ENDPOINT, and HF_TOKEN for a gated model."
        ) from error
    if target is not None:
        shutil.rmtree(target / ".cache", ignore_errors=True)
    return folder
