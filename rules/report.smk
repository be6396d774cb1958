"""Report: the page that a person reads, and the model card."""


rule render_report:
    input:
        code=source_files("render_report"),
        templates=templates("index", "style", "contamination", "hit", "evaluation", "training", "verification"),
        published="workflow_scripts/report/published.yaml",
        seeds="<results>/seeds/stats.json" if SOURCES else [],
        synthesis="<results>/synthesis/stats.json" if SOURCES else [],
        verification="<results>/verification/stats.json" if SOURCES else [],
        decontamination="<results>/decontamination/stats.json",
        hits="<results>/decontamination/hits.jsonl",
        hits_page="<results>/report/hits.html",
        flips_page="<results>/report/flips.html",
        dataset="<results>/dataset/stats.json",
        train="<results>/dataset/train.jsonl",
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
        mem_mb=2000,
        runtime=30,
    params:
        run=config["run"],
        base=config["training"]["base"]["model"],
        teacher=config["teacher"]["model"],
        evaluation=as_json(part("evaluation", "suites", "custom", "limit")),
    shell:
        """
        python -m workflow_scripts.render_report \
            --run {params.run:q} \
            --base {params.base:q} \
            --teacher {params.teacher:q} \
            --seeds {input.seeds:q} \
            --synthesis {input.synthesis:q} \
            --verification {input.verification:q} \
            --decontamination {input.decontamination:q} \
            --hits {input.hits:q} \
            --dataset {input.dataset:q} \
            --train {input.train:q} \
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


rule render_hits:
    input:
        code=source_files("render_hits"),
        templates=templates("hits", "style", "hit"),
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
        mem_mb=2000,
        runtime=30,
    params:
        run=config["run"],
    shell:
        """
        python -m workflow_scripts.render_hits \
            --title {params.run:q} \
            --hits {input.hits:q} \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_flips:
    input:
        code=source_files("render_flips"),
        templates=templates("flips", "style"),
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
        mem_mb=2000,
        runtime=30,
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
        template="workflow_scripts/report/templates/model_card.md.jinja",
        decontamination="<results>/decontamination/stats.json",
        dataset="<results>/dataset/stats.json",
        audit=expand("<results>/training/{trained}/audit.json", trained=TRAINED),
        scores="<results>/evaluation/scores.csv",
    output:
        card=report("<results>/release/README.md", caption="report/write_model_card.rst", category="Release"),
    log:
        "<logs>/write_model_card.log",
    benchmark:
        "<benchmarks>/write_model_card.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        run=config["run"],
        base=as_json(config["training"]["base"]),
        # The card is of the first model.
        training=as_json(
            without("training", "base", "models", "launcher", "resources") | (config["training"]["models"][TRAINED[0]])
        ),
        model=TRAINED[0],
    shell:
        """
        python -m workflow_scripts.write_model_card \
            --run {params.run:q} \
            --base {params.base:q} \
            --training {params.training:q} \
            --model {params.model:q} \
            --decontamination {input.decontamination:q} \
            --dataset {input.dataset:q} \
            --audit {input.audit:q} \
            --scores {input.scores:q} \
            --card {output.card:q} \
            2>&1 | tee {log:q}
        """
