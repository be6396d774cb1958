"""What a training will take, by arithmetic: steps, tokens, memory of each GPU, hours. Nothing here was measured.

Memory counts weights, gradients, AdamW's two moments and kept activations; FLOPs are 6 a weight and token (2 of them
forward), 4 where the weights themselves get no gradient, 2 more where activations are computed again, and attention's.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

GIB = 2**30
UTILISATION = 0.4  # share of the data sheet's rate; our assumption
SPARE = 0.9  # share of a card's memory that a plan may use


@dataclass(frozen=True)
class Plan:
    """Figures of one model on so many GPUs. `gib` is of each GPU, in parts by name."""

    parameters: int
    trained: int
    samples: int
    tokens: int  # of all epochs
    steps: int
    gib: dict[str, float]
    hours: float

    @property
    def memory(self) -> float:
        """GiB of each GPU."""
        return sum(self.gib.values())


def model_config(base: str, shapes: dict[str, Row]) -> Any:
    """The base's configuration: of its folder, or of the table. UserError if neither has it."""
    from transformers import AutoConfig

    if (Path(base) / "config.json").is_file():
        return AutoConfig.from_pretrained(base)
    if base in shapes:
        return AutoConfig.for_model(**shapes[base])
    raise UserError(
        f"the shape of {base} is not known here. Give the folder of a model that has been fetched with --base."
    )


def count(config: Any, settings: Row) -> tuple[int, int]:
    """Weights of the model, and those that are trained: built without memory by the libraries that train it."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    from workflow_scripts.training.recipe import adapter

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        weights = model.num_parameters()
        if (lora := adapter(settings)) is None:
            return weights, weights
        return weights, get_peft_model(model, lora).get_nb_trainable_parameters()[0]


def memory(config: Any, settings: Row, weights: int, trained: int, gpus: int) -> dict[str, float]:
    """GiB of one GPU, in parts; `gpus` share weights, gradients and moments (FSDP)."""
    width = {"float32": 4, "bfloat16": 2}[settings["dtype"]]
    # Full: float32 weights, and with bfloat16 a copy of them to compute with. QLoRA: half a byte and its scales.
    frozen = {"full": 0.0, "lora": width * weights, "qlora": 0.55 * weights}[settings["method"]]
    copies = width if settings["method"] == "full" and width == 2 else 0
    tokens = settings["max_length"] * settings["micro_batch_size"]
    layers, hidden, inner = config.num_hidden_layers, config.hidden_size, config.intermediate_size
    # What one layer keeps for the way back: about 10 vectors of its width and 3 of its inner one, with attention that
    # never writes its scores. Checkpointing keeps one vector a layer, and one layer at work.
    layer = tokens * (10 * hidden + 3 * inner) * width
    kept = layers * tokens * hidden * width + layer if settings["activation_checkpointing"] else layers * layer
    parts = {
        "weights": (frozen + (4 + copies) * (trained if settings["method"] == "full" else 0)) / gpus
        + (4 * trained / gpus if settings["method"] != "full" else 0),
        "gradients": 4 * trained / gpus,
        "optimiser": 8 * trained / gpus,
        "activations": kept,
        "logits": tokens * config.vocab_size * (4 + 4 + width),
    }
    return {name: size / GIB for name, size in parts.items()}


def plan(config: Any, settings: Row, samples: int, tokens: int, gpus: int, tflops: float) -> Plan:
    """A training of so many samples with so many tokens in all (one epoch of them)."""
    weights, trained = count(config, settings)
    packed = settings["batching"] == "packed"
    rows = math.ceil(tokens / settings["max_length"]) if packed else samples
    steps = math.ceil(math.ceil(rows / settings["global_batch_size"]) * settings["epochs"])
    every = round(tokens * settings["epochs"])
    passes = (6 if settings["method"] == "full" else 4) + 2 * settings["activation_checkpointing"]
    # Scores and sums of attention: 4 x layers x width x places seen, forward, on average half the sample.
    attention = passes / 2 * 4 * config.num_hidden_layers * config.hidden_size * tokens / samples / 2
    flops = every * (passes * weights + attention)
    return Plan(
        weights, trained, samples, every, steps,
        memory(config, settings, weights, trained, gpus),
        flops / (gpus * tflops * 1e12 * UTILISATION) / 3600,
    )  # fmt: skip


def fitting(each: Plan, card: float) -> str:
    """A verdict in words on a card of so many GiB."""
    if each.memory <= SPARE * card:
        return "fits"
    return f"does NOT fit: {each.memory:.0f} of {card:.0f} GiB; more GPUs with FSDP, lora or qlora, or a smaller max_length"
