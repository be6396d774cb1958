"""Copy of a model into a run: from the Hub at its pinned revision, a local folder, or a GGUF file."""

import os
import shutil
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_download import download
from workflow_scripts.common.model_location import local_model
from workflow_scripts.common.pretrained import load_model, load_tokenizer


def copy_model(name: str, revision: str | None, target: Path) -> None:
    """Write the folder of a model. UserError if it cannot be downloaded or lacks config.json or safetensors."""
    path = local_model(name)
    shutil.rmtree(target, ignore_errors=True)
    if path is None:
        download(name, revision, target)
    elif path.suffix == ".gguf":
        from_gguf(path, target)
    else:
        from_folder(path, target)


def from_gguf(path: Path, target: Path) -> None:
    """Dequantise a GGUF file to float32 safetensors with its tokenizer."""
    import torch

    tokenizer = load_tokenizer(path.parent, gguf_file=path.name)
    model = load_model(path.parent, gguf_file=path.name, dtype=torch.float32)
    # The weights are float32 now; with this attribute every later load would expect quantised weights.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def from_folder(path: Path, target: Path) -> None:
    """Link the files of a local model folder, so that a 70B model is not copied."""
    if not (path / "config.json").is_file() or not any(path.glob("*.safetensors")):
        raise UserError(f"{path}: config.json or *.safetensors is missing. Name a model folder that contains both.")
    target.mkdir(parents=True)
    for file in path.iterdir():
        if file.is_file():
            os.symlink(file.resolve(), target / file.name)
