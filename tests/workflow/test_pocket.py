"""The pocket run as a whole: its results, and which jobs rerun after which change."""

import json
import re
import shutil

import pandas as pd
import pytest

from tests.support import without_network
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.release.files import listed, read_sums

pytestmark = pytest.mark.slow

AFTER_DATASET = {
    "select_training_data": 1, "audit_loss_mask": 1, "train_model": 1, "merge_model": 1, "compute_exchange_losses": 2,
    "evaluate_task": 3, "sample_outputs": 1,
    "collect_scores": 1, "compare_models": 1, "check_claims": 1, "render_flips": 1, "render_items": 1, "render_report": 1, "write_model_card": 1,
    "write_data_card": 1, "gather_release": 1, "render_conversations": 1, "all": 1,
}  # fmt: skip
# Other weights change neither the conversations and their tokens nor the outputs of the base model.
AFTER_AUDIT = {
    name: count
    for name, count in AFTER_DATASET.items()
    if name not in ("select_training_data", "audit_loss_mask", "write_data_card", "render_conversations")
} | {"compute_exchange_losses": 1}
AFTER_SEARCH = {"decontaminate_conversations": 1, "render_hits": 1, "split_dataset": 1, **AFTER_DATASET}
AFTER_ASSEMBLY = {"search_benchmarks": 1, "run_minhash_baseline": 1, **AFTER_SEARCH}
AFTER_DECISIONS = {"apply_decisions": 1, "assemble_conversations": 1, **AFTER_ASSEMBLY}
AFTER_SYNTHESIS = {
    "collect_synthesis": 1,
    "judge_conversations": 1,
    "queue_reviews": 1,
    "collect_decisions": 1,
    **AFTER_DECISIONS,
}

AFTER_SELECTION = {"select_seeds": 1, "shard_seeds": 1, "synthesize_shard": 4, **AFTER_SYNTHESIS}
AFTER_SEED_SEARCH = {
    "decontaminate_seeds": 1, "embed_seeds": 1, "deduplicate_semantic": 1, "label_seeds": 1, "score_seeds": 1, **AFTER_SELECTION,
}  # fmt: skip
AFTER_INDEX = {"index_benchmarks": 1, **AFTER_SEED_SEARCH}
AFTER_CLEANING = {"deduplicate_seeds": 1, **AFTER_INDEX}

AFTER_TEMPLATE = {name: count for name, count in AFTER_DATASET.items() if name not in ("select_training_data", "render_conversations", "write_data_card")} | {
    "check_base": 1,
    "fetch_peer": 1, "evaluate_task": 6, "sample_outputs": 3,  # multiple choice is scored without the template, so the base model's scores stay
}  # fmt: skip
AFTER_TASK = {
    "fetch_task": 1, "evaluate_task": 3, "collect_scores": 1, "compare_models": 1, "check_claims": 1, "render_flips": 1, "render_items": 1,
    "render_report": 1, "write_model_card": 1, "gather_release": 1, "all": 1,
}  # fmt: skip


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def results(finished):
    return finished.folder / "results" / "pocket"


def test_the_page_exists(results):
    assert "Scores" in (results / "report" / "index.html").read_text()


def test_every_conversation_and_rejected_row_is_in_the_browser(results):
    page = (results / "report" / "conversations.html").read_text()
    columns = json.loads(re.search(r'id="index">(.*?)</script>', page)[1])["columns"]
    rejected = [row["id"] for path in results.glob("*/rejected.jsonl") for row in rows(path)]
    kept = [
        name for part in ("train", "test") for name in pd.read_parquet(results / "dataset" / f"{part}.parquet")["id"]
    ]
    assert sorted(key.split("-")[0] for key in columns["key"]) == sorted(rejected + kept)


@pytest.mark.parametrize("stage", ["seeds", "synthesis", "verification", "conversations", "decontamination", "dataset"])
def test_every_row_is_accounted_for(results, stage):
    stats = json.loads((results / stage / "stats.json").read_text())
    rejected = rows(results / stage / "rejected.jsonl")
    assert stats["in"] == stats["out"] + len(rejected) and sum(stats["rejected"].values()) == len(rejected)
    columns = {"id", "reason", "evidence", "source", "conversation", "provenance"}
    assert all(set(row) == columns and row["conversation"] for row in rejected)


def test_no_row_is_lost_between_stages(results):
    out = {
        stage: len(rows(results / stage / "data.jsonl"))
        for stage in ("seeds", "synthesis", "verification", "conversations", "decontamination")
    }
    stats = {stage: json.loads((results / stage / "stats.json").read_text()) for stage in (*out, "dataset")}
    conversations = sum(seed["kind"] == "conversation" for seed in rows(results / "seeds" / "data.jsonl"))
    assert all(stats[stage]["out"] == out[stage] for stage in out)
    assert stats["synthesis"]["in"] == out["seeds"] - conversations
    assert stats["verification"]["in"] == out["synthesis"]
    assert stats["conversations"]["in"] == out["verification"] + conversations
    assert stats["decontamination"]["in"] == out["conversations"]
    assert stats["dataset"]["in"] == out["decontamination"]


def test_planted_faults_are_found(results):
    reasons = json.loads((results / "seeds" / "stats.json").read_text())["rejected"]
    assert reasons == {
        "self_reference": 2, "ansi_escape": 1, "missing_response": 1, "foreign_language": 1, "url": 1, "near_duplicate": 1, "exact_duplicate": 1,
        "same_meaning": 1, "over_limit": 1,
    }  # fmt: skip


def test_seeds_are_labelled_and_keep_their_licence(results):
    seeds = rows(results / "seeds" / "data.jsonl")
    assert len(seeds) == 64
    assert all(seed["domain"] and len(set(seed["skills"])) == 3 and seed["difficulty"] for seed in seeds)
    assert all(seed["license"] == "Apache-2.0" and seed["revision"].startswith("sha256:") for seed in seeds)
    posts = [seed for seed in seeds if seed["kind"] == "post"]
    assert {seed["meta"]["task"] for seed in posts} == {"complex_summary", "argument"}
    assert all(seed["meta"]["author"] and seed["meta"]["address"] for seed in posts)


def test_the_planted_row_is_found_and_removed(results):
    hits = rows(results / "decontamination" / "hits.jsonl")
    planted = [hit for hit in hits if hit["item"] == "pocket_science-07" and hit["removes"]]
    assert [(hit["distance"], hit["level"], hit["turn"], hit["counts"]) for hit in planted] == [(1, 99, 2, True)]
    assert "abserbs" in (results / "report" / "hits.html").read_text()
    assert "abserbs" in (results / "conversations" / "data.jsonl").read_text()
    assert "abserbs" not in (results / "dataset" / "train.jsonl").read_text()
    assert "abserbs" not in (results / "dataset" / "test.jsonl").read_text()


def test_experts_decisions_are_applied(results):
    """The seeds contain two planted faults; the conversation that grew from one is corrected or removed."""
    stats = json.loads((results / "verification" / "stats.json").read_text())
    items = {row["id"]: row for row in rows(results / "verification" / "items.jsonl")}
    assert stats["items"] == {"accepted": 9, "rejected": 1, "corrected": 1} and stats["left"]["open"] == 0
    assert stats["changed_minds"] == 1 and stats["unmatched"] == {}
    assert stats["error_rates"]["all"]["found"] == 2 and stats["error_rates"]["all"]["n"] == 11
    passed = "".join((results / stage / "data.jsonl").read_text() for stage in ("verification", "decontamination"))
    assert "area is 400 m²" not in "".join(
        exchange["output"] for row in rows(results / "verification" / "data.jsonl") for exchange in row["conversation"]
    )
    assert "200 × 0.10 = 2 kJ" not in passed and "hawks receive 20 × 0.10 = 2 kJ" not in passed
    grown = {row["provenance"]["seed"] for row in rows(results / "synthesis" / "data.jsonl")}
    wrong = [item for item, row in items.items() if row["state"] == "rejected" and item in grown]
    assert stats["rejected"] == ({"wrong_answer": len(wrong)} if wrong else {})


def test_conversations_are_generated(results):
    grown = rows(results / "synthesis" / "data.jsonl")
    assert len(grown) >= 25 and all(2 <= len(row["conversation"]) <= 3 for row in grown)
    steps = [row["provenance"]["steps"] for row in grown]
    assert all(made[-1]["name"] == "amplify" for made in steps)
    assert all(len(made[-1]["moves"]) == len(row["conversation"]) - 1 for row, made in zip(grown, steps, strict=True))


def test_the_published_layouts(results):
    train = rows(results / "dataset" / "train.jsonl")
    frame = pd.read_parquet(results / "dataset" / "train.parquet")
    assert all(set(row) == {"source", "conversation"} for row in train)
    assert len(frame) == len(train)
    assert [m["content"] for m in frame["messages"][0]][:2] == list(train[0]["conversation"][0].values())


def test_the_loss_fell(results):
    held_out = [
        row["eval_loss"] for row in rows(results / "training" / "capybara" / "metrics.jsonl") if "eval_loss" in row
    ]
    assert held_out[-1] < held_out[0] - 0.05


def test_training_changes_what_the_model_says(results):
    base, capybara = (rows(results / "evaluation" / model / "outputs.jsonl") for model in ("base", "capybara"))
    assert len(base) == len(capybara) == 3 and base != capybara


def test_scores_are_those_of_lm_eval(results):
    frame = pd.read_csv(results / "evaluation" / "scores.csv")
    assert dict(frame["model"].value_counts()) == {"base": 4, "capybara": 4, "smollm2-instruct": 4}
    for row in frame.itertuples():
        own = json.loads((results / "evaluation" / row.model / f"{row.task}.json").read_text())
        assert own["results"][row.task][f"{row.metric},none"] == row.value
        assert row.documents == 20 and row.lm_eval == own["lm_eval_version"]


def test_only_safetensors(results):
    made = [
        path.suffix
        for path in (results / "training").rglob("*")
        if path.stat().st_size > 1_000_000 and "checkpoints" not in path.parts
    ]
    assert ".safetensors" in made and not {".bin", ".pt", ".pth", ".pkl"} & set(made)


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run()


def test_touching_every_source_does_nothing(finished):
    for part in ("Snakefile", "config.yaml", "rules", "workflow_scripts", "resources"):
        for path in [finished.folder / part, *(finished.folder / part).rglob("*")]:
            path.touch()
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("workflow_scripts/synthesis/prompts/follow_up.jinja", "Now write", "Please write", {"synthesize_shard": 4, **AFTER_SYNTHESIS}),
        ("workflow_scripts/synthesis/quality.py", "NEAR_COPY_RATIO = 90", "NEAR_COPY_RATIO = 91", {"synthesize_shard": 4, **AFTER_SYNTHESIS}),
        ("config.yaml", "learning_rate: 1.0e-3", "learning_rate: 2.0e-3", AFTER_AUDIT),
        ("config.yaml", "test_fraction: 0.1", "test_fraction: 0.2", {"split_dataset": 1, **AFTER_DATASET}),
        ("workflow_scripts/seeds/post_tasks.yaml", "Summarise", "Sum up", {"adapt_source": 11, "clean_source": 11, **AFTER_CLEANING}),
        ("workflow_scripts/report/figures.py", "WIDTH = 4.3", "WIDTH = 4.4", {"render_report": 1, "all": 1}),
        ("resources/pocket/benchmarks/pocket_reading.jsonl", "Wadden Sea", "Wadden sea", {
            "fetch_benchmark": 1, **AFTER_INDEX, "fetch_task": 3, "evaluate_task": 9,
        }),
        ("config.yaml", "accept: [correct]", "accept: [correct, minor_error]", AFTER_DECISIONS),
        ("config.yaml", "remove_at: 97", "remove_at: 99", AFTER_SEED_SEARCH),
        ("config.yaml", "levels: [100, 99, 98, 97]", "levels: [100, 99, 98]", AFTER_SEARCH),
        ("config.yaml", "    - {registered: puffin, path: resources/pocket/seeds/puffin.jsonl, license: Apache-2.0}\n", "", AFTER_CLEANING),
        ("resources/pocket/seeds/know_logic.json", "e", "E", {"fetch_source": 1, "adapt_source": 1, "clean_source": 1, **AFTER_CLEANING}),
        ("config.yaml", "url, truncated", "truncated", {"clean_source": 11, **AFTER_CLEANING}),
        ("config.yaml", "jaccard_threshold: 0.8", "jaccard_threshold: 0.7", AFTER_CLEANING),
        ("config.yaml", "prefill: true", "prefill: false", {"draw_topics": 1, "synthesize_shard": 4, **AFTER_SYNTHESIS}),
        ("config.yaml", "{count: 3, weight: 0.38}", "{count: 3, weight: 0.4}", {"synthesize_shard": 4, **AFTER_SYNTHESIS}),
        ("config.yaml", "path: [evol_instruct, amplify], weight: 1", "path: [evol_instruct, amplify], weight: 2", {"synthesize_shard": 4, **AFTER_SYNTHESIS}),
        ("config.yaml", "levels: [100, 99, 98, 97]", "levels: [100, 99, 98, 97, 96]", AFTER_INDEX),
        ("config.yaml", "composition: null               #", "composition: {Airoboros: 1, Dove: 1}        #", AFTER_SELECTION),
        ("config.yaml", "shard_size: 16", "shard_size: 32", {"shard_seeds": 1, "synthesize_shard": 2, **AFTER_SYNTHESIS}),
        ("config.yaml", "benchmarks: [pocket_science, pocket_commonsense, pocket_reading]", "benchmarks: [pocket_science, pocket_commonsense]", AFTER_INDEX),
        ("workflow_scripts/training/templates/user_assistant.jinja", "USER", "User", AFTER_TEMPLATE),
        ("config.yaml", "  tasks: []  ", "  tasks: [arc_easy]  ", AFTER_TASK),
        ("config.yaml", "allow: []", "allow: [{benchmark: pocket_science, item: x, reason: y}]", AFTER_SEED_SEARCH),
        ("config.yaml", "shards: 1 ", "shards: 2 ", {"search_benchmarks": 2, **AFTER_SEARCH}),
        ("workflow_scripts/report/claims/claims.yaml", "full: 10000", "full: 9000", {
            "check_claims": 1, "render_report": 1, "write_model_card": 1, "gather_release": 1, "all": 1,
        }),
        ("workflow_scripts/release/templates/data_card.md.jinja", "not every row was reviewed", "not each row was reviewed", {
            "write_data_card": 1, "gather_release": 1, "all": 1,
        }),
        ("workflow_scripts/report/contamination.py", "listed only", "only listed", {"render_hits": 1, "render_conversations": 1, "render_report": 1, "all": 1}),
    ],
    ids=["prompt", "helper module", "learning rate", "split", "task of a post", "width of pictures", "benchmark", "verdict", "level", "levels", "source", "seed row", "cleaning rule", "duplicates", "teacher", "exchanges", "recipe", "lowest level", "composition", "shard size", "fewer benchmarks", "chat template", "task", "allowed hit", "search shards", "claims", "card", "hits page"],
)  # fmt: skip
def test_a_change_reruns_exactly_what_depends_on_it(finished, path, old, new, expected):
    file = finished.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    try:
        assert finished.planned() == expected
    finally:
        file.write_text(text)


def test_a_change_that_affects_no_result_reruns_nothing(finished):
    changes = {
        "memory_gb: 6": "memory_gb: 7",
        "budget: {max_tokens: null": "budget: {max_tokens: 9000000",
        "price: {input: 0": "price: {input: 1",
        "requests_per_minute: null": "requests_per_minute: 60",
        "processes: 1 ": "processes: 2 ",
        "on one page": "in one page",
    }
    files = [finished.folder / name for name in ("config.yaml", "rules/report/render_report.rst")]
    before = [file.read_text() for file in files]
    for old, new in changes.items():
        assert sum(old in text for text in before) == 1
        for file in files:
            file.write_text(file.read_text().replace(old, new))
    try:
        assert finished.planned() == {}
    finally:
        for file, text in zip(files, before, strict=True):
            file.write_text(text)


def test_another_run_changes_no_file_of_this_one(finished, results):
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    (finished.folder / "other.yaml").write_text("run: other\n")
    finished.run("results/other/seeds/clean/dove.parquet", "--configfile", "other.yaml")
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    assert finished.planned() == {}


def test_a_deleted_shard_and_what_depends_on_it(finished, results, tmp_path):
    shard = results / "synthesis" / "shards" / "0001.jsonl"
    shutil.move(shard, tmp_path / "kept")
    try:
        assert finished.planned() == {"synthesize_shard": 1, **AFTER_SYNTHESIS}
    finally:
        shutil.move(tmp_path / "kept", shard)


def test_a_deleted_score_and_what_depends_on_it(finished, results, tmp_path):
    score = results / "evaluation" / "base" / "pocket_reading.json"
    shutil.move(score, tmp_path / "kept")
    try:
        planned = finished.planned()
    finally:
        shutil.move(tmp_path / "kept", score)
    after = (
        "collect_scores", "compare_models", "check_claims", "render_flips", "render_items", "render_report", "write_model_card",
        "gather_release", "all",
    )  # fmt: skip
    assert planned == {"evaluate_task": 1, **dict.fromkeys(after, 1)}


def test_differences_are_those_of_the_items(results):
    """Recomputed here from the tables of items."""
    frame = pd.read_csv(results / "evaluation" / "comparisons.csv")
    assert set(frame["task"]) == {"pocket_science", "pocket_commonsense", "pocket_reading"}
    for row in frame.itertuples():
        base, tuned = (
            pd.read_parquet(results / "evaluation" / model / f"{row.asked}.parquet").set_index("doc_hash")[row.metric]
            for model in (row.reference, row.model)
        )
        turned = tuned - base
        assert (row.gained, row.lost) == ((turned == 1).sum(), (turned == -1).sum())
        assert row.difference == pytest.approx(turned.mean()) and row.stderr == pytest.approx(turned.sem())
    assert "Items that flipped" in (results / "report" / "flips.html").read_text()


def test_tasks_that_share_a_model_score_the_same(finished, results):
    """The same run with all tasks of a model in one job: other jobs, the same files."""
    kept = {path: path.read_bytes() for path in sorted((results / "evaluation").glob("*/*.parquet"))}
    scores = (results / "evaluation" / "scores.csv").read_bytes()
    file = finished.folder / "config.yaml"
    text = file.read_text()
    for folder in (results / "evaluation").glob("*/finished"):
        shutil.rmtree(folder)
    file.write_text(text.replace("tasks_per_job: 1", "tasks_per_job: 3"))
    try:
        finished.run("results/pocket/evaluation/scores.csv", "--forcerun", "evaluate_tasks_1")
        assert (results / "evaluation" / "scores.csv").read_bytes() == scores
        assert {path: path.read_bytes() for path in kept} == kept
    finally:
        file.write_text(text)
        finished.run()


def test_claims_are_judged_honestly(results):
    claims = json.loads((results / "report" / "claims.json").read_text())
    assert {row["id"] for row in claims if row["verdict"] == "shown"} == {"prompt_format"}
    # The planted benchmark item was found; the card says that nothing was.
    assert {row["id"] for row in claims if row["verdict"] == "contradicted"} == {"no_matches_found"}
    for row in claims:
        assert row["reason"] and (row["evidence"] or row["verdict"] == "not measurable here")
        assert all(file_sha256(results / file["file"]) == file["sha256"] for file in row["evidence"])


def test_the_release_is_complete(results):
    release = results / "release"
    known = read_sums((release / "SHA256SUMS").read_text())
    assert {path.relative_to(release).as_posix() for path in listed(release)} == set(known)
    assert all(file_sha256(release / name) == digest for name, digest in known.items())
    assert known["model/model.safetensors"] and known["model/adapter/adapter_model.safetensors"]
    weights = release / "model" / "model.safetensors"
    assert weights.samefile(results / "training" / "capybara" / "final" / "model.safetensors")
    train = (release / "data" / "conversations" / "train.jsonl").read_bytes()
    assert train == (results / "dataset" / "train.jsonl").read_bytes()
    assert not any("results/" in path.read_text() for path in release.rglob("*.json") if path.name not in ("claims.json", "tokenizer.json"))  # fmt: skip


def test_lint_and_report(finished):
    assert "good condition" in finished.run("--lint")
    finished.run("--report", "report.html")
    page = (finished.folder / "report.html").read_text()
    assert len(page) > 100_000
    metadata = [path.read_text() for path in (finished.folder / ".snakemake" / "metadata").iterdir()]
    texts = {
        exchange[key][:40]
        for row in rows(finished.folder / "results" / "pocket" / "dataset" / "train.jsonl")
        for exchange in row["conversation"]
        for key in exchange
    }
    # No text of a model or dataset is in the metadata; the files embedded in the report are encoded.
    plain = {text for text in texts if len(text) == 40 and json.dumps(text, ensure_ascii=False) == f'"{text}"'}
    assert len(plain) > 50 and not any(text in where for text in plain for where in (page, *metadata))


@pytest.mark.skipif(not without_network.prefix(), reason="no network namespace can be made here: run as root")
def test_after_the_downloads_no_job_needs_a_network(finished):
    """Downloads and other jobs of the run are disjoint; the others had a network namespace with loopback only."""
    downloads, rest = (set(re.findall(r"\(Rule: (\w+)\)", printed)) for printed in finished.printed)
    assert downloads == {
        "download",
        "fetch_source",
        "fetch_benchmark",
        "fetch_task",
        "fetch_base",
        "fetch_peer",
        "check_base",
    }
    assert {"synthesize_shard", "train_model", "evaluate_task", "render_report"} <= rest and not downloads & rest
