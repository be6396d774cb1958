"""What the rules of the evaluation take from the configuration."""

ADAPTER_APART = config["evaluation"]["adapter"] == "unmerged"
TEMPLATED = config["evaluation"]["apply_chat_template"]

if isinstance(TEMPLATED, list) and (unknown := set(TEMPLATED) - set(MODELS)):
    raise WorkflowError(
        f"evaluation.apply_chat_template: no model {', '.join(sorted(unknown))}; known here: {', '.join(MODELS)}."
    )


def task_record(name):
    """The record of the data that an entry is scored on."""
    return f"<results>/evaluation/tasks/{ENTRIES[name]['task']}.json"


def scored_model(wildcards):
    """The folder of a model's weights: its own, or the base model's where its adapter is applied without merging."""
    return f"<results>/training/{'base' if scored_adapter(wildcards) else wildcards.model}/final"


def scored_adapter(wildcards):
    """The adapter's folder, if it is applied without merging."""
    return f"<results>/training/{wildcards.model}/trained" if ADAPTER_APART and wildcards.model in TRAINED else []


def entries_json(names):
    """The entries of a job as JSON."""
    return json.dumps({name: ENTRIES[name] for name in names}, sort_keys=True)


def evaluation_settings(wildcards):
    """What of the configuration a score depends on."""
    settings = part(
        "evaluation", "include_path", "revisions", "limit", "batch_size", "dtype", "backend", "backend_args"
    )
    settings["apply_chat_template"] = wildcards.model in TEMPLATED if isinstance(TEMPLATED, list) else TEMPLATED
    return json.dumps(settings, sort_keys=True)


def adapter_option(wildcards, input):
    """`--adapter` where one is applied without merging."""
    return f"--adapter {shlex.quote(str(input.adapter))}" if input.adapter else ""


# Entries whose completions are programs, and whether they are to be executed.
CODE = [name for name, entry in ENTRIES.items() if entry["task"] == "humaneval_completions"]
EXECUTED = CODE if config["evaluation"]["execute_code"] else []
TWO_TURN = config["evaluation"]["two_turn"]


def scored_files(suffix):
    """A file of every entry of every model, with pass@1 in it where completions were executed."""
    return [
        f"<results>/evaluation/{'executed/' if task in EXECUTED else ''}{model}/{task}{suffix}"
        for model in MODELS
        for task in TASKS
    ]


def two_turn_files(name):
    """A file of the two-turn questions' judgement, if there are questions."""
    return f"<results>/evaluation/two_turn/{name}" if TWO_TURN else []
