"""Seeds: fetch each source as published, adapt, clean, take out duplicates, label, choose."""


rule fetch_source:
    input:
        code=source_files("fetch_source"),
        file=lambda wildcards: local_file(SOURCES[wildcards.source]),
    output:
        rows="<results>/seeds/sources/{source}.parquet",
        origin="<results>/seeds/sources/{source}.json",
    log:
        "<logs>/fetch_source/{source}.log",
    benchmark:
        "<benchmarks>/fetch_source/{source}.tsv"
    priority: 100  # a mistake in a source shows before anything slow runs
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=source_part(sources.FETCH),
        state=subpath(output.rows, with_suffix=".state"),
    shell:
        """
        python -m workflow_scripts.seeds.fetch_source \
            --settings {params.settings:q} \
            --state {params.state:q} \
            --rows {output.rows:q} \
            --origin {output.origin:q} \
            2>&1 | tee {log:q}
        """


rule adapt_source:
    input:
        code=source_files("adapt_source"),
        tasks=lambda wildcards: post_tasks(SOURCES[wildcards.source]),
        rows="<results>/seeds/sources/{source}.parquet",
        origin="<results>/seeds/sources/{source}.json",
    output:
        seeds="<results>/seeds/adapted/{source}.parquet",
        rejected="<results>/seeds/adapted/{source}.rejected.parquet",
        counts="<results>/seeds/adapted/{source}.json",
    log:
        "<logs>/adapt_source/{source}.log",
    benchmark:
        "<benchmarks>/adapt_source/{source}.tsv"
    priority: 50
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=source_part(sources.ADAPT),
    shell:
        """
        python -m workflow_scripts.seeds.adapt_source \
            --settings {params.settings:q} \
            --rows {input.rows:q} \
            --origin {input.origin:q} \
            --seeds {output.seeds:q} \
            --rejected {output.rejected:q} \
            --counts {output.counts:q} \
            2>&1 | tee {log:q}
        """


rule clean_source:
    input:
        code=source_files("clean_source"),
        phrases="workflow_scripts/seeds/cleaning/phrases.yaml",
        seeds="<results>/seeds/adapted/{source}.parquet",
    output:
        clean="<results>/seeds/clean/{source}.parquet",
        rejected="<results>/seeds/clean/{source}.rejected.parquet",
    log:
        "<logs>/clean_source/{source}.log",
    benchmark:
        "<benchmarks>/clean_source/{source}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: json.dumps(
            sources.cleaning(SOURCES[wildcards.source], config["seeds"]["cleaning"]), sort_keys=True
        ),
    shell:
        """
        python -m workflow_scripts.seeds.clean_source \
            --settings {params.settings:q} \
            --seeds {input.seeds:q} \
            --clean {output.clean:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule deduplicate_seeds:
    input:
        code=source_files("deduplicate_seeds"),
        seeds=expand("<results>/seeds/clean/{source}.parquet", source=SOURCES),
    output:
        unique="<results>/seeds/unique.parquet",
        rejected="<results>/seeds/unique.rejected.parquet",
    log:
        "<logs>/deduplicate_seeds.log",
    benchmark:
        "<benchmarks>/deduplicate_seeds.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        threshold=as_json(config["seeds"]["deduplication"]["jaccard_threshold"]),
    shell:
        """
        python -m workflow_scripts.seeds.deduplicate_seeds \
            --seeds {input.seeds:q} \
            --threshold {params.threshold} \
            --unique {output.unique:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule fetch_embedder:
    input:
        code=source_files("fetch_embedder"),
    output:
        model="<results>/seeds/embedder/modules.json",
    log:
        "<logs>/fetch_embedder.log",
    benchmark:
        "<benchmarks>/fetch_embedder.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        model=config["seeds"]["embedding"]["model"],
        revision=config["seeds"]["embedding"]["revision"],
        folder=subpath(output.model, parent=True),
    shell:
        """
        python -m workflow_scripts.seeds.fetch_embedder \
            --model {params.model:q} \
            --revision {params.revision:q} \
            --folder {params.folder:q} \
            2>&1 | tee {log:q}
        """


rule embed_seeds:
    input:
        code=source_files("embed_seeds"),
        model=embedder_files(),
        seeds="<results>/seeds/unique.parquet",
    output:
        embedded="<results>/seeds/embedded.parquet",
        rejected="<results>/seeds/embedded.rejected.parquet",
    log:
        "<logs>/embed_seeds.log",
    benchmark:
        "<benchmarks>/embed_seeds.tsv"
    conda:
        "../envs/labels.yaml"
    threads: 8
    resources:
        mem_mb=growing(memory("seeds")),
        runtime=growing(config["seeds"]["resources"]["minutes"]),
        gpu=config["seeds"]["resources"]["gpus"],
    params:
        settings=as_json(part("seeds", "oversample", "composition", "limit") if config["seeds"]["oversample"] else {"oversample": None}),
        model=embedder,
        batch_size=config["seeds"]["embedding"]["batch_size"],
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.seeds.embed_seeds \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --model={params.model:q} \
            --batch-size {params.batch_size} \
            --embedded {output.embedded:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule deduplicate_meanings:
    input:
        code=source_files("deduplicate_meanings"),
        seeds="<results>/seeds/embedded.parquet",
    output:
        distinct="<results>/seeds/distinct.parquet",
        rejected="<results>/seeds/distinct.rejected.parquet",
    log:
        "<logs>/deduplicate_meanings.log",
    benchmark:
        "<benchmarks>/deduplicate_meanings.tsv"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=as_json(config["seeds"]["deduplication"]),
    shell:
        """
        python -m workflow_scripts.seeds.deduplicate_semantic \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --distinct {output.distinct:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule label_seeds:
    input:
        code=source_files("label_seeds"),
        grid="workflow_scripts/seeds/labels/flask.yaml",
        prompt="workflow_scripts/seeds/labels/prompts/label.jinja",
        model=embedder_files(),
        teacher=teacher_files() if config["seeds"]["labels"]["by"] == "teacher" else [],
        seeds="<results>/seeds/distinct.parquet",
    output:
        labelled="<results>/seeds/labelled.parquet",
        rejected="<results>/seeds/labelled.rejected.parquet",
    log:
        "<logs>/label_seeds.log",
    benchmark:
        "<benchmarks>/label_seeds.tsv"
    conda:
        LABELS_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=growing(max(map(memory, LABELLERS))),
        runtime=growing(max(config[section]["resources"]["minutes"] for section in LABELLERS)),
        gpu=max(config[section]["resources"]["gpus"] for section in LABELLERS),
    params:
        settings=as_json(config["seeds"]["labels"]),
        model=embedder,
        teacher=as_json(answering(config["teacher"]) if config["seeds"]["labels"]["by"] == "teacher" else {}),
        folder=subpath(output.labelled, ancestor=2),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.seeds.label_seeds \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --embedding-model={params.model:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --cache {params.folder:q}/synthesis/cache \
            --server-log {params.folder:q}/seeds/label_server.log \
            --labelled {output.labelled:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule select_seeds:
    input:
        code=source_files("select_seeds"),
        seeds="<results>/seeds/labelled.parquet",
        unique="<results>/seeds/unique.parquet",
        counts=expand("<results>/seeds/adapted/{source}.json", source=SOURCES),
        earlier=[
            *expand("<results>/seeds/{step}/{source}.rejected.parquet", step=["adapted", "clean"], source=SOURCES),
            *expand("<results>/seeds/{step}.rejected.parquet", step=["unique", "embedded", "distinct", "labelled"]),
        ],
    output:
        data="<results>/seeds/data.jsonl",
        rejected="<results>/seeds/rejected.jsonl",
        stats="<results>/seeds/stats.json",
    log:
        "<logs>/select_seeds.log",
    benchmark:
        "<benchmarks>/select_seeds.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(max(4000, memory("seeds"))),
        runtime=growing(60),
    params:
        settings=as_json(part("seeds", "limit", "composition", "stratify_by")),
    shell:
        """
        python -m workflow_scripts.seeds.select_seeds \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --unique {input.unique:q} \
            --counts {input.counts:q} \
            --earlier {input.earlier:q} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
