"""Errors in `training:` that the schema cannot find: models that fit together, GPUs that divide the batch, launchers."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.config.schema import renamed_key, schema, validation_errors
from workflow_scripts.training.extra import extra_mistakes

MODEL_KEYS = ("data", "tokens_of")  # keys of a model's entry that `training` itself does not have
PROCESS_OPTIONS = ("--nproc_per_node", "--nnodes", "--num_processes", "--num_machines")  # of the launchers
NODE_OPTIONS = ("--num_machines", "--machine_rank", "--main_process_ip", "--main_process_port")
SHARED_KEYS = ("base", "models", "launcher", "nodes", "resources")  # keys of `training` that no model can override


def model_settings(training: Config, model: str) -> Config:
    """The training settings of one model: those of `training`, overridden by its entry in `training.models`."""
    own = training["models"][model] or {}
    shared = {key: value for key, value in training.items() if key not in SHARED_KEYS}
    return shared | {key: value for key, value in own.items() if key not in (*MODEL_KEYS, *SHARED_KEYS)}


def training_mistakes(training: Config) -> Iterator[str]:
    """One line for each error in a `training` section that is valid under the schema."""
    for name in training["models"]:
        yield from _entry(training["models"], name)
    yield from _launcher(training)
    processes = number_of_processes(training["launcher"])
    for name in training["models"]:
        settings = model_settings(training, name)
        if any(not isinstance(settings[key], int) for key in ("global_batch_size", "micro_batch_size")):
            continue  # reported by `_entry`
        yield from extra_mistakes(settings)
        yield from _checkpoints(settings, name)
        if settings["global_batch_size"] % max(1, settings["micro_batch_size"] * processes):
            yield (
                f"training.global_batch_size: {settings['global_batch_size']} ({name}) is not a multiple of "
                f"micro_batch_size {settings['micro_batch_size']} × {processes} processes of `training.launcher`. Change "
                "one of them: the effective batch size never depends silently on the number of GPUs."
            )
        if settings["attention"] == "flash_attention_2" and settings["dtype"] == "float32":
            yield (
                f"training.attention: flash_attention_2 ({name}) computes only in bfloat16. Set `training.dtype: bfloat16`, "
                "or `training.attention: sdpa`."
            )


def _checkpoints(settings: Config, name: str) -> Iterator[str]:
    """Errors of checkpoints and evaluations: none at all, or the best one cannot be kept."""
    evaluated, saved = settings["eval_steps"], settings["save_steps"]
    if saved is None and settings["save_minutes"] is None:
        yield f"training.save_steps: null ({name}), and so is `save_minutes`: an interrupted training starts again. Set one."
    if settings["keep_best"] and (not evaluated or not saved or saved % evaluated or settings["save_minutes"]):
        yield (
            f"training.keep_best: every checkpoint must be evaluated ({name}). Set `eval_steps`, `save_steps` to a multiple of it, "
            "and `save_minutes: null`."
        )
    if settings["early_stopping"] and not settings["keep_best"]:
        yield f"training.early_stopping: the last step is not the best ({name}). Set `training.keep_best: true`."


def _entry(models: Config, name: str) -> Iterator[str]:
    """Errors of one entry of `training.models`."""
    where, entry = f"training.models.{name}", models[name]
    known = schema()["properties"]["training"]["properties"]
    for key in entry:
        if key in SHARED_KEYS:
            yield f"{where}.{key}: cannot differ between the models of a run. Set it in `training`, or use another run."
        elif key not in MODEL_KEYS and key not in known:
            renamed = renamed_key(f"{where}.{key}", f"training.{key}")
            options = [*MODEL_KEYS, *(other for other in known if other not in SHARED_KEYS)]
            yield renamed or f"{where}.{key}: unknown key; {suggest(key, options)}"
    own = {key: value for key, value in entry.items() if key not in (*MODEL_KEYS, *SHARED_KEYS)}
    part = {"$defs": schema()["$defs"], "properties": known}
    yield from validation_errors(own, part, name=where, key="training")
    path, other = [name], entry.get("tokens_of")
    while other is not None:
        if other not in models:
            yield f"{where}.tokens_of: {other} is not one of `training.models`."
            break
        if other in path:
            yield f"{where}.tokens_of: refers back to {other}. Remove `tokens_of` from one of these models."
            break
        path.append(other)
        other = (models[other] or {}).get("tokens_of")


def _launcher(training: Config) -> Iterator[str]:
    """Errors of `training.launcher`: a number of processes that is unknown or does not match the GPUs."""
    words, gpus = shlex.split(training["launcher"]), training["resources"]["gpus"]
    if not words:
        yield "training.launcher: empty. Set python, or the command that starts several processes."
        return
    if unclear := [name for name in PROCESS_OPTIONS if not (_option(words, name) or "1").isdecimal()]:
        yield (
            f"training.launcher: {unclear[0]} is {_option(words, unclear[0])}. Write the number: the effective batch size "
            "is computed from it."
        )
        return
    yield from _nodes(training, words)
    file, processes = _option(words, "--config_file"), number_of_processes(training["launcher"])
    if file and not Path(file).is_file():
        yield f"training.launcher: no such file: {file}."
    elif gpus > 1 and processes == 1:
        yield (
            f"training.launcher: starts 1 process for {gpus} GPUs (`training.resources.gpus`). Use accelerate launch "
            f"--num_processes {gpus} --config_file profiles/accelerate/fsdp2.yaml, or request 1 GPU."
        )
    elif 1 < gpus < processes / max(training["nodes"], int(_option(words, "--num_machines") or 1)):
        yield f"training.launcher: starts {processes} processes for {gpus} GPUs. Start one process per GPU."


def _nodes(training: Config, words: list[str]) -> Iterator[str]:
    """Errors of several nodes: another launcher, options that the workflow sets, processes that do not divide."""
    nodes, processes = training["nodes"], number_of_processes(training["launcher"])
    if nodes == 1:
        return
    if words[:2] != ["accelerate", "launch"]:
        yield f"training.launcher: {nodes} nodes need `accelerate launch --num_processes N` (`training.nodes`)."
    elif own := [name for name in NODE_OPTIONS if _option(words, name) is not None]:
        yield f"training.launcher: {own[0]} is set by `training.nodes`, from SLURM's variables. Delete the option."
    elif processes % nodes:
        yield f"training.launcher: {processes} processes are not divided by {nodes} nodes (`training.nodes`). Count those of all nodes."


def number_of_processes(launcher: str) -> int:
    """Processes that a launcher starts on all machines: by its options, else by its configuration file, else 1."""
    words = shlex.split(launcher)
    if not all((_option(words, name) or "1").isdecimal() for name in PROCESS_OPTIONS):
        return 1  # reported by `_launcher`
    if any(Path(word).name == "torchrun" or word == "torch.distributed.run" for word in words):
        return int(_option(words, "--nproc_per_node") or 1) * int(_option(words, "--nnodes") or 1)
    if number := _option(words, "--num_processes"):
        return int(number)
    file = _option(words, "--config_file")
    if file and Path(file).is_file():
        return int((read_yaml(Path(file)) or {}).get("num_processes", 1))
    return 1


def uses_fsdp(launcher: str) -> bool:
    """Whether the configuration file of `accelerate launch` shards the model with FSDP."""
    file = _option(shlex.split(launcher), "--config_file")
    return bool(file and Path(file).is_file() and (read_yaml(Path(file)) or {}).get("distributed_type") == "FSDP")


def _option(words: list[str], name: str) -> str | None:
    """The value of `--name value` or `--name=value`; dashes and underscores are the same."""
    for position, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key.replace("-", "_") == name.replace("-", "_"):
            return value if equals else (words[position + 1] if position + 1 < len(words) else None)
    return None
