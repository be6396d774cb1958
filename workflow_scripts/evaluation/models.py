"""The model to score: checked before anything is loaded, then brought up by one of lm-eval's backends."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row


def check_folder(model: Path, adapter: Path | None) -> None:
    """UserError unless the folder holds a model in safetensors, and the adapter's folder an adapter."""
    if not (model / "config.json").is_file():
        raise UserError(f"{model}: no config.json, so no model to score. Delete the folder and run again.")
    if not any(model.glob("*.safetensors")):
        raise UserError(
            f"{model}: config.json is there, but no *.safetensors, so the model has no weights. Delete the folder and run again."
        )
    if adapter is not None and not (adapter / "adapter_config.json").is_file():
        raise UserError(
            f"{adapter}: no adapter_config.json, so no adapter. `evaluation.adapter: unmerged` needs `training.method: lora`."
        )


def check_template(folder: Path, name: str) -> None:
    """UserError if prompts are to be wrapped in a chat template that the tokenizer does not have."""
    from transformers import AutoTokenizer

    if AutoTokenizer.from_pretrained(folder).chat_template is None:
        raise UserError(
            f"model {name}: its tokenizer has no chat template, and `evaluation.apply_chat_template` asks for one. Set it to "
            "false, or list the models that have one, such as [capybara]."
        )


def model_args(model: Path, adapter: Path | None, settings: Row) -> Row:
    """What lm-eval's backend is given; an adapter is applied to the base model as it is, nothing is merged."""
    arguments: Row = {"pretrained": str(model), "dtype": settings["dtype"], **settings["backend_args"]}
    if adapter is not None:
        # The adapter's folder carries the tokenizer that it was trained with, and its chat template.
        arguments |= {"peft" if settings["backend"] == "hf" else "lora_local_path": str(adapter)}
        arguments |= {"tokenizer": str(adapter)} if (adapter / "tokenizer_config.json").is_file() else {}
    return arguments


def start(arguments: Row, settings: Row) -> Any:
    """lm-eval's model object, as `lm_eval --model ... --model_args ...` makes it."""
    import torch
    from lm_eval.api.registry import get_model

    try:
        return get_model(settings["backend"]).create_from_arg_obj(
            arguments, {"batch_size": settings["batch_size"], "max_batch_size": None, "device": device(settings)}
        )
    except ModuleNotFoundError as error:
        raise UserError(
            f"`evaluation.backend` is {settings['backend']}, and {error.name or 'its package'} is not installed. Run "
            "with `--sdm conda`, or in an environment made from envs/vllm.yaml, or set the backend to hf."
        ) from error
    except torch.OutOfMemoryError as error:
        raise UserError(
            "the model does not fit into the GPU's memory. Ask for more GPUs in `evaluation.resources` and set "
            "`evaluation.backend_args: {parallelize: true}`."
        ) from error


def device(settings: Row) -> str | None:
    """The device that lm-eval is told; vLLM finds its own."""
    import torch

    return None if settings["backend"] == "vllm" else "cuda" if torch.cuda.is_available() else "cpu"


def stamp(*folders: Path | None) -> str:
    """A hash of names, sizes and times of a model's files: other weights at the same place have another."""
    files = [path for folder in folders if folder is not None for path in sorted(folder.iterdir()) if path.is_file()]
    return content_id([(str(path), (found := path.stat()).st_size, found.st_mtime_ns) for path in files])
