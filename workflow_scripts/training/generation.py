"""Answers of a model, generated with the training template."""

from pathlib import Path
from typing import Any

from workflow_scripts.common import pretrained
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Exchange
from workflow_scripts.training.template import Encoder, set_template


def load_model(folder: Path, dtype: str = "auto") -> tuple[Any, Encoder]:
    """A model on the GPUs, if there are any, and its encoder. UserError if the folder contains no model."""
    if not (folder / "config.json").is_file():
        finished = ", ".join(
            sorted(str(path.parent) for path in Path("results").glob("*/training/*/final/config.json"))
        )
        raise UserError(
            f"{folder}: no model there (no config.json). "
            + (f"Use one of: {finished}." if finished else "Train one first: snakemake --cores all.")
        )
    return pretrained.load_for_inference(folder, dtype), Encoder(set_template(pretrained.load_tokenizer(folder)))


def generate_answers(
    model: Any,
    encoder: Encoder,
    requests: list[tuple[list[Exchange], str]],
    max_new_tokens: int,
    temperature: float = 0.0,
    streamer: Any = None,
) -> list[str]:
    """The model's answers to (conversation, question) requests, in one batch; greedy at temperature 0.

    If a conversation exceeds the model's context, its first exchanges are left out. A streamer needs a single request.
    """
    import torch

    context = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    prompts = []
    for conversation, question in requests:
        kept = list(conversation)
        while kept and len(encoder.prompt(kept, question)) + max_new_tokens > context:
            kept.pop(0)
        prompts.append(encoder.prompt(kept, question))
    batch = encoder.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt").to(model.device)
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
    with torch.inference_mode():
        generated = model.generate(
            **batch,
            max_new_tokens=max_new_tokens,
            eos_token_id=encoder.tokenizer.eos_token_id,
            pad_token_id=encoder.tokenizer.pad_token_id,
            streamer=streamer,
            **sampling,
        )
    texts = encoder.tokenizer.batch_decode(generated[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]
