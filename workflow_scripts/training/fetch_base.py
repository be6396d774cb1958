"""Copy the base model into the run: from the Hub at its pinned revision, a local folder, or a GGUF file."""

import argparse
import json
import logging
import os
import shutil
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_download import download
from workflow_scripts.common.model_location import local_model
from workflow_scripts.common.pretrained import load_model, load_tokenizer


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
        raise UserError(
            f"{path}: config.json or *.safetensors is missing. Set `training.base.model` to a model folder."
        )
    target.mkdir(parents=True)
    for file in path.iterdir():
        if file.is_file():
            os.symlink(file.resolve(), target / file.name)


def main(argv: list[str] | None = None) -> None:
    """Write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="`training.base` of the config, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)

    name = args.settings["model"]
    path = local_model(name)
    shutil.rmtree(args.model, ignore_errors=True)
    if path is None:
        download(name, args.settings["revision"], args.model)
    elif path.suffix == ".gguf":
        from_gguf(path, args.model)
    else:
        from_folder(path, args.model)
    logging.info("base model %s: %s", name, ", ".join(sorted(file.name for file in args.model.iterdir())))


if __name__ == "__main__":
    run(main)
