"""Models, configurations and tokenizers of a folder, loaded without executing code from a model repository."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError


def load_config(folder: Path | str, **options: Any) -> Any:
    """The configuration of a model folder, or of a Hub model."""
    from transformers import AutoConfig

    return _load(AutoConfig, folder, **options)


def load_tokenizer(folder: Path, **options: Any) -> Any:
    """The tokenizer of a model folder."""
    from transformers import AutoTokenizer

    return _load(AutoTokenizer, folder, **options)


def load_model(folder: Path, **options: Any) -> Any:
    """The causal language model of a folder; `options` are those of transformers."""
    from transformers import AutoModelForCausalLM

    return _load(AutoModelForCausalLM, folder, **options)


def load_for_inference(folder: Path, dtype: Any) -> Any:
    """The model for inference, on the GPUs that this process sees: on one, or layer by layer on several; else on the CPU.

    UserError if it does not fit into their memory.
    """
    import torch

    gpus = torch.cuda.device_count()
    try:
        return load_model(folder, dtype=dtype, device_map="auto" if gpus > 1 else "cuda" if gpus else "cpu").eval()
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{folder}: the model does not fit into the memory of {gpus} GPU{'s' * (gpus > 1)}. Request more in "
            "`evaluation.resources.gpus`; the layers are then spread over them."
        ) from error


def _load(kind: Any, folder: Path | str, **options: Any) -> Any:
    """UserError for a model with code of its own. With `None` for `trust_remote_code`, transformers would ask the terminal."""
    try:
        return kind.from_pretrained(folder, trust_remote_code=False, **options)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise UserError(
            f"{folder}: the model needs code from its repository (`auto_map` in config.json), which is never executed. Set "
            "`training.base` to a model that transformers supports itself."
        ) from error
