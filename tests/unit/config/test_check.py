"""A mistake in the configuration is one line that names the key and says what to do."""

import os
from pathlib import Path

import pytest
import yaml

from workflow_scripts.config.check import claim_folder, folder_mistake, mistakes

FILES = ["config.yaml"]


def put(config, key, value):
    """Set `a.b.0.c` in a configuration."""
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in path:
        config = config[part]
    config[last] = value


def test_the_pocket_configuration_has_no_mistake(config):
    assert mistakes(config, FILES) == []


@pytest.mark.parametrize("preset", sorted(Path("presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_preset_has_a_mistake(config, preset):
    from snakemake.utils import update_config

    files = [*FILES, yaml.safe_load(preset.read_text(encoding="utf-8")).get("extends"), str(preset)]
    files = [name for name in files if name]
    for name in files[1:]:
        update_config(config, yaml.safe_load(Path(name).read_text(encoding="utf-8")))
    assert mistakes(config, files) == []
    assert config["run"] == preset.stem


def test_a_preset_without_the_one_it_builds_on_says_what_to_give(config):
    put(config, "extends", "presets/x.yaml")
    line = "extends: this configuration builds on presets/x.yaml; give both: --configfile presets/x.yaml mine.yaml"
    assert mistakes(config, [*FILES, "mine.yaml"]) == [line]
    assert mistakes(config, [*FILES, "presets/x.yaml", "mine.yaml"]) == []


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("seedz", {}, "seedz: unknown key; did you mean `seeds`?"),
        ("training.learnig_rate", 1, "training.learnig_rate: unknown key; did you mean `learning_rate`?"),
        ("seeds.sources.0.laout", "x", "seeds.sources[0].laout: unknown key; did you mean `layout`?"),
        ("dataset.zzz", 1, "dataset.zzz: unknown key; known here: test_fraction, random_seed."),
        ("seeds.limit", "many", "seeds.limit: 'many' is of the wrong type; expected is integer (most seeds to keep"),
        ("seeds.limit", True, "seeds.limit: True is of the wrong type"),
        ("training", None, "training: None is of the wrong type; expected is mapping"),
        ("training.base.revision", 7, "training.base.revision: 7 is of the wrong type; expected is string or null"),
        ("training.method", "dora", "training.method: 'dora' is not one of lora, full, qlora ("),
        ("seeds.cleaning.rules.0", "urls", "seeds.cleaning.rules[0]: 'urls' is not one of empty, ansi_escape"),
        ("seeds.limit", 0, "seeds.limit: 0 must be at least 1 (most seeds"),
        ("dataset.test_fraction", 1, "dataset.test_fraction: 1 must be less than 1 (share"),
        ("teacher.timeout", 0, "teacher.timeout: 0 must be more than 0"),
        ("decontamination.remove_at", 101, "decontamination.remove_at: 101 must be at most 100"),
        ("decontamination.levels.0", 89, "decontamination.levels[0]: 89 must be at least 90"),
        ("synthesis.exchanges.0.count", 11, "synthesis.exchanges[0].count: 11 must be at most 10 ("),
        ("synthesis.recipe.1.path", ["orca"], "synthesis.recipe[1].path: orca must end with amplify."),
        (
            "synthesis.recipe.0.path",
            ["amplify", "orca"],
            "synthesis.recipe[0].path: amplify, orca must end with amplify.",
        ),
        ("synthesis.recipe.0.path", ["amplify", "amplify"], "synthesis.recipe[0].path: ['amplify', 'amplify'] has non"),
        ("synthesis.recipe.0.path", [], "synthesis.recipe[0].path: [] should be non-empty"),
        ("synthesis.recipe", [], "synthesis.recipe: [] should be non-empty"),
        ("synthesis.recipe.0.weight", 0, "synthesis.recipe[0].weight: 0 must be more than 0"),
        (
            "synthesis.recipe.1.path.0",
            "evolve_instruct",
            "synthesis.recipe[1].path[0]: 'evolve_instruct' is not one of airoboros, amplify, ",
        ),
        ("synthesis.moves.0.weights.depen", 2, "synthesis.moves[0].weights: 'depen' is not one of deepen, "),
        ("synthesis.moves.0.weights.deepen", 0, "synthesis.moves[0].weights.deepen: 0 must be more than 0"),
        ("synthesis.moves.0.from", 0, "synthesis.moves[0].from: 0 must be at least 1"),
        (
            "synthesis.techniques.evol_instruct.operations.widen",
            1,
            "synthesis.techniques.evol_instruct.operations: 'wi",
        ),
        ("synthesis.judge.min_mean", 6, "synthesis.judge.min_mean: 6 must be at most 5"),
        ("run", "../x", "run: '../x' does not fit the pattern"),
        ("teacher.kind", "endpoint", "teacher.base_url: None is of the wrong type; expected is string"),
        ("seeds.oversample", 0.5, "seeds.oversample: 0.5 must be at least 1 (how many times"),
        ("seeds.labels.by", "me", "seeds.labels.by: 'me' is not one of classifier, teacher, none ("),
        ("seeds.stratify_by.0", "topic", "seeds.stratify_by[0]: 'topic' is not one of domain, difficulty, skill"),
        ("seeds.composition", {"Dove": 0}, "seeds.composition.Dove: 0 must be more than 0"),
        ("seeds.composition", {}, "seeds.composition: {} should be non-empty"),
        (
            "seeds.deduplication.jaccard_threshold",
            0,
            "seeds.deduplication.jaccard_threshold: 0 must be more than 0 (Jaccard similarity",
        ),
        (
            "seeds.deduplication.semantic_distance_by_category.riddle",
            5,
            "seeds.deduplication.semantic_distance_by_category.riddle: 5 must",
        ),
        ("seeds.sources.0.layout", "alpaca", "seeds.sources[0].layout: 'alpaca' is not one of instruction, problem, "),
        ("seeds.sources.0.columns", {"response": 3}, "seeds.sources[0].columns.response: 3 is not valid under any"),
        ("seeds.sources.0.url", "ftp://a/b.json", "seeds.sources[0].url: 'ftp://a/b.json' does not fit the pattern"),
        (
            "seeds.sources.0.post_tasks",
            ["poem"],
            "seeds.sources[0].post_tasks[0]: 'poem' is not one of complex_summary",
        ),
        (
            "seeds.sources.0.registered",
            "airobros",
            "seeds.sources[0].registered: unknown source airobros; did you mean",
        ),
        (
            "seeds.sources.0.registered",
            "zzz",
            "seeds.sources[0].registered: unknown source zzz; known here: airoboros, ",
        ),
        (
            "seeds.sources.0.hub",
            {"dataset": "a/b", "revision": "c"},
            "seeds.sources[0] (airoboros): give exactly one of path, hub, url, graphql.",
        ),
        ("seeds.sources.0.path", "no.jsonl", "seeds.sources[0] (airoboros): no such file: no.jsonl."),
        ("seeds.sources.0.path", "resources", "seeds.sources[0] (airoboros): no such file: resources."),
        ("seeds.sources.1.id", "airoboros", "seeds.sources[1] (airoboros): the id is used twice"),
        (
            "seeds.sources.0.license",
            "CC-BY-NC-4.0",
            "seeds.sources[0] (airoboros): licence CC-BY-NC-4.0 is not in `seeds.allow_licenses`. It forbids commercial use. "
            "Add it there if you may use it.",
        ),
        (
            "seeds.sources.0.license",
            "CC0-1.0",
            "seeds.sources[0] (airoboros): licence CC0-1.0 is not in `seeds.allow_licenses`. Add it there if you may use it.",
        ),
        (
            "seeds.sources.0.license",
            "apache-2.0",
            "seeds.sources[0] (airoboros): licence apache-2.0 is written Apache-2.0 in `seeds.allow_licenses`. Write it so.",
        ),
        (
            "seeds.sources.0.license",
            "unstated",
            "seeds.sources[0] (airoboros): the source states no licence. Add `unstated` to `seeds.allow_licenses` if",
        ),
        (
            "seeds.sources.0.cleaning",
            {"min_answer_chars": -1},
            "seeds.sources[0] (airoboros).cleaning: -1 is less than",
        ),
        (
            "seeds.sources.0.cleaning",
            {"max_char": 9},
            "seeds.sources[0] (airoboros).cleaning: Additional properties are",
        ),
        (
            "seeds.sources.0.cleaning",
            {"rules": ["urls"]},
            "seeds.sources[0] (airoboros).cleaning: 'urls' is not one of",
        ),
        (
            "seeds.composition",
            {"Dove": 2, "Airobors": 1},
            "seeds.composition.Airobors: no source has this label; did you mean `Airoboros`?",
        ),
        (
            "seeds.embedding.model",
            "thenlper/gte-small",
            "seeds.embedding.revision: missing; name the commit of thenlper/gte-small, so that the run can be repeated.",
        ),
        (
            "decontamination.benchmarks.0",
            "mmul",
            "decontamination.benchmarks: unknown benchmark mmul; did you mean `mmlu`?",
        ),
        (
            "decontamination.benchmarks.0",
            "zzz",
            "decontamination.benchmarks: unknown benchmark zzz; known are agieval, agieval_aqua_rat, ",
        ),
        (
            "decontamination.allow",
            [{"benchmark": "mmlu", "item": "test/1", "reason": "common"}],
            "decontamination.allow[0]: mmlu is not one of the benchmarks checked. Correct its name",
        ),
        (
            "decontamination.custom.pocket_science.path",
            "no.jsonl",
            "decontamination.custom.pocket_science: no such file: no.jsonl.",
        ),
        (
            "conversations.include",
            [{"path": "no.jsonl", "label": "X", "license": "MIT"}],
            "conversations.include[0]: no such file: no.jsonl.",
        ),
        (
            "conversations.include",
            [{"path": "README.md", "label": "X", "license": "CC-BY-NC-4.0"}],
            "conversations.include[0]: licence CC-BY-NC-4.0 is not in `seeds.allow_licenses`. It forbids commercial use.",
        ),
        ("teacher.model", "a/b", "teacher.model: a/b is not a GGUF file; give its path"),
        ("training.base.model", "./no/folder", "training.base.model: no such file or folder: ./no/folder."),
        ("evaluation.include_path", "no/folder", "evaluation.include_path: no such folder: no/folder."),
        ("evaluation.num_fewshot", {"zzz": 5}, "evaluation.num_fewshot.zzz: not one of `evaluation.tasks`."),
        ("evaluation.suites", ["gpt4al"], "evaluation.suites: unknown suite gpt4al; did you mean `gpt4all`?"),
        (
            "evaluation.suites",
            [],
            "evaluation.suites: nothing to evaluate; name a suite here or a task in `evaluation.tasks`.",
        ),
        (
            "evaluation.custom.pocket.tasks",
            {"x": {"suite": "mmmlu"}},
            "evaluation.custom.pocket.x: unknown suite mmmlu; did you mean `mmlu`?",
        ),
        (
            "evaluation.custom.mine",
            {"tasks": ["x"], "average": []},
            "evaluation.custom.mine.x: no metric; give the task's or the suite's.",
        ),
        (
            "evaluation.backend_args",
            {"trust_remote_code": True},
            "evaluation.backend_args.trust_remote_code: code of a model is never run.",
        ),
        ("evaluation.two_turn", {"questions": "no.jsonl"}, "evaluation.two_turn.questions: no such file: no.jsonl."),
        (
            "evaluation.suites",
            ["humaneval"],
            "evaluation.suites: humaneval alone gives no score unless its completions",
        ),
        (
            "verification.decisions",
            ["reviews/anna.csv"],
            "verification.decisions[0]: no such file: reviews/anna.csv.",
        ),
        (
            "verification.decisions",
            ["config.yaml"],
            "verification.decisions[0]: config.yaml must end in .json (Label Studio), .csv or .jsonl.",
        ),
        ("verification.reviewers", "no.yaml", "verification.reviewers: no such file: no.yaml."),
        ("verification.queue.gold.path", "no.jsonl", "verification.queue.gold.path: no such file: no.jsonl."),
        ("verification.resolve", "adjudicator", "verification.adjudicators: nobody is named"),
        ("verification.resolve", "vote", "verification.resolve: 'vote' is not one of majority, any_wrong_rejects"),
        ("verification.accept", ["wrong"], "verification.accept[0]: 'wrong' is not one of correct, minor_error."),
        ("evaluation.limit", 0, "evaluation.limit: 0 must be at least 1 (documents of each task"),
        (
            "training.base.model",
            "NousResearch/Llama-2-7b-hf",
            "training.base.revision: missing; name the commit of NousResearch/Llama-2-7b-hf",
        ),
    ],
)
def test_a_mistake_names_its_key_and_the_remedy(config, key, value, line):
    put(config, key, value)
    found = mistakes(config, FILES)
    assert len(found) == 1
    assert found[0].startswith(line)
    assert "\n" not in found[0]


def test_profiles_may_be_missing_until_there_are_decisions(config):
    """`review invite` writes them, and needs the configuration that names the file."""
    config["verification"] |= {"decisions": [], "reviewers": "no.yaml"}
    assert mistakes(config, FILES) == []


@pytest.mark.parametrize(
    ("section", "name", "line"),
    [
        ("seeds", "limit", "seeds.limit: missing."),
        ("training", "base", "training.base: missing."),
        (None, "teacher", "teacher: missing."),
    ],
)
def test_a_missing_key_is_named(config, section, name, line):
    del (config[section] if section else config)[name]
    assert mistakes(config, FILES) == [line]


OWN = {"id": "mine", "label": "Mine", "path": "README.md", "license": "MIT", "layout": "instruction"}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (OWN, []),
        (
            {"path": "README.md", "license": "MIT"},
            [": id, label, layout missing. Name a `registered` source, or say what this one is."],
        ),
        ({**OWN, "label": None}, None),
        (
            {key: value for key, value in OWN.items() if key != "path"},
            [" (mine): give exactly one of path, hub, url, graphql."],
        ),
        ({**OWN, "layout": "post"}, [" (mine): the layout post needs `post_chars`, most characters of a post."]),
        ({**OWN, "layout": "post", "post_chars": 500}, []),
        (
            {**OWN, "layout": "post", "post_chars": 500, "as_is": True},
            [" (mine): `as_is` needs answers, which rows of the layout post do not have. Leave it out."],
        ),
        ({**OWN, "as_is": True}, []),
        ({"registered": "dove"}, []),
        ({"registered": "dove", "id": "mine", "label": "Mine"}, []),
        (
            {"registered": "know_logic"},
            [
                " (know_logic): the source states no licence. Add `unstated` to `seeds.allow_licenses` if you may use it."
            ],
        ),
        (
            {"registered": "airoboros"},
            [
                " (airoboros): licence CC-BY-NC-4.0 is not in `seeds.allow_licenses`. It forbids commercial use. Add it "
                "there if you may use it."
            ],
        ),
        (
            {"registered": "lesswrong_archive"},
            [
                " (lesswrong_archive): no commit of Harley-ml/lesswrong is known. Give `revision:`; main takes what is "
                "there today."
            ],
        ),
        ({"registered": "lesswrong_archive", "revision": "main"}, []),
        ({"registered": "lesswrong_archive", "path": "README.md"}, []),
        ({"registered": "theoremqa"}, []),
        ({"registered": "theoremqa", "as_is": True}, None),
        ({"registered": "dove", "path": "README.md", "url": "https://example.org/x.json"}, None),
    ],
)
def test_a_seed_source(config, source, lines):
    put(config, "seeds.sources", [source])
    found = mistakes(config, FILES)
    if lines is None:
        assert len(found) == 1
        assert found[0].startswith("seeds.sources[0]")
    else:
        assert found == [f"seeds.sources[0]{line}" for line in lines]


def test_a_source_may_be_used_twice_under_two_names(config):
    """The name of a registered source is its id, unless another one is given."""
    put(config, "seeds.sources", [{"registered": "dove"}, {"registered": "dove"}])
    assert mistakes(config, FILES) == ["seeds.sources[1] (dove): the id is used twice; give each source its own."]
    config["seeds"]["sources"][1]["id"] = "dove_again"
    assert mistakes(config, FILES) == []


@pytest.mark.parametrize("task", ["theoremqa", "TheoremQA_math", "THEOREMQA"])
def test_seeds_of_a_benchmark_may_not_be_evaluated_on_it(config, task):
    put(config, "seeds.sources", [{"registered": "theoremqa"}])
    put(config, "evaluation.tasks", ["piqa", task])
    assert mistakes(config, FILES) == [
        "seeds.sources[0] (theoremqa): its seeds are the benchmark theoremqa itself, which `evaluation` names. "
        "Leave out one of the two."
    ]
    put(config, "seeds.sources", [{"registered": "dove"}])
    assert mistakes(config, FILES) == []


def test_shares_are_those_of_labels_that_some_source_has(config):
    put(config, "seeds.composition", {"Dove": 3, "Verified-Camel": 1})
    assert mistakes(config, FILES) == []
    put(config, "seeds.sources", [OWN])
    assert mistakes(config, FILES) == [
        "seeds.composition.Dove: no source has this label; known here: Mine.",
        "seeds.composition.Verified-Camel: no source has this label; known here: Mine.",
    ]


def test_all_mistakes_are_told_at_once(config):
    put(config, "seeds.limit", 0)
    put(config, "training.method", "dora")
    put(config, "zzz", 1)
    assert [line.split(":")[0] for line in mistakes(config, FILES)] == ["zzz", "seeds.limit", "training.method"]


def test_nothing_to_work_on(config):
    put(config, "seeds.sources", [])
    assert mistakes(config, FILES) == [
        "seeds.sources and conversations.include are both empty: there is nothing to work on."
    ]


def test_a_file_of_conversations_alone_is_enough(config, tmp_path):
    (tmp_path / "talks.jsonl").touch()
    put(config, "seeds.sources", [])
    put(config, "conversations.include", [{"path": str(tmp_path / "talks.jsonl"), "label": "X", "license": "MIT"}])
    assert mistakes(config, FILES) == []


def test_every_key_is_explained():
    """The schema is the reference of the configuration: each knob has its sentence."""

    def walk(schema, path):
        for name, inner in schema.get("properties", {}).items():
            inner = {**definitions.get(inner.get("$ref", "").removeprefix("#/$defs/"), {}), **inner}
            if "properties" not in inner and "description" not in inner:
                yield f"{path}.{name}"
            yield from walk(inner, f"{path}.{name}")
            yield from walk(inner.get("items", {}), f"{path}.{name}[]")

    schema = yaml.safe_load(Path("rules/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    assert list(walk(schema, "")) == []


def test_a_key_pasted_by_mistake_is_not_repeated(config):
    """`api_key_env` holds a name; who pastes the key itself must not find it in .snakemake/log."""
    put(config, "teacher.api_key_env", "sk-canary-2f6c1d")
    (line,) = mistakes(config, FILES)
    assert line.startswith("teacher.api_key_env: ")
    assert "canary" not in line


@pytest.fixture
def run(config, tmp_path):
    return {**config, "results": str(tmp_path / "results")}


def test_a_folder_belongs_to_the_configuration_files_that_made_it(run):
    assert folder_mistake(run, ["config.yaml"]) is None
    claim_folder(run, ["config.yaml"])
    assert folder_mistake(run, ["config.yaml"]) is None
    line = folder_mistake(run, ["config.yaml", "mine.yaml"])
    assert line.startswith(f"{run['results']}/pocket holds the results of another configuration (config.yaml), ")
    assert "not of config.yaml, mine.yaml. Choose another `run:` name" in line
    assert folder_mistake({**run, "run": "mine"}, ["config.yaml", "mine.yaml"]) is None


def test_a_check_alone_leaves_no_folder(run, tmp_path):
    """A dry run must be able to check, too."""
    folder_mistake(run, ["config.yaml"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("results", ["file", "file/inside"])
def test_a_folder_that_cannot_be_made(run, tmp_path, results):
    (tmp_path / "file").touch()
    line = folder_mistake({**run, "results": str(tmp_path / results)}, ["config.yaml"])
    assert line.startswith(f"{tmp_path / 'file'} is a file, and results are to go into {tmp_path / results}/pocket.")
    assert line.endswith("Choose another `results:` folder.")


def test_a_folder_that_may_not_be_written_to():
    """As an ordinary user, because root may write anywhere: in a child process, which gives its rights away."""
    receiver, sender = os.pipe()
    if (child := os.fork()) == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(sender, str(folder_mistake({"results": "/nowhere", "run": "mine"}, FILES)).encode())
        finally:  # the child must never go on as a second pytest
            os._exit(0)
    os.close(sender)
    os.waitpid(child, 0)
    message = os.read(receiver, 10_000).decode()
    os.close(receiver)
    assert "/ cannot be written to" in message and "`results:`" in message
