"""Report: the claims, the page that a person reads, and the release."""


rule check_claims:
    input:
        code=source_files("check_claims"),
        claims="workflow_scripts/claims/claims.yaml",
        data=[
            "workflow_scripts/evaluation/published.yaml",
            "workflow_scripts/evaluation/suites.yaml",
            "workflow_scripts/seeds/registry.yaml",
        ],
        train="<results>/dataset/train.parquet",
        test="<results>/dataset/test.parquet",
        base="<results>/training/base/final",
        seeds="<results>/seeds/data.jsonl" if SOURCES else [],
        verification="<results>/verification/stats.json" if SOURCES else [],
        decontamination="<results>/decontamination/stats.json",
        hits="<results>/decontamination/hits.jsonl",
        audit=f"<results>/training/{TRAINED[0]}/audit.json",
        metrics=f"<results>/training/{TRAINED[0]}/metrics.jsonl",
        losses=expand("<results>/evaluation/{model}/exchange_losses.jsonl", model=MODELS[:2]),
        scores="<results>/evaluation/scores.csv",
        averages="<results>/evaluation/averages.csv",
        two_turn=two_turn_files("stats.json"),
    output:
        claims=report(
            "<results>/report/claims.json",
            caption="report/check_claims.rst",
            category="Claims",
            labels={"part": "claims"},
        ),
    log:
        "<logs>/check_claims.log",
    benchmark:
        "<benchmarks>/check_claims.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        settings=as_json(
            {"base": config["training"]["base"]["model"], "model": TRAINED[0]}
            | part("evaluation", "suites", "custom", "limit")
        ),
        folder=subpath(output.claims, ancestor=2),
    shell:
        """
        python -m workflow_scripts.check_claims \
            --settings {params.settings:q} \
            --train {input.train:q} \
            --test {input.test:q} \
            --base {input.base:q} \
            --seeds {input.seeds:q} \
            --verification {input.verification:q} \
            --decontamination {input.decontamination:q} \
            --hits {input.hits:q} \
            --audit {input.audit:q} \
            --metrics {input.metrics:q} \
            --losses {input.losses:q} \
            --scores {input.scores:q} \
            --averages {input.averages:q} \
            --two-turn {input.two_turn:q} \
            --results {params.folder:q} \
            --claims {output.claims:q} \
            2>&1 | tee {log:q}
        """


rule render_report:
    input:
        code=source_files("render_report"),
        templates=templates("index"),
        published="workflow_scripts/report/published.yaml",
        claims="<results>/report/claims.json",
        seeds="<results>/seeds/stats.json" if SOURCES else [],
        synthesis="<results>/synthesis/stats.json" if SOURCES else [],
        assembled="<results>/decontamination/assembled.stats.json",
        verification="<results>/verification/stats.json" if SOURCES else [],
        decontamination="<results>/decontamination/stats.json",
        conversations="<results>/decontamination/data.jsonl",
        hits="<results>/decontamination/hits.jsonl",
        hits_page="<results>/report/hits.html",
        flips_page="<results>/report/flips.html",
        conversations_page="<results>/report/conversations.html",
        dataset="<results>/dataset/stats.json",
        train="<results>/dataset/train.jsonl",
        variants=expand("<results>/training/{trained}/stats.json", trained=TRAINED),
        audit=expand("<results>/training/{trained}/audit.json", trained=TRAINED),
        metrics=expand("<results>/training/{trained}/metrics.jsonl", trained=TRAINED),
        losses=expand("<results>/evaluation/{model}/exchange_losses.jsonl", model=MODELS),
        scores="<results>/evaluation/scores.csv",
        evaluation=[
            "<results>/evaluation/averages.csv",
            "<results>/evaluation/comparisons.csv",
            "<results>/evaluation/suite_comparisons.csv",
        ],
        evaluation_data=["workflow_scripts/evaluation/suites.yaml", "workflow_scripts/evaluation/published.yaml"],
        two_turn=two_turn_files("stats.json"),
        outputs=expand("<results>/evaluation/{model}/outputs.jsonl", model=MODELS),
    output:
        page=report("<results>/report/index.html", caption="report/render_report.rst", category="Report"),
    log:
        "<logs>/render_report.log",
    benchmark:
        "<benchmarks>/render_report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        run=config["run"],
        base=config["training"]["base"]["model"],
        teacher=config["teacher"]["model"],
        evaluation=as_json(part("evaluation", "suites", "custom", "limit")),
        # Not inputs: run.json and benchmarks/ change with every start, and the page tells what was there when it was made.
        folder=subpath(output.page, ancestor=2),
    shell:
        """
        python -m workflow_scripts.render_report \
            --run {params.run:q} \
            --base {params.base:q} \
            --teacher {params.teacher:q} \
            --folder {params.folder:q} \
            --claims {input.claims:q} \
            --seeds {input.seeds:q} \
            --synthesis {input.synthesis:q} \
            --assembled {input.assembled:q} \
            --verification {input.verification:q} \
            --decontamination {input.decontamination:q} \
            --conversations {input.conversations:q} \
            --hits {input.hits:q} \
            --dataset {input.dataset:q} \
            --train {input.train:q} \
            --variants {input.variants:q} \
            --audit {input.audit:q} \
            --metrics {input.metrics:q} \
            --losses {input.losses:q} \
            --scores {input.scores:q} \
            --evaluation {input.evaluation:q} \
            --evaluation-settings {params.evaluation:q} \
            --two-turn {input.two_turn:q} \
            --outputs {input.outputs:q} \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_conversations:
    input:
        code=source_files("render_conversations"),
        templates=templates("conversations", "style"),
        scripts=[
            f"workflow_scripts/report/templates/{name}"
            for name in (
                "conversations.css.jinja",
                "conversations.js",
                "conversations_data.js",
                "conversations_view.js",
            )
        ],
        conversations="<results>/decontamination/assembled.jsonl",
        hits="<results>/decontamination/hits.jsonl",
        train="<results>/dataset/train.parquet",
        test="<results>/dataset/test.parquet",
        rejected=expand("<results>/{stage}/rejected.jsonl", stage=DATA_STAGES),
        # The texts of what was rejected.
        seeds="<results>/seeds/data.jsonl" if SOURCES else [],
        adapted=expand("<results>/seeds/adapted/{source}.parquet", source=SOURCES),
        shards=expand("<results>/synthesis/shards/{shard}.jsonl", shard=SHARDS if SOURCES else []),
    output:
        # No report(): Snakemake's own would take in the page without the scripts that hold its conversations.
        page="<results>/report/conversations.html",
        parts=expand("<results>/report/conversations/{part}.js", part=list("0123456789abcdef")),
    log:
        "<logs>/render_conversations.log",
    benchmark:
        "<benchmarks>/render_conversations.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        run=config["run"],
        shards=lambda wildcards, input: os.path.dirname(input.shards[0]) if input.shards else "",
        shard_count=len(SHARDS) if SOURCES else 0,
    shell:
        """
        python -m workflow_scripts.render_conversations \
            --run {params.run:q} \
            --conversations {input.conversations:q} \
            --hits {input.hits:q} \
            --train {input.train:q} \
            --test {input.test:q} \
            --rejected {input.rejected:q} \
            --seeds {input.seeds:q} \
            --adapted {input.adapted:q} \
            --shards={params.shards:q} \
            --shard-count {params.shard_count} \
            --page {output.page:q} \
            --parts {output.parts:q} \
            2>&1 | tee {log:q}
        """


rule render_hits:
    input:
        code=source_files("render_hits"),
        templates=templates("hits"),
        hits="<results>/decontamination/hits.jsonl",
    output:
        page=report("<results>/report/hits.html", caption="report/render_hits.rst", category="Report"),
    log:
        "<logs>/render_hits.log",
    benchmark:
        "<benchmarks>/render_hits.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        run=config["run"],
    shell:
        """
        python -m workflow_scripts.render_hits \
            --title {params.run:q} \
            --hits {input.hits:q} \
            --browser conversations.html \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_flips:
    input:
        code=source_files("render_flips"),
        templates=templates("flips"),
        flips="<results>/evaluation/flips.jsonl",
    output:
        page=report("<results>/report/flips.html", caption="report/render_flips.rst", category="Report"),
    log:
        "<logs>/render_flips.log",
    benchmark:
        "<benchmarks>/render_flips.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        run=config["run"],
    shell:
        """
        python -m workflow_scripts.render_flips \
            --run {params.run:q} \
            --flips {input.flips:q} \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule write_model_card:
    input:
        code=source_files("write_model_card"),
        templates=card_templates("model_card"),
        decontamination="<results>/decontamination/stats.json",
        dataset="<results>/dataset/stats.json",
        parquet=["<results>/dataset/train.parquet", "<results>/dataset/test.parquet"],
        # The card is of the first model.
        audit=f"<results>/training/{TRAINED[0]}/audit.json",
        scores="<results>/evaluation/scores.csv",
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=as_json(released("base", "teacher", "training", "model", "release")),
    shell:
        """
        python -m workflow_scripts.write_model_card \
            --settings {params.settings:q} \
            --decontamination {input.decontamination:q} \
            --dataset {input.dataset:q} \
            --parquet {input.parquet:q} \
            --audit {input.audit:q} \
            --scores {input.scores:q} \
            --claims {input.claims:q} \
            --card {output.card:q} \
            2>&1 | tee {log:q}
        """


rule write_data_card:
    input:
        code=source_files("write_data_card"),
        templates=card_templates("data_card"),
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=as_json(released("teacher", "included")),
    shell:
        """
        python -m workflow_scripts.write_data_card \
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
        threads: 1
        resources:
            mem_mb=growing(memory("training")),
            runtime=growing(120),
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
        code=source_files("gather_release"),
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
        # Folders, for their files are links: a link is as old as what it names, and would look out of date.
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        settings=as_json(released("base", "teacher", "training")),
        folder=subpath(output.sums, parent=True),
    shell:
        """
        python -m workflow_scripts.gather_release \
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
