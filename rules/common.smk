"""The checked configuration, and the names and helpers that at least three stages use."""

import os
import re
import shlex
import sys
import time
from pathlib import Path

# The workflow's own package is imported from the folder of the Snakefile.
if workflow.basedir not in sys.path:
    sys.path.insert(0, workflow.basedir)

from workflow_scripts.common.model_location import model_files, on_hub
from workflow_scripts.config import setup, sources
from workflow_scripts.config.code import code_hash
from workflow_scripts.config.parameters import as_json, entry_json, input_files, literal, local_file
from workflow_scripts.config.parameters import stage_resources, subset_json, to_json, with_versions
from workflow_scripts.config.training import model_settings
from workflow_scripts.decontamination import catalogue
from workflow_scripts.evaluation import suites
from workflow_scripts.teacher.runtime_settings import answer_settings, export_runtime_settings

STARTED = time.time()  # seconds of the epoch
# Not by `configfile:`, which names neither line nor repeated key of an invalid file, and ends with a traceback.
CONFIG_FILES = setup.prepare(workflow, config)
GPU_LIMIT = setup.limit_gpus(workflow, config)
workflow.configfiles.append("config.yaml")  # for `snakemake --report` and `--archive`
export_runtime_settings(config["teacher"])


onstart:
    setup.check_jobs(workflow, config, CONFIG_FILES, GPU_LIMIT)
    setup.record_start(config, CONFIG_FILES, workflow.basedir)


onerror:
    setup.print_errors(config, since=STARTED)


onsuccess:
    setup.print_results(config)


STAGES = "seeds synthesis verification conversations decontamination dataset training evaluation report release".split()
DOWNLOADS = []  # what needs internet; each stage adds its own

# What the configuration names, by the wildcard that it fills.
SOURCES = {entry["id"]: entry for entry in map(sources.completed, config["seeds"]["sources"])}
BENCHMARKS, SUITES = catalogue.resolve(config["decontamination"]["benchmarks"], config["decontamination"]["custom"])
TRAINED = list(config["training"]["models"])
MODELS = ["base", *TRAINED]
PEERS = {name: peer for name, peer in config["evaluation"]["peers"].items() if peer}
SCORED_MODELS = [*MODELS, *PEERS]
SETTINGS = {model: model_settings(config["training"], model) for model in TRAINED}
ENTRIES = suites.entries(config["evaluation"])  # each lm-eval task with its shots, by the name of its files
LM_EVAL_TASKS = list(dict.fromkeys(entry["task"] for entry in ENTRIES.values()))
# The teacher of labels, synthesis and judgements. A hub model is fetched first; other weights trigger a rerun.
TEACHER_MODEL, TEACHER_KIND = config["teacher"]["model"], config["teacher"]["kind"]
TEACHER_ENVIRONMENT = f"../envs/{'vllm' if TEACHER_KIND == 'vllm' else 'teacher'}.yaml"
TEACHER_FILES = []
if TEACHER_KIND != "endpoint":
    TEACHER_FILES = ["<results>/teacher/model.json"] if on_hub(TEACHER_MODEL) else model_files(TEACHER_MODEL)


wildcard_constraints:
    source="|".join(map(re.escape, SOURCES)) or "none",
    benchmark="|".join(map(re.escape, BENCHMARKS)) or "none",
    shard=r"\d{4}\d*",
    included=r"\d+",
    model="|".join(map(re.escape, SCORED_MODELS)),
    peer="|".join(map(re.escape, PEERS)) or "none",
    trained="|".join(TRAINED),


def config_subset(section, *names):
    """The named keys of a section: only these trigger a rerun when they change."""
    return {name: config[section][name] for name in names}
