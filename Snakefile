"""Nous-Capybara, made again: from seed instructions to benchmark table.

seeds -> synthesis (Amplify-Instruct) -> expert verification -> decontamination -> dataset -> training -> evaluation
-> report, release

Every stage writes data.jsonl, rejected.jsonl and stats.json (in = out + rejected) under results/<run>/<stage>.
`config.yaml` is the pocket run, which needs a laptop's CPU and no network; presets/ holds the real ones:

    snakemake --cores all
    snakemake --cores all --configfile presets/capybara-7b-v1.yaml
"""

from snakemake.utils import min_version

min_version("9.25")


configfile: "config.yaml"


include: "rules/common.smk"


# Made from envs/image.def; used with `--sdm apptainer` alone.
container: "capybara.sif"


pathvars:
    results=f"{config['results']}/{config['run']}",
    logs=f"{config['results']}/{config['run']}/logs",
    benchmarks=f"{config['results']}/{config['run']}/benchmarks",


include: "rules/seeds.smk"
include: "rules/synthesis.smk"
include: "rules/verification.smk"
include: "rules/decontamination.smk"
include: "rules/dataset.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"
include: "rules/release.smk"


rule all:
    default_target: True
    input:
        "<results>/report/index.html",
        "<results>/release/README.md",
        "<results>/release/data/README.md",
        "<results>/release/data/conversations",
        "<results>/release/data/messages",
        "<results>/release/model",
        "<results>/release/SHA256SUMS",
        GGUF,
        # One file of every job. Snakemake does not miss an intermediate file: when a job fails that runs again after a
        # change, its old outputs are gone, and the next start would call all that was made of them up to date.
        expand(
            "<results>/seeds/{step}/{source}.parquet",
            step=["sources", "adapted", "clean"],
            source=SOURCES,
        ),
        SEED_STEPS,
        expand("<results>/decontamination/included/{included}.parquet", included=range(len(INCLUDED))),
        expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS),
        expand("<results>/decontamination/found/{part}.jsonl", part=PARTS),
        "<results>/decontamination/index/items.json",
        "<results>/decontamination/near_copies.jsonl" if config["decontamination"]["minhash"] else [],
        "<results>/decontamination/assembled.jsonl",
        "<results>/decontamination/data.jsonl",
        "<results>/dataset/train.parquet",
        "<results>/training/base/final",
        expand(
            "<results>/training/{trained}/{file}",
            trained=TRAINED,
            file=["data.jsonl", "audit.json", "metrics.jsonl", "final"],
        ),
        expand("<results>/evaluation/tasks/{task}.json", task=LM_EVAL_TASKS),
        expand("<results>/evaluation/{model}/{task}.json", model=MODELS, task=TASKS),
        expand("<results>/evaluation/{model}/{file}.jsonl", model=MODELS, file=["outputs", "exchange_losses"]),
        expand("<results>/evaluation/executed/{model}/{task}.json", model=MODELS, task=EXECUTED),
        expand("<results>/evaluation/{model}/two_turn.jsonl", model=MODELS if TWO_TURN else []),
        two_turn_files("stats.json"),
        "<results>/evaluation/scores.csv",
        "<results>/evaluation/comparisons.csv",
        "<results>/report/claims.json",
        "<results>/report/conversations.html",
        "<results>/report/flips.html",
        "<results>/report/hits.html",
    localrule: True


rule download:
    """Everything from outside, for a run whose other jobs have no internet: `snakemake download`, then the rest."""
    input:
        expand("<results>/seeds/sources/{source}.parquet", source=SOURCES),
        expand("<results>/decontamination/included/{included}.parquet", included=range(len(INCLUDED))),
        expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS),
        expand("<results>/evaluation/tasks/{task}.json", task=LM_EVAL_TASKS),
        embedder_files(),
        teacher_files(),
        "<results>/training/base/final",
    localrule: True
