"""Configuration errors, found before any job starts: one line each, with the key and how to fix it."""

from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.licenses import forbids_commercial_use
from workflow_scripts.common.model_location import on_hub
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Config
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.config.schema import infinite_numbers, schema, validation_errors
from workflow_scripts.config.secrets import secret_mistakes
from workflow_scripts.config.sources import PLACES, cleaning, registry, resolve
from workflow_scripts.config.training import training_mistakes
from workflow_scripts.decontamination import catalogue
from workflow_scripts.evaluation import suites
from workflow_scripts.synthesis.judging.settings import judge_settings
from workflow_scripts.teacher.keys import KEYS, MissingKey, api_key
from workflow_scripts.teacher.sampling import sampling_mistakes


def mistakes(config: Config, *, needs_key: bool = True) -> list[str]:
    """All errors of a merged configuration: those that the schema finds or, if there are none, those of the content.

    With `needs_key`, a teacher's key that is missing in the environment is an error.
    """
    return [*infinite_numbers(config), *validation_errors(config, schema())] or [
        *_content(config, needs_key),
        *training_mistakes(config["training"]),
    ]


def _content(config: Config, needs_key: bool) -> Iterator[str]:
    """What the schema cannot check: files that exist, known names, allowed licences."""
    yield from _sources(config)
    yield from secret_mistakes(config)
    for number, entry in enumerate(config["conversations"]["include"]):
        yield from _license(entry, f"conversations.include[{number}]", config["seeds"]["allow_licenses"])
        yield from _file(entry, f"conversations.include[{number}]")
    if not config["seeds"]["sources"] and not config["conversations"]["include"]:
        yield "seeds.sources: empty, and so is conversations.include. Name a source in one of them."
    yield from _teacher(config, needs_key)
    yield from _judge(config, needs_key)
    yield from _sampling(config)
    for number, entry in enumerate(config["synthesis"]["recipe"]):
        if entry["path"][-1] != "amplify" or entry["path"].count("amplify") > 1:
            yield f"synthesis.recipe[{number}].path: {', '.join(entry['path'])} must end with amplify."
        # The answers of later techniques would not see orca's preface; other techniques leave no skills for flask.
        elif "orca" in entry["path"] and entry["path"].index("orca") != len(entry["path"]) - 2:
            yield f"synthesis.recipe[{number}].path: orca must come directly before amplify."
        elif "flask" in entry["path"][1:]:
            yield f"synthesis.recipe[{number}].path: flask must be the first technique."
    yield from _verification(config["verification"])
    yield from _decontamination(config["decontamination"])
    base = config["training"]["base"]
    yield from _local_model(base["model"], "training.base.model")
    yield from _revision(base, "training.base")
    yield from _evaluation(config)


def _sources(config: Config) -> Iterator[str]:
    """Seed sources: registered names, complete entries, places, licences, shares of labels."""
    seeds, known, ids = config["seeds"], registry(), []
    labels, tasks = set(), _evaluated_tasks(config["evaluation"])
    for number, entry in enumerate(seeds["sources"]):
        where = f"seeds.sources[{number}]"
        if (name := entry.get("registered")) is not None and name not in known:
            yield f"{where}.registered: unknown source {name}; {suggest(name, list(known))}"
            continue
        source = resolve(entry, known)
        where = f"{where} ({source['id']})" if source["id"] else where
        if missing := [key for key in ("id", "label", "layout", "license") if source.get(key) is None]:
            yield f"{where}: {', '.join(missing)} missing. Add the missing keys, or name a `registered` source."
            continue
        labels.add(source["label"])
        if source["id"] in ids:
            yield f"{where}: the id is used twice. Give each source its own `id`."
        ids.append(source["id"])
        places = [place for place in PLACES if place in source]
        if len(places) != 1:
            yield f"{where}: give exactly one of {', '.join(PLACES)}."
        elif places == ["hub"] and not source["hub"].get("revision"):
            yield f"{where}: no revision of {source['hub']['dataset']}. Set `revision` to a commit, or to main for today's state."
        if source["layout"] == "post" and "post_chars" not in source:
            yield f"{where}: the layout post needs `post_chars`, the maximum number of characters of a post."
        if source["layout"] in ("post", "question") and source.get("as_is"):
            yield f"{where}: `as_is` needs answers, which rows of the layout {source['layout']} do not have. Delete it."
        yield from _license(source, where, seeds["allow_licenses"])
        yield from _file(source, where)
        if (benchmark := source.get("benchmark")) and any(task.startswith(benchmark) for task in tasks):
            yield f"{where}: its seeds are items of the benchmark {benchmark}, which `evaluation` names. Delete one of the two."
        own_cleaning = cleaning(source, seeds["cleaning"])
        yield from validation_errors(
            own_cleaning, schema()["$defs"]["cleaning"], name=f"{where}.cleaning", key="seeds.cleaning"
        )
    # Without any source nothing is composed: a preset's shares are valid next to `sources: []`.
    for label in sorted(set(seeds["composition"] or {}) - labels) if seeds["sources"] else ():
        yield f"seeds.composition.{label}: no source has this label; {suggest(label, sorted(labels))}"
    for label in sorted(set(config["synthesis"]["exchanges_by_source"]) - labels) if seeds["sources"] else ():
        yield f"synthesis.exchanges_by_source.{label}: no source has this label; {suggest(label, sorted(labels))}"
    yield from _local_model(seeds["embedding"]["model"], "seeds.embedding.model")
    yield from _revision(seeds["embedding"], "seeds.embedding")


def _teacher(config: Config, needs_key: bool) -> Iterator[str]:
    """The teacher's key, model and price."""
    teacher = config["teacher"]
    if needs_key:
        yield from _key(config, teacher, "teacher")
    if teacher["kind"] == "vllm":
        yield from _revision(teacher, "teacher")
    if teacher["budget"]["max_money"] is not None and not (teacher["price"]["input"] or teacher["price"]["output"]):
        yield "teacher.budget.max_money: no price is set. Set `teacher.price`, per million tokens."
    if teacher["kind"] != "endpoint":
        yield from _local_model(teacher["model"], "teacher.model")
    if teacher["kind"] == "llama.cpp" and on_hub(teacher["model"]):
        yield f"teacher.model: {teacher['model']} is not a GGUF file. Set its path, or package:NAME/FILE.gguf."


def _key(config: Config, settings: Config, where: str) -> Iterator[str]:
    """An endpoint's key, in a variable or a file."""
    if settings["api_key_env"] and settings["api_key_file"]:
        yield f"{where}.api_key_file: api_key_env is set, too. Set one of them to null."
        return
    # A run with imported answers needs no key. Without any stored answer, the key would be missed only after the seeds.
    answered = (run_folder(config) / "teacher" / "cache").is_dir()
    if settings["kind"] == "endpoint" and not answered:
        try:
            api_key(settings)
        except MissingKey as missing:
            yield f"{where}.{missing.setting}: {missing.fault}"


def _judge(config: Config, needs_key: bool) -> Iterator[str]:
    """The judge's server: complete and valid keys, a key in the environment, a model that is here."""
    section = config["judge"]
    own = section["teacher"]
    if section["by"] != "model" and section["min_score"] is not None:
        yield "judge.min_score: there are no scores without a judge. Set `judge.by: model`."
    if not own:
        return
    settings = judge_settings(config)
    rules = {**schema()["properties"]["teacher"], "$defs": schema()["$defs"]}
    if errors := validation_errors(settings, rules, name="judge.teacher", key="teacher"):
        yield from errors
        return
    if needs_key and not own.keys().isdisjoint(KEYS):
        yield from _key(config, settings, "judge.teacher")
    if settings["kind"] != "endpoint" and "model" in own and on_hub(own["model"]):
        yield f"judge.teacher.model: {own['model']} is not downloaded. Set a local path, or serve it and set `kind: endpoint`."
    elif settings["kind"] != "endpoint":
        yield from _local_model(settings["model"], "judge.teacher.model")


def _sampling(config: Config) -> Iterator[str]:
    """The parameters of all requests to the teacher."""
    for kind, sampling in config["synthesis"]["sampling"].items():
        yield from sampling_mistakes(sampling, f"synthesis.sampling.{kind}")
    yield from sampling_mistakes(config["seeds"]["labels"]["sampling"], "seeds.labels.sampling")
    yield from sampling_mistakes(config["seeds"]["scores"]["sampling"], "seeds.scores.sampling")
    yield from sampling_mistakes(config["judge"]["sampling"], "judge.sampling")
    if sampling := (config["evaluation"]["multi_turn"] or {}).get("judge_sampling"):
        yield from sampling_mistakes(sampling, "evaluation.multi_turn.judge_sampling")


def _verification(section: Config) -> Iterator[str]:
    """Files that exist, and adjudicators where they decide."""
    named = [(f"decisions[{number}]", path) for number, path in enumerate(section["decisions"])]
    if section["decisions"]:  # before that, `capybara review invite` may still have to write the profiles
        named.append(("reviewers", section["reviewers"]))
    for key, path in [*named, ("queue.gold.path", section["queue"]["gold"]["path"])]:
        if path is not None:
            yield from _file({"path": path}, f"verification.{key}")
            yield from _no_braces(path, f"verification.{key}")
    for number, path in enumerate(section["decisions"]):
        if Path(path).suffix not in (".json", ".csv", ".jsonl"):
            yield f"verification.decisions[{number}]: {path} must end in .json (Label Studio), .csv or .jsonl."
    if section["resolve"] == "adjudicator" and not section["adjudicators"]:
        yield "verification.adjudicators: empty, and `verification.resolve` is adjudicator. Name one, or resolve by majority."


def _decontamination(section: Config) -> Iterator[str]:
    """Known benchmarks, files of custom ones, and allowed hits of the benchmarks that are searched for."""
    entries: dict[str, Config] = {}
    for name in section["benchmarks"]:
        try:
            entries |= catalogue.resolve([name], section["custom"])[0]
        except UserError as error:
            yield f"decontamination.benchmarks: {error}"
    for name, entry in section["custom"].items():
        if name in entries:
            yield from _file(entry, f"decontamination.custom.{name}")
    if section["rephrased"]["remove"] and section["rephrased"]["by"] != "model":
        yield "decontamination.rephrased.remove: relations are found by a judge. Set `decontamination.rephrased.by: model`."
    for number, allowed in enumerate(section["allow"]):
        if entries and allowed["benchmark"] not in entries:
            yield (
                f"decontamination.allow[{number}]: {allowed['benchmark']} is not one of the benchmarks searched for. "
                "Fix its name or delete the entry."
            )


def _evaluation(config: Config) -> Iterator[str]:
    """Known suites, tasks and models; options that exclude each other."""
    evaluation = config["evaluation"]
    known = suites.known(evaluation["custom"])
    path = evaluation["include_path"]
    if path is not None and not Path(path).is_dir():
        yield f"evaluation.include_path: no such folder: {path}."
    for task in set(evaluation["num_fewshot"]) - set(evaluation["tasks"]):
        yield f"evaluation.num_fewshot.{task}: not one of `evaluation.tasks`."
    for name in evaluation["suites"]:
        if name not in known:
            yield f"evaluation.suites: unknown suite {name}; {suggest(name, list(known))}"
    for name, suite in evaluation["custom"].items():
        tasks = suite["tasks"] if isinstance(suite["tasks"], dict) else dict.fromkeys(suite["tasks"])
        for task, own in tasks.items():
            settings = suite | (own or {})
            if "suite" in settings and settings["suite"] not in known:
                yield (
                    f"evaluation.custom.{name}.{task}: unknown suite {settings['suite']}; "
                    f"{suggest(settings['suite'], list(known))}"
                )
            elif "suite" not in settings and "metric" not in settings:
                yield f"evaluation.custom.{name}.{task}: no metric. Set it for the task or for the suite."
    if not evaluation["execute_code"] and set(_evaluated_tasks(evaluation)) == {"humaneval_completions"}:
        yield (
            "evaluation.suites: humaneval alone gives no score unless its completions are executed. Set "
            "`evaluation.execute_code`, or add another suite."
        )
    if evaluation["adapter"] == "unmerged" and config["training"]["method"] == "full":
        yield "evaluation.adapter: unmerged needs an adapter, and `training.method` is full. Set it to merged."
    for name, peer in evaluation["peers"].items():
        if peer is None:  # removes a peer of the preset that this configuration extends
            continue
        where = f"evaluation.peers.{name}"
        if name in config["training"]["models"]:
            yield f"{where}: a model of `training.models` has this name. Rename the peer."
        elif name in ("tasks", "executed", "multi_turn"):
            yield f"{where}: the folder of the evaluation already contains {name}. Rename the peer."
        yield from _local_model(peer["model"], f"{where}.model")
        yield from _revision(peer, where)
        if peer["template"] not in ("user_assistant", "own"):
            yield from _file({"path": peer["template"]}, f"{where}.template")
            yield from _no_braces(peer["template"], f"{where}.template")
    if isinstance(templated := evaluation["apply_chat_template"], list):
        models = ["base", *config["training"]["models"], *evaluation["peers"]]
        for name in templated:
            if name not in models:
                yield f"evaluation.apply_chat_template: no model {name}; {suggest(name, models)}"
    if "trust_remote_code" in evaluation["backend_args"]:
        yield "evaluation.backend_args.trust_remote_code: code from a model repository is never executed. Delete the key."
    if (multi_turn := evaluation["multi_turn"]) and not Path(multi_turn["questions"]).is_file():
        yield f"evaluation.multi_turn.questions: no such file: {multi_turn['questions']}."
    if multi_turn:
        yield from _no_braces(multi_turn["questions"], "evaluation.multi_turn.questions")


def _evaluated_tasks(evaluation: Config) -> list[str]:
    """The lm-eval tasks to be scored, in lower case; empty where a suite is unknown, which `_evaluation` reports."""
    try:
        return [entry["task"].casefold() for entry in suites.entries(evaluation).values()]
    except KeyError:
        return []


def _license(source: Config, where: str, allowed: list[str]) -> Iterator[str]:
    name = source["license"]
    if name in allowed:
        return
    if near := next((other for other in allowed if other.casefold() == name.casefold()), None):
        yield f"{where}: licence {name} is written {near} in `seeds.allow_licenses`. Use that spelling."
    elif name == "unstated":
        yield f"{where}: the source states no licence. Add `unstated` to `seeds.allow_licenses` if you may use it."
    else:
        why = " It forbids commercial use." if forbids_commercial_use(name) else ""
        yield f"{where}: licence {name} is not in `seeds.allow_licenses`.{why} Add it there if you may use it."


def _file(entry: Config, where: str) -> Iterator[str]:
    if "path" in entry and not Path(entry["path"]).is_file():
        yield f"{where}: no such file: {entry['path']}."


def _no_braces(path: str, where: str) -> Iterator[str]:
    """A file that is an input of a rule and read under this name: Snakemake would take {name} for a wildcard."""
    if "{" in path:
        yield f"{where}: {path} contains a brace, which Snakemake reads as a wildcard. Rename the file."


def _local_model(name: str, where: str) -> Iterator[str]:
    """A local file or folder exists. A package is looked up only where the model is read."""
    if not on_hub(name) and not name.startswith("package:") and not Path(name).expanduser().exists():
        yield f"{where}: no such file or folder: {name}."


def _revision(entry: Config, where: str) -> Iterator[str]:
    """A model of the hub needs its commit, so that the run can be repeated."""
    if on_hub(entry["model"]) and entry["revision"] is None:
        yield f"{where}.revision: missing. Set it to a commit of {entry['model']}, so that the run can be repeated."
