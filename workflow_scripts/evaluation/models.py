"""The model to score: checked before loading, then loaded by one of lm-eval's backends."""

import os
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_tokenizer
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row


def check_folder(model: Path, adapter: Path | None) -> None:
    """UserError unless the folder contains a model in safetensors, and the adapter's folder an adapter."""
    if not (model / "config.json").is_file():
        raise UserError(f"{model}: no config.json, so there is no model to score. Delete the folder and run again.")
    if not any(model.glob("*.safetensors")):
        raise UserError(f"{model}: no *.safetensors, so the model has no weights. Delete the folder and run again.")
    if adapter is not None and not (adapter / "adapter_config.json").is_file():
        raise UserError(
            f"{adapter}: no adapter_config.json, so there is no adapter. `evaluation.adapter: unmerged` needs `training.method: lora`."
        )


def check_template(folder: Path, name: str) -> None:
    """UserError if the tokenizer has no chat template."""
    if load_tokenizer(folder).chat_template is None:
        raise UserError(
            f"model {name}: its tokenizer has no chat template, but `evaluation.apply_chat_template` requires one. Set it to "
            "false, or to the list of models that have one, such as [capybara]."
        )


def model_args(model: Path, adapter: Path | None, settings: Row) -> Row:
    """The arguments of lm-eval's backend; an adapter is applied to the base model without merging.

    A single process uses all GPUs that it sees: hf puts some layers on each, vLLM a part of every layer.
    """
    import torch

    arguments: Row = {"pretrained": str(model), "dtype": settings["dtype"], "trust_remote_code": False}
    if (gpus := torch.cuda.device_count()) > 1 and int(os.environ.get("WORLD_SIZE", 1)) == 1:
        arguments |= {"parallelize": True} if settings["backend"] == "hf" else {"tensor_parallel_size": gpus}
    arguments |= settings["backend_args"]
    if adapter is not None:
        # The adapter's folder contains the tokenizer of the training, with its chat template.
        arguments |= {"peft" if settings["backend"] == "hf" else "lora_local_path": str(adapter)}
        arguments |= {"tokenizer": str(adapter)} if (adapter / "tokenizer_config.json").is_file() else {}
    return arguments


def start(arguments: Row, settings: Row) -> Any:
    """lm-eval's model object, as `lm_eval --model ... --model_args ...` creates it.

    UserError if the backend is not installed or the model does not fit into GPU memory.
    """
    import torch
    from lm_eval.api.registry import get_model

    try:
        return get_model(settings["backend"]).create_from_arg_obj(
            arguments, {"batch_size": settings["batch_size"], "max_batch_size": None, "device": device(settings)}
        )
    except ModuleNotFoundError as error:
        raise UserError(
            f"`evaluation.backend` is {settings['backend']}, and {error.name or 'its package'} is not installed. Run "
            "with `--sdm conda`, or in an environment created from envs/vllm.yaml, or set the backend to hf."
        ) from error
    except torch.OutOfMemoryError as error:
        raise UserError(
            "the model does not fit into the memory of its GPUs. Request more in `evaluation.resources.gpus`; with `evaluation.launcher: "
            "python`, the model is then divided among them."
        ) from error


def device(settings: Row) -> str | None:
    """The device for lm-eval; None for vLLM, which chooses it."""
    import torch

    return None if settings["backend"] == "vllm" else "cuda" if torch.cuda.is_available() else "cpu"


def fingerprint(*folders: Path | None) -> str:
    """A hash of the paths, sizes and modification times of a model's files."""
    files = [path for folder in folders if folder is not None for path in sorted(folder.iterdir()) if path.is_file()]
    return content_id([(str(path), (found := path.stat()).st_size, found.st_mtime_ns) for path in files])
