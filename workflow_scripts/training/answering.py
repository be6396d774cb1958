"""A model's answers, in the template it was (or would be) trained on."""

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


def answer(
    model: Any,
    encoder: Encoder,
    conversation: list[Exchange],
    question: str,
    most: int,
    temperature: float = 0.0,
    streamer: Any = None,
) -> str:
    """The model's answer to a question that follows a conversation; greedy at temperature 0.

    Of a conversation that has outgrown the model's context its first exchanges are left out.
    """
    import torch

    context = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    kept = list(conversation)
    while kept and len(encoder.prompt(kept, question)) + most > context:
        kept.pop(0)
    ids = torch.tensor([encoder.prompt(kept, question)], device=model.device)
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
    with torch.inference_mode():
        produced = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=most,
            eos_token_id=encoder.tokenizer.eos_token_id,
            pad_token_id=encoder.tokenizer.pad_token_id,
            streamer=streamer,
            **sampling,
        )
    return encoder.tokenizer.decode(produced[0, ids.shape[1] :], skip_special_tokens=True).strip()
