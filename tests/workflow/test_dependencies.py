"""Which rules depend on a file or a key of the configuration. test_pocket.py checks what reruns in a finished run.

The keys are checked on job graphs that are built in this process, without the 3 seconds that a start of snakemake takes.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

from workflow_scripts.common.package_files import PACKAGE
from workflow_scripts.config.code import source_files

ENTRY_POINTS = {
    rule: entry_point
    for path in Path("rules").glob("*.smk")
    for rule, entry_point in re.findall(
        r'^rule (\w+):.*?code=code_hash\("([\w.]+)"\)', path.read_text(), re.MULTILINE | re.DOTALL
    )
}


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("synthesis/prompts/follow_up.jinja", {"synthesize_shard"}),
        ("synthesis/techniques/moves.yaml", {"synthesize_shard", "collect_synthesis"}),
        ("teacher/client.py", {
            "label_seeds", "score_seeds", "draw_topics", "synthesize_shard", "judge_conversations", "judge_rephrased",
            "judge_answers",
        }),
        ("training/packing.py", {"train_model"}),
        ("training/templates/user_assistant.jinja", {
            "check_base", "audit_loss_mask", "train_model", "merge_model", "compute_exchange_losses", "sample_outputs",
            "answer_questions", "fetch_peer",
        }),
        ("report/figures.py", {"render_report"}),
        ("report/claims/claims.yaml", {"check_claims"}),
        ("report/contamination.py", {"render_hits", "render_conversations", "render_report"}),
        ("release/templates/data_card.md.jinja", {"write_data_card"}),
    ],
)  # fmt: skip
def test_a_file_belongs_to_the_rules_that_use_it(name, rules):
    path = PACKAGE / name
    assert path.is_file()
    assert {rule for rule, entry_point in ENTRY_POINTS.items() if path in source_files(entry_point)} == rules


def jobs(folder: Path, own: dict[str, Any]) -> set[tuple[str, ...]]:
    """Rule, wildcards, parameters and inputs of every job of config.yaml with `own` laid over it, with results in `folder`."""
    overlay = folder / "own.yaml"
    overlay.write_text(yaml.safe_dump({"results": str(folder), **own}))
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[overlay]),
            snakefile=Path("Snakefile"),
        )
        workflow_api.dag(DAGSettings(forceall=True))
        workflow = workflow_api._workflow
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        return {(job.rule.name, str(job.wildcards_dict), str(job.params), str(job.input)) for job in workflow.dag.jobs}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def pocket(folder):
    return jobs(folder, {})


def test_the_same_configuration_gives_the_same_jobs(pocket, folder):
    assert len(pocket) > 80 and jobs(folder, {"run": "pocket"}) == pocket


SEEDS = yaml.safe_load(Path("config.yaml").read_text())["seeds"]
BENCHMARKS = ["pocket_science", "pocket_commonsense"]


@pytest.mark.parametrize(
    ("own", "rules"),
    [
        ({"seeds": {"cleaning": {"rules": SEEDS["cleaning"]["rules"][:-1]}}}, {"clean_source"}),
        ({"seeds": {"deduplication": {"jaccard_threshold": 0.7}}}, {"deduplicate_seeds", "deduplicate_semantic", "collect_synthesis"}),
        ({"seeds": {"limit": 48}}, {"select_seeds", "shard_seeds", "synthesize_shard", "collect_synthesis", "all"}),
        ({"seeds": {"sources": SEEDS["sources"][1:]}}, {
            "fetch_source", "adapt_source", "clean_source", "deduplicate_seeds", "select_seeds", "all",
        }),
        ({"synthesis": {"attempts": 5}}, {"synthesize_shard"}),
        ({"synthesis": {"shard_size": 32}}, {"shard_seeds", "synthesize_shard", "collect_synthesis", "all"}),
        ({"teacher": {"prefill": False}}, {"draw_topics", "synthesize_shard"}),
        ({"teacher": {"concurrency": 2, "timeout": 9, "retries": 1, "budget": {"max_tokens": 9}, "price": {"input": 1}}}, set()),
        ({"verification": {"accept": ["correct", "minor_error"]}}, {"apply_decisions"}),
        ({"decontamination": {"remove_at": 99}}, {"decontaminate_seeds", "decontaminate_conversations"}),
        ({"decontamination": {"benchmarks": BENCHMARKS}}, {"fetch_benchmark", "index_benchmarks", "decontaminate_conversations", "all"}),
        ({"decontamination": {"rephrased": {"by": "similarity"}}}, {
            "embed_benchmarks", "find_rephrased", "judge_rephrased", "decontaminate_conversations", "render_rephrased",
            "render_report", "all",
        }),
        ({"conversations": {"jaccard_threshold": None}}, {"assemble_conversations"}),
        ({"decontamination": {"shards": 2}}, {"search_benchmarks", "decontaminate_conversations", "all"}),
        ({"decontamination": {"processes": 2}}, set()),
        ({"dataset": {"test_fraction": 0.2}}, {"split_dataset"}),
        ({"training": {"learning_rate": 2.0e-3}}, {"train_model", "write_model_card", "gather_release"}),
        ({"training": {"extra": {"max_grad_norm": 0.5}}}, {"check_base", "train_model", "write_model_card", "gather_release"}),
        ({"training": {"resources": {"memory_gb": 7, "minutes": 9}}}, set()),
        ({"synthesis": {"exchanges_by_source": {"Dove": [{"count": 1, "weight": 1}]}}}, {"synthesize_shard"}),
        ({"evaluation": {"limit": 10}}, {"evaluate_task", "collect_scores", "check_claims", "render_report"}),
        ({"report": {"claims": True}}, {"render_report", "write_model_card"}),
        ({"report": {"margin": 2.0}}, {"check_claims"}),
        ({"release": {"model_license": "mit"}}, {"write_model_card"}),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_key_belongs_to_the_rules_that_use_it(pocket, folder, own, rules):
    """`rules` are those with other jobs; what they write reruns what follows."""
    assert {job[0] for job in jobs(folder, own) ^ pocket} == rules
