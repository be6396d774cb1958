"""Decontamination: assemble all conversations, look for every benchmark item in them, remove what is too similar."""


rule assemble_conversations:
    input:
        code=source_files("assemble_conversations"),
        # Without seed sources there is nothing to synthesise: a published set may enter here by itself.
        synthesis="<results>/synthesis/data.jsonl" if SOURCES else [],
        seeds="<results>/seeds/data.jsonl" if SOURCES else [],
        include=[entry["path"] for entry in config["conversations"]["include"] if "path" in entry],
    output:
        data="<results>/decontamination/assembled.jsonl",
        rejected="<results>/decontamination/assembled.rejected.jsonl",
        stats="<results>/decontamination/assembled.stats.json",
    log:
        "<logs>/assemble_conversations.log",
    benchmark:
        "<benchmarks>/assemble_conversations.tsv"
    localrule: True  # it may download conversations from the hub
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        include=as_json(config["conversations"]["include"]),
        max_chars=as_json(config["conversations"]["max_chars"]),
    shell:
        """
        python -m workflow_scripts.assemble_conversations \
            --synthesis {input.synthesis:q} \
            --seeds {input.seeds:q} \
            --include {params.include:q} \
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
        mem_mb=2000,
        runtime=60,
    params:
        settings=lambda wildcards: json.dumps(BENCHMARKS[wildcards.benchmark], sort_keys=True),
    shell:
        """
        python -m workflow_scripts.fetch_benchmark \
            --benchmark {wildcards.benchmark:q} \
            --settings {params.settings:q} \
            --items {output.rows:q} \
            --origin {output.origin:q} \
            2>&1 | tee {log:q}
        """


rule decontaminate_conversations:
    input:
        code=source_files("decontaminate_conversations"),
        conversations="<results>/decontamination/assembled.jsonl",
        rejected="<results>/decontamination/assembled.rejected.jsonl",
        stats="<results>/decontamination/assembled.stats.json",
        benchmarks=expand("<results>/decontamination/items/{benchmark}.jsonl", benchmark=BENCHMARKS),
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
        mem_mb=4000,
        runtime=240,
    params:
        levels=config["decontamination"]["levels"],
        remove_at=config["decontamination"]["remove_at"],
    shell:
        """
        python -m workflow_scripts.decontaminate_conversations \
            --conversations {input.conversations:q} \
            --items {input.benchmarks:q} \
            --levels {params.levels} \
            --remove-at {params.remove_at} \
            --assembly-stats {input.stats:q} \
            --assembly-rejected {input.rejected:q} \
            --data {output.data:q} \
            --hits {output.hits:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
