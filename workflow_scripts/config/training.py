"""What the schema cannot say of `training:`: models that fit together, GPUs that divide the batch, options that exclude."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

from workflow_scripts.common.types import Config

OWN = ("data", "tokens_of")  # keys of a model's entry that are none of `training`
COUNTS = ("--nproc_per_node", "--nnodes", "--num_processes", "--num_machines")  # options of launchers
SHARED = ("base", "models", "launcher", "resources")  # keys of `training` that no model may have for itself


def model_settings(training: Config, model: str) -> Config:
    """The training settings of one model: those of `training` that a model may override, and its own."""
    own = training["models"][model] or {}
    shared = {key: value for key, value in training.items() if key not in SHARED}
    return shared | {key: value for key, value in own.items() if key not in (*OWN, *SHARED)}


def training_mistakes(training: Config, schema: Config) -> Iterator[str]:
    """One line a mistake. `schema` is that of the whole configuration."""
    models = training["models"]
    for name, entry in models.items():
        where = f"training.models.{name}"
        for key in entry:
            if key in SHARED:
                yield f"{where}.{key}: is the same for all models of a run. Give it in `training`, or make another run."
            elif key not in OWN and key not in schema["properties"]["training"]["properties"]:
                yield f"{where}.{key}: unknown key; an entry may hold {', '.join(OWN)} and keys of `training`."
        own = {key: value for key, value in entry.items() if key not in (*OWN, *SHARED)}
        part = {"$defs": schema["$defs"], "properties": schema["properties"]["training"]["properties"]}
        for error in jsonschema.Draft202012Validator(part).iter_errors(own):
            yield f"{where}.{'.'.join(map(str, error.absolute_path))}: {error.message}."
        seen, other = [name], entry.get("tokens_of")
        while other is not None:
            if other not in models:
                yield f"{where}.tokens_of: {other} is not one of `training.models`."
                break
            if other in seen:
                yield f"{where}.tokens_of: leads back to {other}. One of them must say by itself what it is trained on."
                break
            seen.append(other)
            other = (models[other] or {}).get("tokens_of")
    yield from _launcher(training)
    for name in models:
        settings = model_settings(training, name)
        processes = number_of_processes(training["launcher"])
        if settings["global_batch_size"] % (settings["micro_batch_size"] * processes):
            yield (
                f"training.global_batch_size: {settings['global_batch_size']} ({name}) is not a multiple of micro_batch_size {settings['micro_batch_size']} x "
                f"{processes} processes of `training.launcher`. Change one of them: the batch never silently follows the number of GPUs."
            )
        if settings["attention"] == "flash_attention_2" and settings["dtype"] == "float32":
            yield f"training.attention: flash_attention_2 ({name}) computes in bfloat16 only. Set `training.dtype: bfloat16`, or sdpa."


def _launcher(training: Config) -> Iterator[str]:
    words, gpus = shlex.split(training["launcher"]), training["resources"]["gpus"]
    if not words:
        yield "training.launcher: empty. Write python, or the command that starts several processes."
        return
    if named := [name for name in COUNTS if not (_option(words, name) or "1").isdecimal()]:
        yield f"training.launcher: {named[0]} is {_option(words, named[0])}. Write the number: the global batch is checked by it."
        return
    file = _option(words, "--config_file")
    if file and not Path(file).is_file():
        yield f"training.launcher: no such file: {file}."
    elif gpus > 1 and number_of_processes(training["launcher"]) == 1:
        yield (
            f"training.launcher: starts one process, and `training.resources.gpus` are {gpus}. Use accelerate launch "
            f"--num_processes {gpus} --config_file profiles/accelerate/fsdp2.yaml, or ask for one GPU."
        )
    elif 1 < gpus < number_of_processes(training["launcher"]) / max(1, int(_option(words, "--num_machines") or 1)):
        yield f"training.launcher: starts {number_of_processes(training['launcher'])} processes for {gpus} GPUs. Each takes one."


def number_of_processes(launcher: str) -> int:
    """Processes that a launcher starts on all machines: its option, or that of its configuration file, or 1."""
    words = shlex.split(launcher)
    if not all((_option(words, name) or "1").isdecimal() for name in COUNTS):
        return 1  # which is told as a mistake of its own
    if any(Path(word).name == "torchrun" or word == "torch.distributed.run" for word in words):
        return int(_option(words, "--nproc_per_node") or 1) * int(_option(words, "--nnodes") or 1)
    if number := _option(words, "--num_processes"):
        return int(number)
    file = _option(words, "--config_file")
    if file and Path(file).is_file():
        return int((yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}).get("num_processes", 1))
    return 1


def _option(words: list[str], name: str) -> str | None:
    """The value of `--name value` or `--name=value`, dashes and underscores alike."""
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key.replace("-", "_") == name.replace("-", "_"):
            return value if equals else (words[place + 1] if place + 1 < len(words) else None)
    return None
