"""Seeds: fetch each source as published, adapt, clean, deduplicate, search for benchmark items, label, score, select."""

LABELLED_BY = config["seeds"]["labels"]["by"]
SCORED_BY = config["seeds"]["scores"]["by"]
CLUSTERS = "cluster" in config["seeds"]["stratify_by"]
EMBEDDER = config["seeds"]["embedding"]["model"]
FETCH_EMBEDDER = on_hub(EMBEDDER)
# Whether any step compares, labels or scores seeds by their embeddings.
EMBEDS = (
    config["seeds"]["deduplication"]["semantic_distance"] is not None
    or LABELLED_BY == "classifier"
    or SCORED_BY == "model"
    or CLUSTERS
)
EMBEDDER_WEIGHTS = ["<results>/seeds/embedder/modules.json"] if FETCH_EMBEDDER else model_files(EMBEDDER)
EMBEDDER_FILES = EMBEDDER_WEIGHTS if EMBEDS else []
OVERSAMPLING = (
    config_subset("seeds", "oversample", "composition", "limit", "expected_yield")
    if config["seeds"]["oversample"]
    else {"oversample": None}
)
DOWNLOADS += expand("<results>/seeds/sources/{source}.parquet", source=SOURCES)
DOWNLOADS += EMBEDDER_FILES if SOURCES else []
# A parameter function: the name or folder of the embedding model, empty if none is needed.
embedder_folder = lambda wildcards, input: (
    "" if not EMBEDS else os.path.dirname(str(input.model)) if FETCH_EMBEDDER else EMBEDDER
)


rule fetch_source:
    input:
        file=lambda wildcards: local_file(SOURCES[wildcards.source]),
    output:
        rows="<results>/seeds/sources/{source}.parquet",
        origin="<results>/seeds/sources/{source}.json",
    log:
        "<logs>/fetch_source/{source}.log",
    benchmark:
        "<benchmarks>/fetch_source/{source}.tsv"
    priority: 100  # errors in a source are reported before anything slow runs
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("seeds.fetch_source"),
        settings=lambda wildcards: entry_json(SOURCES[wildcards.source], sources.FETCH),
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
    params:
        code=code_hash("seeds.adapt_source"),
        settings=lambda wildcards: to_json(sources.subset(SOURCES[wildcards.source], sources.ADAPT)),
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
        seeds="<results>/seeds/adapted/{source}.parquet",
    output:
        clean="<results>/seeds/clean/{source}.parquet",
        rejected="<results>/seeds/clean/{source}.rejected.parquet",
        changes="<results>/seeds/clean/{source}.json",
        repaired="<results>/seeds/clean/{source}.repaired.parquet",
    log:
        "<logs>/clean_source/{source}.log",
    benchmark:
        "<benchmarks>/clean_source/{source}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("seeds.clean_source"),
        settings=lambda wildcards: to_json(sources.cleaning(SOURCES[wildcards.source], config["seeds"]["cleaning"])),
    shell:
        """
        python -m workflow_scripts.seeds.clean_source \
            --settings {params.settings:q} \
            --seeds {input.seeds:q} \
            --clean {output.clean:q} \
            --rejected {output.rejected:q} \
            --changes {output.changes:q} \
            --repaired {output.repaired:q} \
            2>&1 | tee {log:q}
        """


rule deduplicate_seeds:
    input:
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
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        code=code_hash("seeds.deduplicate_seeds"),
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


rule decontaminate_seeds:
    input:
        seeds="<results>/seeds/unique.parquet",
        index=[f"<results>/decontamination/index/{name}" for name in ("texts.npz", "queries.jsonl")],
        summary="<results>/decontamination/index/items.json",
    output:
        searched="<results>/seeds/searched.parquet",
        rejected="<results>/seeds/searched.rejected.parquet",
        hits="<results>/seeds/hits.jsonl",
    log:
        "<logs>/decontaminate_seeds.log",
    benchmark:
        "<benchmarks>/decontaminate_seeds.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        code=code_hash("seeds.decontaminate_seeds"),
        index=subpath(input.summary, parent=True),
        remove_at=config["decontamination"]["remove_at"],
        allow=as_json(config["decontamination"]["allow"]),
    shell:
        """
        python -m workflow_scripts.seeds.decontaminate_seeds \
            --seeds {input.seeds:q} \
            --index {params.index:q} \
            --remove-at {params.remove_at} \
            --allow {params.allow:q} \
            --searched {output.searched:q} \
            --rejected {output.rejected:q} \
            --hits {output.hits:q} \
            2>&1 | tee {log:q}
        """


rule fetch_embedder:
    output:
        model="<results>/seeds/embedder/modules.json",
    log:
        "<logs>/fetch_embedder.log",
    benchmark:
        "<benchmarks>/fetch_embedder.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("seeds.fetch_embedder"),
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
        model=input_files(EMBEDDER_FILES),
        seeds="<results>/seeds/searched.parquet",
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
        **stage_resources(config["seeds"]),
    params:
        code=code_hash("seeds.embed_seeds"),
        settings=as_json(OVERSAMPLING),
        model=embedder_folder,
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


rule deduplicate_semantic:
    input:
        seeds="<results>/seeds/embedded.parquet",
    output:
        distinct="<results>/seeds/distinct.parquet",
        rejected="<results>/seeds/distinct.rejected.parquet",
    log:
        "<logs>/deduplicate_semantic.log",
    benchmark:
        "<benchmarks>/deduplicate_semantic.tsv"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        code=code_hash("seeds.deduplicate_semantic"),
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
        model=input_files(EMBEDDER_FILES),
        teacher=input_files(TEACHER_FILES if LABELLED_BY == "teacher" else []),
        seeds="<results>/seeds/distinct.parquet",
    output:
        labelled="<results>/seeds/labelled.parquet",
        rejected="<results>/seeds/labelled.rejected.parquet",
    log:
        "<logs>/label_seeds.log",
    benchmark:
        "<benchmarks>/label_seeds.tsv"
    conda:
        "../envs/vllm.yaml" if LABELLED_BY == "teacher" and TEACHER_KIND == "vllm" else "../envs/labels.yaml"
    threads: 8
    resources:
        **stage_resources(config["seeds"], *([config["teacher"]] if LABELLED_BY == "teacher" else [])),
    params:
        code=code_hash("seeds.label_seeds"),
        settings=as_json(config["seeds"]["labels"]),
        model=embedder_folder,
        teacher=as_json(answer_settings(config["teacher"]) if LABELLED_BY == "teacher" else {}),
        folder=subpath(output.labelled, ancestor=2),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.seeds.label_seeds \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --embedding-model={params.model:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --labelled {output.labelled:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule score_seeds:
    input:
        model=input_files(EMBEDDER_FILES),
        teacher=input_files(TEACHER_FILES if SCORED_BY == "teacher" else []),
        seeds="<results>/seeds/labelled.parquet",
    output:
        scored="<results>/seeds/scored.parquet",
        rejected="<results>/seeds/scored.rejected.parquet",
    log:
        "<logs>/score_seeds.log",
    benchmark:
        "<benchmarks>/score_seeds.tsv"
    conda:
        "../envs/vllm.yaml" if SCORED_BY == "teacher" and TEACHER_KIND == "vllm" else "../envs/labels.yaml"
    threads: 8
    resources:
        **stage_resources(config["seeds"], *([config["teacher"]] if SCORED_BY == "teacher" else [])),
    params:
        code=code_hash("seeds.score_seeds"),
        settings=as_json(config["seeds"]["scores"] | {"clusters": CLUSTERS}),
        model=embedder_folder,
        teacher=as_json(answer_settings(config["teacher"]) if SCORED_BY == "teacher" else {}),
        folder=subpath(output.scored, ancestor=2),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.seeds.score_seeds \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --embedding-model={params.model:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --scored {output.scored:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule select_seeds:
    input:
        seeds="<results>/seeds/scored.parquet",
        unique="<results>/seeds/unique.parquet",
        counts=expand("<results>/seeds/adapted/{source}.json", source=SOURCES),
        changes=expand("<results>/seeds/clean/{source}.json", source=SOURCES),
        earlier=[
            *expand("<results>/seeds/{step}/{source}.rejected.parquet", step=["adapted", "clean"], source=SOURCES),
            *expand(
                "<results>/seeds/{step}.rejected.parquet",
                step=["unique", "searched", "embedded", "distinct", "labelled", "scored"],
            ),
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
    resources:
        mem_mb=max(4000, int(1024 * config["seeds"]["resources"]["memory_gb"])),
    params:
        code=code_hash("seeds.select_seeds"),
        settings=as_json(config_subset("seeds", "limit", "composition", "stratify_by", "expected_yield")),
    shell:
        """
        python -m workflow_scripts.seeds.select_seeds \
            --seeds {input.seeds:q} \
            --settings {params.settings:q} \
            --unique {input.unique:q} \
            --counts {input.counts:q} \
            --changes {input.changes:q} \
            --earlier {input.earlier:q} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule seeds:
    input:
        expand(
            "<results>/seeds/{step}/{source}.parquet",
            step=["sources", "adapted", "clean"],
            source=SOURCES,
        ),
        [
            f"<results>/seeds/{name}.parquet"
            for name in ("unique", "searched", "embedded", "distinct", "labelled", "scored")
            if SOURCES
        ],
        # The index with which the seeds are searched.
        expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS if SOURCES else []),
        "<results>/decontamination/index/items.json" if SOURCES else [],
        "<results>/seeds/data.jsonl" if SOURCES else [],
    localrule: True
