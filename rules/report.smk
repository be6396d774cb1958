"""Report: the claims, the pages, and the conversations to browse."""

# Stages with rejected rows; without seed sources nothing is synthesised, nor verified.
REJECTING = [
    *(["seeds", "synthesis", "verification"] if SOURCES else []),
    "conversations",
    "decontamination",
    "dataset",
]
REPHRASED_PAGE = "<results>/report/rephrased.html" if SEARCHES_REPHRASED else []
# Of the conversations, and of the seeds before the synthesis.
HITS = ["<results>/decontamination/hits.jsonl", *(["<results>/seeds/hits.jsonl"] if SOURCES else [])]


rule check_claims:
    input:
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
        comparisons=["<results>/evaluation/comparisons.csv", "<results>/evaluation/suite_comparisons.csv"],
        knowledge=expand("<results>/evaluation/{model}/{task}.parquet", model=TRAINED[0], task=KNOWLEDGE[:1]),
        multi_turn=MULTI_TURN_STATS,
        checks=MULTI_TURN_CHECKS,
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
    resources:
        mem_mb=8000,
    params:
        code=code_hash("report.check_claims"),
        settings=as_json(
            {"base": config["training"]["base"]["model"], "model": TRAINED[0]}
            | config_subset("evaluation", "suites", "custom", "limit")
            | {"peers": PEERS, "margin": config["report"]["margin"]}
        ),
        folder=subpath(output.claims, ancestor=2),
    shell:
        """
        python -m workflow_scripts.report.check_claims \
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
            --comparisons {input.comparisons:q} \
            --knowledge {input.knowledge:q} \
            --multi-turn {input.multi_turn:q} \
            --checks {input.checks:q} \
            --results {params.folder:q} \
            --claims {output.claims:q} \
            2>&1 | tee {log:q}
        """


rule render_report:
    input:
        claims="<results>/report/claims.json",
        seeds="<results>/seeds/stats.json" if SOURCES else [],
        synthesis="<results>/synthesis/stats.json" if SOURCES else [],
        judged="<results>/synthesis/data.jsonl" if SOURCES else [],
        reviewed="<results>/verification/items.jsonl" if SOURCES else [],
        assembled="<results>/conversations/stats.json",
        verification="<results>/verification/stats.json" if SOURCES else [],
        decontamination="<results>/decontamination/stats.json",
        conversations="<results>/decontamination/data.jsonl",
        hits="<results>/decontamination/hits.jsonl",
        hits_page="<results>/report/hits.html",
        rephrased_page=REPHRASED_PAGE,
        flips_page="<results>/report/flips.html",
        items_page="<results>/report/items.html",
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
        multi_turn=MULTI_TURN_STATS,
        checks=MULTI_TURN_CHECKS,
        knowledge=expand("<results>/evaluation/{model}/{task}.parquet", model=SCORED_MODELS, task=KNOWLEDGE[:1]),
        outputs=expand("<results>/evaluation/{model}/outputs.jsonl", model=SCORED_MODELS),
    output:
        page=report("<results>/report/index.html", caption="report/render_report.rst", category="Report"),
    log:
        "<logs>/render_report.log",
    benchmark:
        "<benchmarks>/render_report.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("report.render_report"),
        run=config["run"],
        base=literal(config["training"]["base"]["model"]),
        teacher=config["teacher"]["model"],
        claims=to_json(config["report"]["claims"]),
        evaluation=as_json(config_subset("evaluation", "suites", "custom", "limit") | {"peers": list(PEERS)}),
        # Not inputs: run.json and benchmarks/ change with every start; the page uses them as they are when it is rendered.
        folder=subpath(output.page, ancestor=2),
    shell:
        """
        python -m workflow_scripts.report.render_report \
            --run {params.run:q} \
            --base {params.base:q} \
            --teacher {params.teacher:q} \
            --folder {params.folder:q} \
            --claims {input.claims:q} \
            --show-claims {params.claims} \
            --seeds {input.seeds:q} \
            --synthesis {input.synthesis:q} \
            --judged {input.judged:q} \
            --reviewed {input.reviewed:q} \
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
            --multi-turn {input.multi_turn:q} \
            --checks {input.checks:q} \
            --knowledge {input.knowledge:q} \
            --outputs {input.outputs:q} \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_conversations:
    input:
        conversations="<results>/conversations/data.jsonl",
        hits=HITS,
        train="<results>/dataset/train.parquet",
        test="<results>/dataset/test.parquet",
        rejected=expand("<results>/{stage}/rejected.jsonl", stage=REJECTING),
        # The requests that rewritten openings replaced.
        seeds="<results>/seeds/data.jsonl" if SOURCES else [],
    output:
        # No report(): Snakemake's report would embed the page without the scripts that contain its conversations.
        page="<results>/report/conversations.html",
        parts=expand("<results>/report/conversations/{part}.js", part=list("0123456789abcdef")),
    log:
        "<logs>/render_conversations.log",
    benchmark:
        "<benchmarks>/render_conversations.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("report.render_conversations"),
        run=config["run"],
        searched=int(bool(BENCHMARKS)),
    shell:
        """
        python -m workflow_scripts.report.render_conversations \
            --run {params.run:q} \
            --conversations {input.conversations:q} \
            --hits {input.hits:q} \
            --searched {params.searched} \
            --train {input.train:q} \
            --test {input.test:q} \
            --rejected {input.rejected:q} \
            --seeds {input.seeds:q} \
            --page {output.page:q} \
            --parts {output.parts:q} \
            2>&1 | tee {log:q}
        """


rule render_hits:
    input:
        hits=HITS,
    output:
        page=report("<results>/report/hits.html", caption="report/render_hits.rst", category="Report"),
    log:
        "<logs>/render_hits.log",
    benchmark:
        "<benchmarks>/render_hits.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("report.render_hits"),
        run=config["run"],
    shell:
        """
        python -m workflow_scripts.report.render_hits \
            --title {params.run:q} \
            --hits {input.hits:q} \
            --browser conversations.html \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_rephrased:
    input:
        rephrased="<results>/decontamination/rephrased.jsonl",
        stats="<results>/decontamination/stats.json",
    output:
        page=report("<results>/report/rephrased.html", caption="report/render_rephrased.rst", category="Report"),
    log:
        "<logs>/render_rephrased.log",
    benchmark:
        "<benchmarks>/render_rephrased.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("report.render_rephrased"),
        run=config["run"],
    shell:
        """
        python -m workflow_scripts.report.render_rephrased \
            --title {params.run:q} \
            --rephrased {input.rephrased:q} \
            --stats {input.stats:q} \
            --browser conversations.html \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_flips:
    input:
        flips="<results>/evaluation/flips.jsonl",
    output:
        page=report("<results>/report/flips.html", caption="report/render_flips.rst", category="Report"),
    log:
        "<logs>/render_flips.log",
    benchmark:
        "<benchmarks>/render_flips.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("report.render_flips"),
        run=config["run"],
    shell:
        """
        python -m workflow_scripts.report.render_flips \
            --run {params.run:q} \
            --flips {input.flips:q} \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule render_items:
    input:
        tables=expand("<results>/evaluation/{scored}.parquet", scored=SCORED),
    output:
        page=report("<results>/report/items.html", caption="report/render_items.rst", category="Report"),
    log:
        "<logs>/render_items.log",
    benchmark:
        "<benchmarks>/render_items.tsv"
    conda:
        "../envs/report.yaml"
    params:
        code=code_hash("report.render_items"),
        run=config["run"],
        settings=as_json(config_subset("evaluation", "suites", "custom")),
    shell:
        """
        python -m workflow_scripts.report.render_items \
            --run {params.run:q} \
            --tables {input.tables:q} \
            --settings {params.settings:q} \
            --page {output.page:q} \
            2>&1 | tee {log:q}
        """


rule report:
    input:
        "<results>/report/claims.json",
        expand("<results>/report/{page}.html", page=["index", "conversations", "hits", "flips", "items"]),
        REPHRASED_PAGE,
    localrule: True
