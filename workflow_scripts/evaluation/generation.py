"""Answers of a transformers model to conversations, greedily, in its tokenizer's chat template."""

from pathlib import Path
from typing import Any

from workflow_scripts.training.template import set_template

Message = dict[str, str]


def load(folder: Path, dtype: str, threads: int) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder, on the GPU if there is one, in the template it was (or would be) trained on."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = set_template(AutoTokenizer.from_pretrained(folder, padding_side="left"))
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def answers(model: Any, tokenizer: Any, conversations: list[list[Message]], max_tokens: int) -> list[str]:
    """The model's next answer in each conversation, all in one batch."""
    import torch

    encoded = tokenizer.apply_chat_template(
        conversations, tokenize=True, return_dict=True, return_tensors="pt", padding=len(conversations) > 1
    ).to(model.device)
    with torch.inference_mode():
        produced = model.generate(
            **encoded, max_new_tokens=max_tokens, do_sample=False, pad_token_id=tokenizer.eos_token_id
        )
    texts = tokenizer.batch_decode(produced[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]
