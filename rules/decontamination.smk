"""Decontamination: search the conversations for every benchmark item, remove those that are too similar."""

SEARCH_SHARDS = [f"{n:04d}" for n in range(config["decontamination"]["shards"])]
MINHASH = "<results>/decontamination/minhash_baseline.jsonl" if config["decontamination"]["minhash"] else []
REPHRASED = config["decontamination"]["rephrased"]
SEARCHES_REPHRASED, JUDGES_REPHRASED = REPHRASED["by"] != "none", REPHRASED["by"] == "model"
RELATIONS = "<results>/decontamination/rephrased/relations.jsonl" if SEARCHES_REPHRASED else []
REPHRASED_FILES = ["items.parquet", "candidates.jsonl", "relations.jsonl"] if SEARCHES_REPHRASED else []
DOWNLOADS += EMBEDDER_WEIGHTS if SEARCHES_REPHRASED else []
DOWNLOADS += JUDGE_FILES if JUDGES_REPHRASED else []
# A parameter function: the name or folder of the embedding model.
compared_embedder = lambda wildcards, input: os.path.dirname(str(input.model)) if FETCH_EMBEDDER else EMBEDDER
DOWNLOADS += expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS)


rule fetch_benchmark:
    input:
        file=lambda wildcards: local_file(BENCHMARKS[wildcards.benchmark]),
    output:
        rows="<results>/decontamination/items/{benchmark}.jsonl",
        origin="<results>/decontamination/items/{benchmark}.json",
    log:
        "<logs>/fetch_benchmark/{benchmark}.log",
    benchmark:
        "<benchmarks>/fetch_benchmark/{benchmark}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("decontamination.fetch_benchmark"),
        settings=lambda wildcards: entry_json(BENCHMARKS[wildcards.benchmark]),
    shell:
        """
        python -m workflow_scripts.decontamination.fetch_benchmark \
            --benchmark {wildcards.benchmark:q} \
            --settings {params.settings:q} \
            --items {output.rows:q} \
            --origin {output.origin:q} \
            2>&1 | tee {log:q}
        """


rule index_benchmarks:
    input:
        benchmarks=expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS),
        origins=expand("<results>/decontamination/items/{benchmark}.json", benchmark=BENCHMARKS),
        # Before the synthesis, because the seeds are searched, too.
        sample="<results>/seeds/unique.parquet" if SOURCES else "<results>/conversations/data.jsonl",
    output:
        texts="<results>/decontamination/index/texts.npz",
        queries="<results>/decontamination/index/queries.jsonl",
        summary="<results>/decontamination/index/items.json",
    log:
        "<logs>/index_benchmarks.log",
    benchmark:
        "<benchmarks>/index_benchmarks.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("decontamination.index_benchmarks"),
        index=subpath(output.summary, parent=True),
        lowest_level=min(*config["decontamination"]["levels"], config["decontamination"]["remove_at"]),
    shell:
        """
        python -m workflow_scripts.decontamination.index_benchmarks \
            --items {input.benchmarks:q} \
            --origins {input.origins:q} \
            --lowest-level {params.lowest_level} \
            --sample {input.sample:q} \
            --index {params.index:q} \
            2>&1 | tee {log:q}
        """


rule search_benchmarks:
    input:
        conversations="<results>/conversations/data.jsonl",
        index=[f"<results>/decontamination/index/{name}" for name in ("texts.npz", "queries.jsonl")],
        summary="<results>/decontamination/index/items.json",
    output:
        hits="<results>/decontamination/found/{shard}.jsonl",
    log:
        "<logs>/search_benchmarks/{shard}.log",
    benchmark:
        "<benchmarks>/search_benchmarks/{shard}.tsv"
    conda:
        "../envs/data.yaml"
    threads: config["decontamination"]["processes"]
    resources:
        mem_mb=lambda wildcards, threads, attempt: (2000 + 1000 * threads) * attempt,
        runtime=240,
    params:
        code=code_hash("decontamination.search_benchmarks"),
        index=subpath(input.summary, parent=True),
        shards=config["decontamination"]["shards"],
    shell:
        """
        python -m workflow_scripts.decontamination.search_benchmarks \
            --conversations {input.conversations:q} \
            --index {params.index:q} \
            --shard {wildcards.shard} \
            --shards {params.shards} \
            --processes {threads} \
            --hits {output.hits:q} \
            2>&1 | tee {log:q}
        """


rule run_minhash_baseline:
    input:
        conversations="<results>/conversations/data.jsonl",
        index=[f"<results>/decontamination/index/{name}" for name in ("texts.npz", "queries.jsonl")],
        summary="<results>/decontamination/index/items.json",
    output:
        minhash="<results>/decontamination/minhash_baseline.jsonl",
    log:
        "<logs>/run_minhash_baseline.log",
    benchmark:
        "<benchmarks>/run_minhash_baseline.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        runtime=240,
    params:
        code=code_hash("decontamination.run_minhash_baseline"),
        index=subpath(input.summary, parent=True),
    shell:
        """
        python -m workflow_scripts.decontamination.run_minhash_baseline \
            --conversations {input.conversations:q} \
            --index {params.index:q} \
            --matches {output.minhash:q} \
            2>&1 | tee {log:q}
        """


rule embed_benchmarks:
    input:
        model=input_files(EMBEDDER_WEIGHTS),
        queries="<results>/decontamination/index/queries.jsonl",
    output:
        vectors="<results>/decontamination/rephrased/items.parquet",
    log:
        "<logs>/embed_benchmarks.log",
    benchmark:
        "<benchmarks>/embed_benchmarks.tsv"
    conda:
        "../envs/labels.yaml"
    threads: 8
    resources:
        **stage_resources(config["seeds"]),
    params:
        code=code_hash("decontamination.embed_benchmarks"),
        model=compared_embedder,
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.decontamination.embed_benchmarks \
            --queries {input.queries:q} \
            --model={params.model:q} \
            --vectors {output.vectors:q} \
            2>&1 | tee {log:q}
        """


rule find_rephrased:
    input:
        model=input_files(EMBEDDER_WEIGHTS),
        conversations="<results>/conversations/data.jsonl",
        vectors="<results>/decontamination/rephrased/items.parquet",
    output:
        candidates="<results>/decontamination/rephrased/candidates.jsonl",
    log:
        "<logs>/find_rephrased.log",
    benchmark:
        "<benchmarks>/find_rephrased.tsv"
    conda:
        "../envs/labels.yaml"
    threads: 8
    resources:
        **stage_resources(config["seeds"]),
    params:
        code=code_hash("decontamination.find_rephrased"),
        model=compared_embedder,
        settings=as_json({name: REPHRASED[name] for name in ("neighbours", "min_similarity", "answers")}),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.decontamination.find_rephrased \
            --conversations {input.conversations:q} \
            --vectors {input.vectors:q} \
            --model={params.model:q} \
            --settings {params.settings:q} \
            --candidates {output.candidates:q} \
            2>&1 | tee {log:q}
        """


rule judge_rephrased:
    input:
        model=input_files(JUDGE_FILES if JUDGES_REPHRASED else []),
        candidates="<results>/decontamination/rephrased/candidates.jsonl",
    output:
        relations="<results>/decontamination/rephrased/relations.jsonl",
        usage="<results>/decontamination/rephrased/usage.json",
    log:
        "<logs>/judge_rephrased.log",
    benchmark:
        "<benchmarks>/judge_rephrased.tsv"
    conda:
        "../envs/vllm.yaml" if JUDGE["kind"] == "vllm" else "../envs/teacher.yaml"
    threads: 8
    resources:
        **stage_resources(*([JUDGE] if JUDGES_REPHRASED else [config["seeds"]])),
    params:
        code=code_hash("decontamination.judge_rephrased"),
        judge=as_json(answer_settings(JUDGE) if JUDGES_REPHRASED else {}),
        sampling=as_json(config["judge"]["sampling"]),
        folder=subpath(output.relations, ancestor=3),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.decontamination.judge_rephrased \
            --candidates {input.candidates:q} \
            --judge {params.judge:q} \
            --sampling {params.sampling:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --relations {output.relations:q} \
            --usage {output.usage:q} \
            2>&1 | tee {log:q}
        """


rule decontaminate_conversations:
    input:
        conversations="<results>/conversations/data.jsonl",
        found=expand("<results>/decontamination/found/{shard}.jsonl", shard=SEARCH_SHARDS),
        minhash=MINHASH,
        relations=RELATIONS,
        usage="<results>/decontamination/rephrased/usage.json" if SEARCHES_REPHRASED else [],
        summary="<results>/decontamination/index/items.json",
    output:
        data="<results>/decontamination/data.jsonl",
        hits="<results>/decontamination/hits.jsonl",
        rephrased="<results>/decontamination/rephrased.jsonl",
        rejected="<results>/decontamination/rejected.jsonl",
        stats="<results>/decontamination/stats.json",
    log:
        "<logs>/decontaminate_conversations.log",
    benchmark:
        "<benchmarks>/decontaminate_conversations.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("decontamination.decontaminate_conversations"),
        index=subpath(input.summary, parent=True),
        levels=config["decontamination"]["levels"],
        remove_at=config["decontamination"]["remove_at"],
        allow=as_json(config["decontamination"]["allow"]),
        remove_relations=as_json(REPHRASED["remove"]),
        suites=as_json(SUITES),
    shell:
        """
        python -m workflow_scripts.decontamination.decontaminate_conversations \
            --conversations {input.conversations:q} \
            --found {input.found:q} \
            --minhash {input.minhash:q} \
            --index {params.index:q} \
            --levels {params.levels} \
            --remove-at {params.remove_at} \
            --allow {params.allow:q} \
            --relations {input.relations:q} \
            --usage {input.usage:q} \
            --remove-relations {params.remove_relations:q} \
            --suites {params.suites:q} \
            --data {output.data:q} \
            --hits {output.hits:q} \
            --rephrased {output.rephrased:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule decontamination:
    input:
        expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS),
        expand("<results>/decontamination/found/{shard}.jsonl", shard=SEARCH_SHARDS),
        "<results>/decontamination/index/items.json",
        MINHASH,
        expand("<results>/decontamination/rephrased/{name}", name=REPHRASED_FILES),
        "<results>/decontamination/data.jsonl",
    localrule: True
