"""Nous-Capybara, reproduced end to end: from seed instructions to benchmark table.

`config.yaml` is the pocket run: every stage with real components, on a laptop CPU, offline. presets/ holds the models
of the Capybara cards. Results are in results/<run>/<stage>.

    snakemake --cores all
    snakemake --cores all --configfile presets/capybara-7b-v1.yaml
    snakemake --cores all dataset          # stop after a stage
"""

from snakemake.utils import min_version

min_version("9.25")


include: "rules/common.smk"  # reads config.yaml, and the files of --configfile over it


container: "capybara.sif"  # built from envs/image.def; used with `--sdm apptainer` only


pathvars:
    results=f"{config['results']}/{config['run']}",
    logs=f"{config['results']}/{config['run']}/logs",
    benchmarks=f"{config['results']}/{config['run']}/benchmarks",


include: "rules/seeds.smk"
include: "rules/synthesis.smk"
include: "rules/verification.smk"
include: "rules/conversations.smk"
include: "rules/decontamination.smk"
include: "rules/dataset.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"
include: "rules/release.smk"


rule all:
    """Every file of every stage. Snakemake does not replace missing intermediate files, so stages name them all."""
    default_target: True
    input:
        *(getattr(rules, stage).input for stage in STAGES),
    localrule: True


rule download:
    """Everything that needs internet: `snakemake download`, then the rest on nodes without it."""
    input:
        input_files(DOWNLOADS),
    localrule: True


setup.let_resources_grow(workflow)  # after the last rule
