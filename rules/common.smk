"""What all stages share: the checked configuration, and short names for what rules take from it."""

import json
import math
import os
import re
import shlex
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The workflow's own package, and nothing else, is looked for beside the Snakefile.
if workflow.basedir not in sys.path:
    sys.path.insert(0, workflow.basedir)

from workflow_scripts.config import check, record, sources
from workflow_scripts.config.code import source_files, template_files, use_this_python
from workflow_scripts.config.earlier_jobs import wait_for_earlier_jobs
from workflow_scripts.evaluation import suites
from workflow_scripts.teacher.runtime_settings import answering, share_limits
from workflow_scripts.decontamination import catalogue
from workflow_scripts.common.model_location import model_files, on_hub

use_this_python()

CONFIG_FILES = list(
    dict.fromkeys(os.path.relpath(name) for name in ("config.yaml", *(workflow.overwrite_configfiles or [])))
)

if mistakes := check.mistakes(config, CONFIG_FILES):
    raise WorkflowError("The configuration has mistakes:", *(f"  {line}" for line in mistakes))
if workflow.is_main_process and (mistake := check.folder_mistake(config, CONFIG_FILES)):
    raise WorkflowError(mistake)
if workflow.is_main_process and not workflow.output_settings.dryrun:
    wait_for_earlier_jobs()


STARTED = time.time()


onstart:
    check.claim_folder(config, CONFIG_FILES)
    record.write(config, CONFIG_FILES, Path(config["results"]) / config["run"], Path(workflow.basedir))


onerror:
    # Said once more at the end, where it is looked for.
    for line in check.error_lines(Path(config["results"]) / config["run"] / "logs", since=STARTED):
        print(line)


onsuccess:
    folder = f"{config['results']}/{config['run']}"
    if Path(folder, "report", "index.html").is_file():  # not if a part of the run was asked for
        print(f"Done. Look at {folder}/report/index.html; what can be published is in {folder}/release")


def without(section, *names):
    """A section of the configuration without the named keys."""
    return {name: value for name, value in config[section].items() if name not in names}


SOURCES = {
    source["id"]: source
    for source in (sources.resolve(entry, sources.registry()) for entry in config["seeds"]["sources"])
}
INCLUDED = config["conversations"]["include"]
BENCHMARKS, SUITES = catalogue.resolve(config["decontamination"]["benchmarks"], config["decontamination"]["custom"])
PARTS = range(1, config["decontamination"]["parts"] + 1)
SHARDS = [f"{n:04d}" for n in range(math.ceil(config["seeds"]["limit"] / config["synthesis"]["shard_size"]))]
share_limits(config["teacher"])
# Stages with rejected rows; without seed sources nothing is synthesised, nor verified.
DATA_STAGES = [*(["seeds", "synthesis", "verification"] if SOURCES else []), "decontamination", "dataset"]
# Whose resources labelling takes.
LABELLERS = ["seeds", "teacher"] if config["seeds"]["labels"]["by"] == "teacher" else ["seeds"]
# Environments of what may start vLLM, whose pins are its own.
VLLM_TEACHER = config["teacher"]["kind"] == "vllm"
TEACHER_ENVIRONMENT = "../envs/vllm.yaml" if VLLM_TEACHER else "../envs/teacher.yaml"
LABELS_ENVIRONMENT = "../envs/vllm.yaml" if VLLM_TEACHER and "teacher" in LABELLERS else "../envs/labels.yaml"
SCORING_ENVIRONMENT = "../envs/vllm.yaml" if config["evaluation"]["backend"] == "vllm" else "../envs/evaluation.yaml"
TRAINED = list(config["training"]["models"])
MODELS = ["base", *TRAINED]
GGUF = f"<results>/release/gguf/capybara-{config['run']}-f16.gguf" if config["release"]["gguf_converter"] else []
# Each lm-eval task with its shots, by the name that its files carry; those of a batch share one load of the model.
ENTRIES = suites.entries(config["evaluation"])
TASKS = list(ENTRIES)
BATCHES = suites.batches(TASKS, config["evaluation"]["tasks_per_job"])
ALONE = [batch[0] for batch in BATCHES if len(batch) == 1]
LM_EVAL_TASKS = list(dict.fromkeys(entry["task"] for entry in ENTRIES.values()))


wildcard_constraints:
    source="|".join(map(re.escape, SOURCES)) or "none",
    benchmark="|".join(map(re.escape, BENCHMARKS)) or "none",
    shard=r"\d{4}\d*",
    included=r"\d+",
    part=r"\d+",
    model="|".join(MODELS),
    task="|".join(map(re.escape, ALONE)) or "none",
    lm_eval_task="|".join(map(re.escape, LM_EVAL_TASKS)),
    code_task=r"humaneval_completions[^/]*",


# A file of each job between the sources and the conversations; without sources there are none.
SEED_STEPS = (
    [
        *(f"<results>/seeds/{name}.parquet" for name in ("unique", "embedded", "distinct", "labelled")),
        "<results>/seeds/data.jsonl",
        *(f"<results>/synthesis/shards/{shard}.jsonl" for shard in SHARDS),
        *(f"<results>/{stage}/data.jsonl" for stage in ("synthesis", "verification")),
        *(f"<results>/verification/{name}.jsonl" for name in ("queue", "decisions")),
    ]
    if SOURCES
    else []
)


def as_json(value):
    """A parameter function: Snakemake would take the braces of a plain string for wildcards."""
    return lambda wildcards: json.dumps(value, sort_keys=True)


def part(section, *names):
    """The named keys of a section of the configuration: what is not named reruns nothing when it changes."""
    return {name: config[section][name] for name in names}


def memory(section):
    """Memory of a job of a stage, in MiB."""
    return int(config[section]["resources"]["memory_gb"] * 1024)


def growing(amount):
    """A resource function: `amount` of memory or minutes, twice as much at the first retry, and so on."""
    return lambda wildcards, attempt: amount * attempt


def source_part(keys):
    """A parameter function: what one step needs of its source."""
    return lambda wildcards: json.dumps(sources.part(SOURCES[wildcards.source], keys), sort_keys=True)


def local_file(entry):
    """The local file of a config entry as an input, so that a change of it is noticed; none for a hub dataset."""
    return entry.get("path", [])


def embeds():
    """Whether anything compares or labels seeds by their embeddings."""
    seeds = config["seeds"]
    return seeds["deduplication"]["semantic_distance"] is not None or seeds["labels"]["by"] == "classifier"


def embedder_files():
    """The embedding model's files: a hub model is fetched first."""
    model = config["seeds"]["embedding"]["model"]
    if not embeds():
        return []
    return "<results>/seeds/embedder/modules.json" if on_hub(model) else model_files(model)


def embedder(wildcards, input):
    """The embedding model's name or folder, empty if none is needed."""
    model = config["seeds"]["embedding"]["model"]
    if not embeds():
        return ""
    return os.path.dirname(input.model[0] if isinstance(input.model, list) else input.model) if on_hub(model) else model


def prompt_files():
    """What the techniques say, draw from and check by."""
    own = (str(path) for path in Path("workflow_scripts/synthesis").rglob("*") if path.suffix in (".jinja", ".yaml"))
    return [*sorted(own), "workflow_scripts/seeds/labels/flask.yaml", "workflow_scripts/seeds/cleaning/phrases.yaml"]


def teacher_files():
    """The files of a teacher that a job starts, so that other weights are noticed: a hub model is fetched first."""
    if config["teacher"]["kind"] == "endpoint":
        return []
    model = config["teacher"]["model"]
    return "<results>/synthesis/teacher.json" if on_hub(model) else model_files(model)


def templates(*pages):
    """Templates of pages, with all that these include."""
    return sorted({path for page in pages for path in template_files(page)})


def card_templates(name):
    """Templates of a card."""
    return [f"workflow_scripts/release/templates/{each}.md.jinja" for each in (name, "parts")]


def released(*names):
    """What the cards say of the configuration; the model is the first one."""
    teacher = part("teacher", "model", "revision")
    about = {
        "base": config["training"]["base"],
        "teacher": teacher,
        "training": without("training", "base", "models", "launcher", "resources")
        | (config["training"]["models"][TRAINED[0]] or {}),
        "model": TRAINED[0],
        "included": bool(config["conversations"]["include"]),
        "release": config["release"],
    }
    return {"run": config["run"], **{name: about[name] for name in names}}


def post_tasks(source):
    """What is asked of posts, for a source that holds any."""
    return "workflow_scripts/seeds/post_tasks.yaml" if source["layout"] == "post" else []


def trained_model(wildcards):
    """What a model's entry in `training.models` says, completed."""
    return {"data": "conversations", "tokens_of": None} | (config["training"]["models"][wildcards.trained] or {})


def recipe(*names):
    """A parameter function: the named keys of `training`, or all that training itself needs, as the model has them."""

    def chosen(wildcards):
        settings = without("training", "base", "models", "launcher", "resources") | trained_model(wildcards)
        wanted = names or sorted(set(settings) - {"data", "tokens_of"})
        return json.dumps({name: settings[name] for name in wanted}, sort_keys=True)

    return chosen


def tokens_of(wildcards):
    """The audit of the model whose number of trainable tokens a model is to have, if any."""
    other = trained_model(wildcards)["tokens_of"]
    return f"<results>/training/{other}/audit.json" if other else []


def task_files(wildcards):
    """The project's and the user's own lm-eval task files, so that a change of them is noticed; the built-in ones are pinned."""
    folder = config["evaluation"]["include_path"]
    own = sorted(str(path) for path in Path(folder).rglob("*") if path.is_file()) if folder else []
    return [*sorted(map(str, Path("workflow_scripts/evaluation/lm_eval_tasks").glob("*.yaml"))), *own]


def include_path_option():
    """`--include-path` where the configuration has one."""
    folder = config["evaluation"]["include_path"]
    return f"--include-path {shlex.quote(folder)}" if folder else ""
