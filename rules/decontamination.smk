"""Decontamination: assemble all conversations, look for every benchmark item in them, remove what is too similar."""


rule fetch_conversations:
    input:
        code=source_files("fetch_conversations"),
        file=lambda wildcards: local_file(INCLUDED[int(wildcards.included)]),
    output:
        rows="<results>/decontamination/included/{included}.parquet",
        origin="<results>/decontamination/included/{included}.json",
    log:
        "<logs>/fetch_conversations/{included}.log",
    benchmark:
        "<benchmarks>/fetch_conversations/{included}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: json.dumps(INCLUDED[int(wildcards.included)], sort_keys=True),
    shell:
        """
        python -m workflow_scripts.conversations.fetch_conversations \
            --number {wildcards.included} \
            --settings {params.settings:q} \
            --rows {output.rows:q} \
            --origin {output.origin:q} \
            2>&1 | tee {log:q}
        """


rule assemble_conversations:
    input:
        code=source_files("assemble_conversations"),
        # Without seed sources there is nothing to synthesise: a published set may enter here by itself.
        synthesis="<results>/verification/data.jsonl" if SOURCES else [],
        seeds="<results>/seeds/data.jsonl" if SOURCES else [],
        included=expand("<results>/decontamination/included/{included}.parquet", included=range(len(INCLUDED))),
        origins=expand("<results>/decontamination/included/{included}.json", included=range(len(INCLUDED))),
    output:
        data="<results>/decontamination/assembled.jsonl",
        rejected="<results>/decontamination/assembled.rejected.jsonl",
        stats="<results>/decontamination/assembled.stats.json",
    log:
        "<logs>/assemble_conversations.log",
    benchmark:
        "<benchmarks>/assemble_conversations.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        include=as_json(INCLUDED),
        max_chars=as_json(config["conversations"]["max_chars"]),
    shell:
        """
        python -m workflow_scripts.conversations.assemble_conversations \
            --synthesis {input.synthesis:q} \
            --seeds {input.seeds:q} \
            --include {params.include:q} \
            --fetched {input.included:q} \
            --max-chars {params.max_chars} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule fetch_benchmark:
    input:
        code=source_files("fetch_benchmark"),
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
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: json.dumps(BENCHMARKS[wildcards.benchmark], sort_keys=True),
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
        code=source_files("index_benchmarks"),
        benchmarks=expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS),
        origins=expand("<results>/decontamination/items/{benchmark}.json", benchmark=BENCHMARKS),
        sample="<results>/decontamination/assembled.jsonl",
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
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


rule match_conversations:
    input:
        code=source_files("match_conversations"),
        conversations="<results>/decontamination/assembled.jsonl",
        index=[f"<results>/decontamination/index/{name}" for name in ("texts.npz", "queries.jsonl")],
        summary="<results>/decontamination/index/items.json",
    output:
        hits="<results>/decontamination/found/{part}.jsonl",
    log:
        "<logs>/match_conversations/{part}.log",
    benchmark:
        "<benchmarks>/match_conversations/{part}.tsv"
    conda:
        "../envs/data.yaml"
    threads: config["decontamination"]["processes"]
    resources:
        mem_mb=lambda wildcards, threads, attempt: (2000 + 1000 * threads) * attempt,
        runtime=growing(240),
    params:
        index=subpath(input.summary, parent=True),
        parts=config["decontamination"]["parts"],
    shell:
        """
        python -m workflow_scripts.decontamination.search_benchmarks \
            --conversations {input.conversations:q} \
            --index {params.index:q} \
            --shard {wildcards.part} {params.parts} \
            --processes {threads} \
            --hits {output.hits:q} \
            2>&1 | tee {log:q}
        """


rule find_near_copies:
    input:
        code=source_files("find_near_copies"),
        conversations="<results>/decontamination/assembled.jsonl",
        index=[f"<results>/decontamination/index/{name}" for name in ("texts.npz", "queries.jsonl")],
        summary="<results>/decontamination/index/items.json",
    output:
        copies="<results>/decontamination/near_copies.jsonl",
    log:
        "<logs>/find_near_copies.log",
    benchmark:
        "<benchmarks>/find_near_copies.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        index=subpath(input.summary, parent=True),
    shell:
        """
        python -m workflow_scripts.decontamination.run_minhash_baseline \
            --conversations {input.conversations:q} \
            --index {params.index:q} \
            --copies {output.copies:q} \
            2>&1 | tee {log:q}
        """


rule decontaminate_conversations:
    input:
        code=source_files("decontaminate_conversations"),
        conversations="<results>/decontamination/assembled.jsonl",
        rejected="<results>/decontamination/assembled.rejected.jsonl",
        stats="<results>/decontamination/assembled.stats.json",
        found=expand("<results>/decontamination/found/{part}.jsonl", part=PARTS),
        copies="<results>/decontamination/near_copies.jsonl" if config["decontamination"]["minhash"] else [],
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
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
            --copies {input.copies:q} \
            --index {params.index:q} \
            --levels {params.levels} \
            --remove-at {params.remove_at} \
            --allow {params.allow:q} \
            --suites {params.suites:q} \
            --assembly-stats {input.stats:q} \
            --assembly-rejected {input.rejected:q} \
            --data {output.data:q} \
            --hits {output.hits:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
