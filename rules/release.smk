"""Release: the cards, and a folder ready to publish."""

GGUF = f"<results>/release/gguf/capybara-{config['run']}-f16.gguf" if config["release"]["gguf_converter"] else []
# The parts of the configuration that the cards describe; the released model is the first one.
ABOUT_RUN = {
    "run": config["run"],
    "base": config["training"]["base"],
    "teacher": config_subset("teacher", "name", "model", "revision"),
}
ABOUT_MODEL = ABOUT_RUN | {"training": SETTINGS[TRAINED[0]]}


rule write_model_card:
    input:
        decontamination="<results>/decontamination/stats.json",
        dataset="<results>/dataset/stats.json",
        parquet=["<results>/dataset/train.parquet", "<results>/dataset/test.parquet"],
        # The card is of the first model.
        audit=f"<results>/training/{TRAINED[0]}/audit.json",
        scores="<results>/evaluation/scores.csv",
        averages="<results>/evaluation/averages.csv",
        comparisons="<results>/evaluation/comparisons.csv",
        suite_comparisons="<results>/evaluation/suite_comparisons.csv",
        claims="<results>/report/claims.json",
    output:
        card=report(
            "<results>/release/README.md",
            caption="report/write_model_card.rst",
            category="Release",
            labels={"part": "model card"},
        ),
    log:
        "<logs>/write_model_card.log",
    benchmark:
        "<benchmarks>/write_model_card.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("release.write_model_card"),
        settings=as_json(
            ABOUT_MODEL
            | {
                "model": TRAINED[0],
                "release": config["release"],
                "show_claims": config["report"]["claims"],
                "evaluation": config_subset("evaluation", "suites", "custom"),
            }
        ),
    shell:
        """
        python -m workflow_scripts.release.write_model_card \
            --settings {params.settings:q} \
            --decontamination {input.decontamination:q} \
            --dataset {input.dataset:q} \
            --parquet {input.parquet:q} \
            --audit {input.audit:q} \
            --scores {input.scores:q} \
            --averages {input.averages:q} \
            --comparisons {input.comparisons:q} \
            --suite-comparisons {input.suite_comparisons:q} \
            --claims {input.claims:q} \
            --card {output.card:q} \
            2>&1 | tee {log:q}
        """


rule write_data_card:
    input:
        decontamination="<results>/decontamination/stats.json",
        dataset="<results>/dataset/stats.json",
        parquet=["<results>/dataset/train.parquet", "<results>/dataset/test.parquet"],
    output:
        card=report(
            "<results>/release/data/README.md",
            caption="report/write_data_card.rst",
            category="Release",
            labels={"part": "data card"},
        ),
    log:
        "<logs>/write_data_card.log",
    benchmark:
        "<benchmarks>/write_data_card.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("release.write_data_card"),
        settings=as_json(ABOUT_RUN | {"included": bool(INCLUDED)}),
    shell:
        """
        python -m workflow_scripts.release.write_data_card \
            --settings {params.settings:q} \
            --decontamination {input.decontamination:q} \
            --dataset {input.dataset:q} \
            --parquet {input.parquet:q} \
            --card {output.card:q} \
            2>&1 | tee {log:q}
        """


if GGUF:

    rule convert_gguf:
        input:
            model=f"<results>/training/{TRAINED[0]}/final",
        output:
            gguf=GGUF,
        log:
            "<logs>/convert_gguf.log",
        benchmark:
            "<benchmarks>/convert_gguf.tsv"
        conda:
            "../envs/training.yaml"
        resources:
            mem_mb=stage_resources(config["training"])["mem_mb"],
            runtime=120,
        params:
            converter=config["release"]["gguf_converter"],
        shell:
            """
            HF_HUB_OFFLINE=1 {params.converter} {input.model:q} \
                --outtype f16 \
                --outfile {output.gguf:q} \
                2>&1 | tee {log:q}
            """


rule gather_release:
    input:
        cards=["<results>/release/README.md", "<results>/release/data/README.md"],
        final=f"<results>/training/{TRAINED[0]}/final",
        trained=f"<results>/training/{TRAINED[0]}/trained",
        claims="<results>/report/claims.json",
        gguf=GGUF,
        train="<results>/dataset/train.jsonl",
        train_parquet="<results>/dataset/train.parquet",
        test="<results>/dataset/test.jsonl",
        test_parquet="<results>/dataset/test.parquet",
    output:
        # Folders, because their files are links: a link has the time of its target, so Snakemake would consider it outdated.
        model=directory("<results>/release/model"),
        conversations=directory("<results>/release/data/conversations"),
        messages=directory("<results>/release/data/messages"),
        crate=report(
            "<results>/release/ro-crate-metadata.json",
            caption="report/gather_release.rst",
            category="Release",
            labels={"part": "provenance"},
        ),
        sums="<results>/release/SHA256SUMS",
    log:
        "<logs>/gather_release.log",
    benchmark:
        "<benchmarks>/gather_release.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        runtime=120,
    params:
        code=code_hash("release.gather_release"),
        settings=as_json(ABOUT_MODEL),
        folder=subpath(output.sums, parent=True),
    shell:
        """
        python -m workflow_scripts.release.gather_release \
            --settings {params.settings:q} \
            --final {input.final:q} \
            --trained {input.trained:q} \
            --claims {input.claims:q} \
            --gguf {input.gguf:q} \
            --train {input.train:q} \
            --train-parquet {input.train_parquet:q} \
            --test {input.test:q} \
            --test-parquet {input.test_parquet:q} \
            --release {params.folder:q} \
            2>&1 | tee {log:q}
        """


rule release:
    input:
        "<results>/release/README.md",
        "<results>/release/data/README.md",
        "<results>/release/data/conversations",
        "<results>/release/data/messages",
        "<results>/release/model",
        "<results>/release/SHA256SUMS",
        GGUF,
    localrule: True
