"""The configuration checked before anything runs; every mistake is one line that names the key and says what to do."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.licenses import forbids_commercial_use
from workflow_scripts.common.model_location import on_hub
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Config
from workflow_scripts.config.sources import PLACES, cleaning, registry, resolve
from workflow_scripts.config.training import training_mistakes
from workflow_scripts.decontamination import catalogue
from workflow_scripts.evaluation import suites

SCHEMA = Path(__file__).parents[2] / "rules" / "schemas" / "config.schema.yaml"


def mistakes(config: Config, config_files: list[str]) -> list[str]:
    """Every mistake of a configuration, one line each: first those of form, and if there are none those of content.

    `config_files` are the files it was merged from, in their order.
    """
    schema = _schema()
    return _mistakes_of_form(config, schema) or [
        *_contents(config, config_files),
        *training_mistakes(config["training"], schema),
    ]


def part_mistakes(section: str, key: str, value: Any) -> list[str]:
    """The mistakes of form of a value that is given elsewhere than in a configuration, where it is `section.key`."""
    schema = _schema()
    return _mistakes_of_form(value, {"$defs": schema["$defs"], **schema["properties"][section]["properties"][key]})


@functools.cache
def _schema() -> Config:
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def _mistakes_of_form(value: Any, schema: Config) -> list[str]:
    errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
    ordered = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    return list(dict.fromkeys(line for error in ordered for line in _explain(error)))


def _key(error: jsonschema.ValidationError, *more: Any) -> str:
    """The dotted name of what an error is about: seeds.sources[2].path."""
    text = ""
    for part in (*error.absolute_path, *more):
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the configuration"


def _explain(error: jsonschema.ValidationError) -> Iterator[str]:
    meaning = error.schema.get("description")
    if error.absolute_path and error.absolute_path[-1] == "api_key_env":
        yield f"{_key(error)}: not the name of an environment variable. Export the key in one, and write its name here."
        return
    match error.validator:
        case "additionalProperties" if error.validator_value is False:
            known = list(error.schema["properties"])
            for name in sorted(set(error.instance) - set(known), key=str):
                yield f"{_key(error, name)}: unknown key; {suggest(str(name), known)}"
        case "required":
            for name in sorted(set(error.validator_value) - set(error.instance)):
                yield f"{_key(error, name)}: missing."
        case "type":
            wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            words = " or ".join(
                {"null": "null", "object": "mapping", "array": "list"}.get(kind, kind) for kind in wanted
            )
            yield f"{_key(error)}: {_value(error.instance)} is of the wrong type; expected is {words}{_because(meaning)}."
        case "enum":
            yield f"{_key(error)}: {_value(error.instance)} is not one of {', '.join(map(str, error.validator_value))}{_because(meaning)}."
        case "oneOf":
            yield f"{_key(error)}: give either `path` or `hub`, and not both."
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            words = {
                "minimum": "at least",
                "exclusiveMinimum": "more than",
                "maximum": "at most",
                "exclusiveMaximum": "less than",
            }
            yield f"{_key(error)}: {_value(error.instance)} must be {words[error.validator]} {error.validator_value}{_because(meaning)}."
        case "pattern":
            yield f"{_key(error)}: {_value(error.instance)} does not fit the pattern {error.validator_value}{_because(meaning)}."
        case _:
            yield f"{_key(error)}: {error.message}{_because(meaning)}."


def _value(value: Any) -> str:
    return repr(value) if len(repr(value)) < 80 else f"{repr(value)[:77]}..."


def _because(meaning: str | None) -> str:
    return f" ({meaning})" if meaning else ""


def _contents(config: Config, config_files: list[str]) -> Iterator[str]:
    """What a schema cannot say: files that exist, names that are known, licences that are allowed."""
    below = config.get("extends")
    if below and below not in config_files:
        yield f"extends: this configuration builds on {below}; give both: --configfile {' '.join([below, *config_files[1:]])}"
    yield from _sources(config)
    for number, entry in enumerate(config["conversations"]["include"]):
        yield from _license(entry, f"conversations.include[{number}]", config["seeds"]["allow_licenses"])
        yield from _file(entry, f"conversations.include[{number}]")
    if not config["seeds"]["sources"] and not config["conversations"]["include"]:
        yield "seeds.sources and conversations.include are both empty: there is nothing to work on."
    yield from _verification(config["verification"])
    yield from _decontamination(config["decontamination"])
    yield from _evaluation(config)
    for number, entry in enumerate(config["synthesis"]["recipe"]):
        if entry["path"][-1] != "amplify" or entry["path"].count("amplify") > 1:
            yield f"synthesis.recipe[{number}].path: {', '.join(entry['path'])} must end with amplify."
    teacher = config["teacher"]
    # A run from imported answers needs no key; one that has none of them would miss it only after all the seeds.
    answered = (Path(config["results"]) / config["run"] / "synthesis" / "cache").is_dir()
    if (
        teacher["kind"] == "endpoint"
        and teacher["api_key_env"]
        and not os.environ.get(teacher["api_key_env"])
        and not answered
    ):
        yield "teacher.api_key_env: names an environment variable that is not set. Export it."  # it may be the key itself
    if teacher["kind"] == "vllm" and on_hub(teacher["model"]) and teacher["revision"] is None:
        yield f"teacher.revision: missing; name the commit of {teacher['model']}, so that the run can be repeated."
    if teacher["budget"]["max_money"] is not None and not (teacher["price"]["input"] or teacher["price"]["output"]):
        yield "teacher.budget.max_money: nothing has a price. Give `teacher.price` per million tokens."
    if teacher["kind"] == "llama.cpp" and on_hub(teacher["model"]):
        yield f"teacher.model: {teacher['model']} is not a GGUF file; give its path, or package:NAME/FILE.gguf."
    base = config["training"]["base"]
    if base["model"].startswith((".", "/", "~")) and not Path(base["model"]).expanduser().exists():
        yield f"training.base.model: no such file or folder: {base['model']}."
    if on_hub(base["model"]) and base["revision"] is None:
        yield f"training.base.revision: missing; name the commit of {base['model']}, so that the run can be repeated."


def _verification(section: Config) -> Iterator[str]:
    """Files that exist, and a judge for disagreement."""
    named = [(f"decisions[{number}]", path) for number, path in enumerate(section["decisions"])]
    if section["decisions"]:  # the first `review invite` writes the profiles, and it comes after the queue
        named.append(("reviewers", section["reviewers"]))
    for key, path in [*named, ("queue.gold.path", section["queue"]["gold"]["path"])]:
        if path is not None:
            yield from _file({"path": path}, f"verification.{key}")
    for number, path in enumerate(section["decisions"]):
        if Path(path).suffix not in (".json", ".csv", ".jsonl"):
            yield f"verification.decisions[{number}]: {path} must end in .json (Label Studio), .csv or .jsonl."
    if section["resolve"] == "adjudicator" and not section["adjudicators"]:
        yield "verification.adjudicators: nobody is named, and `verification.resolve` is adjudicator. Name one, or resolve by majority."


def _decontamination(section: Config) -> Iterator[str]:
    entries = {}
    for name in section["benchmarks"]:
        try:
            entries |= catalogue.resolve([name], section["custom"])[0]
        except UserError as error:
            yield f"decontamination.benchmarks: {error}"
    for name, entry in section["custom"].items():
        if name in entries:
            yield from _file(entry, f"decontamination.custom.{name}")
    for number, allowed in enumerate(section["allow"]):
        if entries and allowed["benchmark"] not in entries:
            yield (
                f"decontamination.allow[{number}]: {allowed['benchmark']} is not one of the benchmarks checked. "
                "Correct its name or delete the entry."
            )


def _evaluation(config: Config) -> Iterator[str]:
    """Suites, tasks, and what does not fit to backend, method or models."""
    evaluation = config["evaluation"]
    known = suites.known(evaluation["custom"])
    path = evaluation["include_path"]
    if path is not None and not Path(path).is_dir():
        yield f"evaluation.include_path: no such folder: {path}."
    for task in set(evaluation["num_fewshot"]) - set(evaluation["tasks"]):
        yield f"evaluation.num_fewshot.{task}: not one of `evaluation.tasks`."
    if not evaluation["suites"] and not evaluation["tasks"]:
        yield "evaluation.suites: nothing to evaluate; name a suite here or a task in `evaluation.tasks`."
    for name in evaluation["suites"]:
        if name not in known:
            yield f"evaluation.suites: unknown suite {name}; {suggest(name, list(known))}"
    for name, suite in evaluation["custom"].items():
        tasks = (
            suite["tasks"].items() if isinstance(suite["tasks"], dict) else [(task, None) for task in suite["tasks"]]
        )
        for task, own in tasks:
            own = suite | (own or {})
            if "suite" in own and own["suite"] not in known:
                yield f"evaluation.custom.{name}.{task}: unknown suite {own['suite']}; {suggest(own['suite'], list(known))}"
            elif "suite" not in own and "metric" not in own:
                yield f"evaluation.custom.{name}.{task}: no metric; give the task's or the suite's."
    if not evaluation["execute_code"] and set(_evaluated(evaluation)) == {"humaneval_completions"}:
        yield (
            "evaluation.suites: humaneval alone gives no score unless its completions are executed; set "
            "`evaluation.execute_code` or name another suite, too."
        )
    if evaluation["adapter"] == "unmerged" and config["training"]["method"] == "full":
        yield "evaluation.adapter: unmerged needs an adapter, and `training.method` is full. Set it to merged."
    models = ["base", *config["training"]["models"]]
    if isinstance(templated := evaluation["apply_chat_template"], list):
        for name in templated:
            if name not in models:
                yield f"evaluation.apply_chat_template: no model {name}; {suggest(name, models)}"
    if "trust_remote_code" in evaluation["backend_args"]:
        yield "evaluation.backend_args.trust_remote_code: code of a model is never run. Leave it out."
    if (two_turn := evaluation["two_turn"]) and not Path(two_turn["questions"]).is_file():
        yield f"evaluation.two_turn.questions: no such file: {two_turn['questions']}."


def _evaluated(evaluation: Config) -> list[str]:
    try:
        return [entry["task"].casefold() for entry in suites.entries(evaluation).values()]
    except KeyError:  # a suite that does not exist is reported by `_evaluation`
        return []


def _sources(config: Config) -> Iterator[str]:
    """Seed sources: registered names, licences, places, and labels that are wanted but not there."""
    seeds, known, ids = config["seeds"], registry(), []
    labels, evaluated = set(), _evaluated(config["evaluation"])
    fits = jsonschema.Draft202012Validator(_cleaning_schema())
    for number, entry in enumerate(seeds["sources"]):
        where = f"seeds.sources[{number}]"
        if (name := entry.get("registered")) is not None and name not in known:
            yield f"{where}.registered: unknown source {name}; {suggest(name, list(known))}"
            continue
        source = resolve(entry, known)
        where = f"{where} ({source['id']})" if source["id"] else where
        if missing := [key for key in ("id", "label", "layout", "license") if source.get(key) is None]:
            yield f"{where}: {', '.join(missing)} missing. Name a `registered` source, or say what this one is."
            continue
        labels.add(source["label"])
        if source["id"] in ids:
            yield f"{where}: the id is used twice; give each source its own."
        ids.append(source["id"])
        places = [place for place in PLACES if place in source]
        if len(places) != 1:
            yield f"{where}: give exactly one of {', '.join(PLACES)}."
        elif places == ["hub"] and not source["hub"].get("revision"):
            yield f"{where}: no commit of {source['hub']['dataset']} is known. Give `revision:`; main takes what is there today."
        if source["layout"] == "post" and "post_chars" not in source:
            yield f"{where}: the layout post needs `post_chars`, most characters of a post."
        if source["layout"] in ("post", "question") and source.get("as_is"):
            yield f"{where}: `as_is` needs answers, which rows of the layout {source['layout']} do not have. Leave it out."
        yield from _license(source, where, seeds["allow_licenses"])
        yield from _file(source, where)
        if (benchmark := source.get("benchmark")) and any(task.startswith(benchmark) for task in evaluated):
            yield f"{where}: its seeds are the benchmark {benchmark} itself, which `evaluation` names. Leave out one of the two."
        wrong = fits.iter_errors(cleaning(source, seeds["cleaning"]))
        yield from (f"{where}.cleaning: {error.message}." for error in wrong)
    # Without any source there is nothing to compose: so a preset's shares stand beside `sources: []`.
    for label in sorted(set(seeds["composition"] or {}) - labels) if seeds["sources"] else ():
        yield f"seeds.composition.{label}: no source has this label; {suggest(label, sorted(labels))}"
    embedding = seeds["embedding"]
    if on_hub(embedding["model"]) and embedding["revision"] is None:
        yield f"seeds.embedding.revision: missing; name the commit of {embedding['model']}, so that the run can be repeated."


def _license(source: Config, where: str, allowed: list[str]) -> Iterator[str]:
    name = source["license"]
    if name in allowed:
        return
    if near := next((other for other in allowed if other.casefold() == name.casefold()), None):
        yield f"{where}: licence {name} is written {near} in `seeds.allow_licenses`. Write it so."
    elif name == "unstated":
        yield f"{where}: the source states no licence. Add `unstated` to `seeds.allow_licenses` if you may use it."
    else:
        why = " It forbids commercial use." if forbids_commercial_use(name) else ""
        yield f"{where}: licence {name} is not in `seeds.allow_licenses`.{why} Add it there if you may use it."


def _cleaning_schema() -> Config:
    return _schema()["$defs"]["cleaning"]


def _file(entry: Config, where: str) -> Iterator[str]:
    if "path" in entry and not Path(entry["path"]).is_file():
        yield f"{where}: no such file: {entry['path']}."


def folder_mistake(config: Config, config_files: list[str]) -> str | None:
    """Why this run must not use its results folder, or None.

    A folder belongs to the configuration files that made it: changed values are a partial rerun, another set of
    files is another experiment whose results must not be mixed in.
    """
    folder = Path(config["results"]) / config["run"]
    record = folder / "configfiles"
    if record.is_file() and (owner := record.read_text(encoding="utf-8").split("\n")[:-1]) != config_files:
        return (
            f"{folder} holds the results of another configuration ({', '.join(owner)}), not of {', '.join(config_files)}. "
            "Choose another `run:` name, or remove that folder if you no longer need it."
        )
    for parent in (folder, *folder.parents):
        if parent.is_symlink() and not parent.exists():
            return f"{parent} leads to {parent.readlink()}, which is not there. Is its file system mounted?"
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        return f"{nearest} is a file, and results are to go into {folder}. Choose another `results:` folder."
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} cannot be written to, and results are to go into {folder}. Choose another `results:` folder, or its permissions."
    return None


def claim_folder(config: Config, config_files: list[str]) -> None:
    """Record which configuration files the results folder belongs to."""
    folder = Path(config["results"]) / config["run"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "configfiles").write_text("".join(f"{name}\n" for name in config_files), encoding="utf-8")


def error_lines(logs: Path, since: float) -> list[str]:
    """The `error:` lines of the job logs that were written after `since` (seconds of the epoch), each once."""
    paths = [path for path in sorted(logs.rglob("*.log")) if path.stat().st_mtime >= since]
    lines = [
        line for path in paths for line in path.read_text("utf-8", "replace").splitlines() if line.startswith("error: ")
    ]
    return list(dict.fromkeys(lines))
