"""Models, configurations and tokenizers of a folder, loaded without executing code from a model repository."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError


def load_config(folder: Path, **options: Any) -> Any:
    """The configuration of a model folder."""
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


def _load(kind: Any, folder: Path, **options: Any) -> Any:
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
