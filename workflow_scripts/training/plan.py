"""Estimate of a training's resources: steps, tokens, memory per GPU, hours. Computed, not measured.

Memory: weights, gradients, AdamW's two moments, stored activations. FLOPs per weight and token: 6 (2 of them forward), 4 if
the weights get no gradient, 2 more if activations are recomputed; plus attention.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_location import local_model
from workflow_scripts.common.pretrained import load_config
from workflow_scripts.common.types import Row

GIB = 2**30
UTILISATION = 0.4  # share of the data sheet's FLOP/s; our assumption
USABLE_MEMORY = 0.9  # share of a GPU's memory


@dataclass(frozen=True)
class Plan:
    """Estimate for one model. `gib`: memory of each GPU by use; `hours`: on all GPUs together."""

    parameters: int
    trained: int
    samples: int
    tokens: int  # in all epochs
    steps: int
    gib: dict[str, float]
    hours: float

    @property
    def memory(self) -> float:
        """Memory of each GPU in GiB."""
        return sum(self.gib.values())


def model_config(base: str, shapes: dict[str, Row]) -> Any:
    """The base model's configuration, from its folder, its GGUF file or the table `shapes`. UserError if none has it."""
    from transformers import AutoConfig

    if base in shapes:
        return AutoConfig.for_model(**shapes[base])
    path = Path(base) if (Path(base) / "config.json").is_file() else local_model(base)
    if path is not None and path.suffix == ".gguf":
        config = load_config(path.parent, gguf_file=path.name)
        if hasattr(config, "quantization_config"):  # fetch_base dequantises the weights
            del config.quantization_config
        return config
    if path is not None and (path / "config.json").is_file():
        return load_config(path)
    raise UserError(f"the shape of {base} is unknown. Set --base to the folder of a downloaded model.")


def count_parameters(config: Any, settings: Row) -> tuple[int, int]:
    """Number of weights, and of trained weights; the libraries build the model without allocating memory."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    from workflow_scripts.training.recipe import adapter

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False, dtype=torch.bfloat16)
        weights = model.num_parameters()
        if (lora := adapter(settings)) is None:
            return weights, weights
        return weights, get_peft_model(model, lora).get_nb_trainable_parameters()[0]


def memory(config: Any, settings: Row, weights: int, trained: int, gpus: int) -> dict[str, float]:
    """Memory of one GPU in GiB by use; weights, gradients and moments are sharded over `gpus` (FSDP)."""
    width = {"float32": 4, "bfloat16": 2}[settings["dtype"]]
    # Full: float32 weights, with bfloat16 also a copy for computing. QLoRA: half a byte per weight, and its scales.
    frozen = {"full": 0.0, "lora": width * weights, "qlora": 0.55 * weights}[settings["method"]]
    copies = width if settings["method"] == "full" and width == 2 else 0
    tokens = settings["max_length"] * settings["micro_batch_size"]
    layers, hidden, inner = config.num_hidden_layers, config.hidden_size, config.intermediate_size
    # Activations that a layer stores for the backward pass: per token about 10 vectors of the hidden and 3 of the inner
    # size, without attention scores. With checkpointing: one vector per layer, and one full layer.
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
    """The estimate for `samples` samples with `tokens` tokens in total in one epoch; `tflops` is the data sheet's TFLOP/s."""
    weights, trained = count_parameters(config, settings)
    packed = settings["batching"] == "packed"
    rows = math.ceil(tokens / settings["max_length"]) if packed else samples
    steps = math.ceil(math.ceil(rows / settings["global_batch_size"]) * settings["epochs"])
    all_tokens = round(tokens * settings["epochs"])
    passes = (6 if settings["method"] == "full" else 4) + 2 * settings["activation_checkpointing"]
    # Attention scores and sums: 4 x layers x hidden size x attended tokens (on average half the sample), forward.
    attention = passes / 2 * 4 * config.num_hidden_layers * config.hidden_size * tokens / samples / 2
    flops = all_tokens * (passes * weights + attention)
    return Plan(
        weights, trained, samples, all_tokens, steps,
        memory(config, settings, weights, trained, gpus),
        flops / (gpus * tflops * 1e12 * UTILISATION) / 3600,
    )  # fmt: skip


def memory_verdict(each: Plan, gpu_memory: float) -> str:
    """Whether the plan fits a GPU with `gpu_memory` GiB, as text."""
    if each.memory <= USABLE_MEMORY * gpu_memory:
        return "fits"
    return f"does NOT fit: {each.memory:.0f} of {gpu_memory:.0f} GiB; use more GPUs with FSDP, lora or qlora, or a smaller max_length"
