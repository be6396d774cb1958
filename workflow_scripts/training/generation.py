"""Answers of a model, in the template it was (or would be) trained on."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.conversations import Exchange
from workflow_scripts.common.errors import UserError
from workflow_scripts.training.template import Encoder, set_template


def load(folder: Path, dtype: str = "auto") -> tuple[Any, Encoder]:
    """A model and its encoder. UserError if the folder holds none."""
    if not (folder / "config.json").is_file():
        finished = ", ".join(
            sorted(str(path.parent) for path in Path("results").glob("*/training/*/final/config.json"))
        )
        raise UserError(
            f"{folder}: no model there (a model's folder holds config.json and *.safetensors). "
            + (f"Finished ones: {finished}." if finished else "Train one first: snakemake --cores all.")
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return model, Encoder(set_template(AutoTokenizer.from_pretrained(folder)))


def answers(
    model: Any,
    encoder: Encoder,
    asked: list[tuple[list[Exchange], str]],
    most: int,
    temperature: float = 0.0,
    streamer: Any = None,
) -> list[str]:
    """The model's answers to questions that follow conversations, all in one batch; greedy at temperature 0.

    Of a conversation that has outgrown the model's context its first exchanges are left out. A streamer takes one only.
    """
    import torch

    context = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    prompts = []
    for conversation, question in asked:
        kept = list(conversation)
        while kept and len(encoder.prompt(kept, question)) + most > context:
            kept.pop(0)
        prompts.append(encoder.prompt(kept, question))
    batch = encoder.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt").to(model.device)
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
    with torch.inference_mode():
        produced = model.generate(
            **batch,
            max_new_tokens=most,
            eos_token_id=encoder.tokenizer.eos_token_id,
            pad_token_id=encoder.tokenizer.pad_token_id,
            streamer=streamer,
            **sampling,
        )
    texts = encoder.tokenizer.batch_decode(produced[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]
