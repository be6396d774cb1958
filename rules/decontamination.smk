"""Decontamination: search the conversations for every benchmark item, remove those that are too similar."""

SEARCH_SHARDS = [f"{n:04d}" for n in range(config["decontamination"]["shards"])]
MINHASH = "<results>/decontamination/minhash_baseline.jsonl" if config["decontamination"]["minhash"] else []
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
        sample="<results>/conversations/data.jsonl",
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


rule decontaminate_conversations:
    input:
        conversations="<results>/conversations/data.jsonl",
        found=expand("<results>/decontamination/found/{shard}.jsonl", shard=SEARCH_SHARDS),
        minhash=MINHASH,
        summary="<results>/decontamination/index/items.json",
    output:
        data="<results>/decontamination/data.jsonl",
        hits="<results>/decontamination/hits.jsonl",
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
            --suites {params.suites:q} \
            --data {output.data:q} \
            --hits {output.hits:q} \
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
        "<results>/decontamination/data.jsonl",
    localrule: True
