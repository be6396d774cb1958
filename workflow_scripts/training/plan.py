"""Estimate of the resources of a training and of the rules that use its model. Computed, not measured.

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
PROCESS_GIB = {"gpu": 3, "cpu": 1}  # host memory of a Python process with torch; our assumption
WIDTH = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes per value


@dataclass(frozen=True)
class Devices:
    """What a training runs on: GPUs of all nodes, nodes, whether FSDP shards the model, TFLOP/s of a GPU's data sheet."""

    gpus: int
    tflops: float
    fsdp: bool = False
    nodes: int = 1

    @property
    def shards(self) -> int:
        """Parts into which weights, gradients and moments are divided; without FSDP every GPU has all of them."""
        return self.gpus if self.fsdp else 1


@dataclass(frozen=True)
class Plan:
    """Estimate for one model. `gib`: memory of each GPU by use; `host`: memory of each node, GiB; `hours`: on all GPUs together.

    `checkpoint`: bytes of one checkpoint. `flops`: of the whole training.
    """

    parameters: int
    trained: int
    samples: int
    tokens: int  # in all epochs
    steps: int
    gib: dict[str, float]
    host: float
    checkpoint: float
    flops: float
    hours: float

    @property
    def memory(self) -> float:
        """Memory of each GPU in GiB."""
        return sum(self.gib.values())


def model_config(base: str, shapes: dict[str, Row], revision: str | None = None) -> Any:
    """The base model's configuration: from the table `shapes`, its folder, its GGUF file or the Hub. UserError if none has it."""
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
    try:
        return load_config(base, revision=revision)
    except (OSError, ValueError) as error:  # no network, no access, no such model
        raise UserError(
            f"the shape of {base} is unknown, and its config.json cannot be read from the Hub "
            f"({str(error).strip().splitlines()[0]}). Set --base to the folder of a downloaded model."
        ) from error


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


def memory(config: Any, settings: Row, weights: int, trained: int, devices: Devices) -> dict[str, float]:
    """Memory of one GPU in GiB by use."""
    config = config.get_text_config()
    width, shards, full = WIDTH[settings["dtype"]], devices.shards, settings["method"] == "full"
    # Full: float32 weights, with bfloat16 also a copy for computing. QLoRA: half a byte per weight, and its scales.
    frozen = {"full": 0.0, "lora": width * weights, "qlora": 0.55 * weights}[settings["method"]]
    copies = width if full and width == 2 else 0
    tokens = settings["max_length"] * settings["micro_batch_size"]
    layers, hidden = config.num_hidden_layers, config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    # Activations that a layer stores for the backward pass: per token about 10 vectors of the hidden and 3 of the inner
    # size, without attention scores. With checkpointing: one vector per layer, and one full layer.
    layer = tokens * (10 * hidden + 3 * inner) * width
    kept = layers * tokens * hidden * width + layer if settings["activation_checkpointing"] else layers * layer
    parts = {
        "weights": ((frozen + (4 + copies) * trained) if full else (frozen + 4 * trained)) / shards,
        "gradients": 4 * trained / shards,
        "optimiser": 8 * trained / shards,
        "activations": kept,
        "logits": tokens * config.vocab_size * (4 + 4 + width),
    }
    if devices.fsdp:  # the layer that computes and the next one, and the embedding matrices, in full
        matrices = config.vocab_size * hidden
        parts["gathered"] = width * (2 * (weights - 2 * matrices) / layers + 2 * matrices)
    return {name: size / GIB for name, size in parts.items()}


def host_memory(settings: Row, weights: int, trained: int, devices: Devices, process: float) -> float:
    """Memory of each node in GiB: of the processes, `process` each, and of the weights that they read.

    With FSDP only the first process of all reads them, and gathers the trained model at the end.
    """
    processes = math.ceil(devices.gpus / devices.nodes)
    loaded = (4 if settings["method"] == "full" else WIDTH[settings["dtype"]]) * weights + 4 * (trained % weights)
    copies = 1 if devices.fsdp and settings["method"] != "qlora" else processes
    return processes * process + copies * loaded / GIB


def plan(
    config: Any, settings: Row, samples: int, tokens: int, devices: Devices, process: float = PROCESS_GIB["gpu"]
) -> Plan:
    """The estimate for `samples` samples with `tokens` tokens in total in one epoch; `process`: see `host_memory`."""
    weights, trained = count_parameters(config, settings)
    packed = settings["batching"] == "packed"
    rows = math.ceil(tokens / settings["max_length"]) if packed else samples
    steps = math.ceil(math.ceil(rows / settings["global_batch_size"]) * settings["epochs"])
    all_tokens = round(tokens * settings["epochs"])
    passes = (6 if settings["method"] == "full" else 4) + 2 * settings["activation_checkpointing"]
    # Attention scores and sums: 4 x layers x hidden size x attended tokens (on average half the sample), forward.
    text = config.get_text_config()
    attention = passes / 2 * 4 * text.num_hidden_layers * text.hidden_size * tokens / samples / 2
    flops = all_tokens * (passes * weights + attention)
    return Plan(
        weights, trained, samples, all_tokens, steps,
        memory(config, settings, weights, trained, devices),
        host_memory(settings, weights, trained, devices, process),
        12 * trained,  # float32 weights and two moments; of an adapter, its own only
        flops,
        flops / (devices.gpus * devices.tflops * 1e12 * UTILISATION) / 3600,
    )  # fmt: skip


def merge_memory(weights: int, dtype: str) -> float:
    """Host memory of merge_model in GiB, which loads one model at a time."""
    return PROCESS_GIB["cpu"] + WIDTH[dtype] * weights / GIB


def inference_memory(config: Any, weights: int, dtype: str, tokens: int) -> float:
    """GPU memory in GiB to compute the loss of `tokens` tokens: weights, and logits also in float32.

    Generation and scoring need a similar amount, for keys and values instead of logits.
    """
    return (WIDTH[dtype] * weights + tokens * config.get_text_config().vocab_size * (WIDTH[dtype] + 8)) / GIB


def verdict(needed: float, there: float, remedy: str) -> str:
    """Whether `needed` GiB fit, as text."""
    return "fits" if needed <= there else f"does NOT fit: {remedy}"
