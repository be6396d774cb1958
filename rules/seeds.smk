"""Seeds: fetch each source as published, adapt its layout, clean, take out duplicates, choose."""


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
        mem_mb=2000,
        runtime=60,
    params:
        settings=lambda wildcards: json.dumps(SOURCES[wildcards.source], sort_keys=True),
    shell:
        """
        python -m workflow_scripts.fetch_source \
            --settings {params.settings:q} \
            --rows {output.rows:q} \
            --origin {output.origin:q} \
            2>&1 | tee {log:q}
        """


rule adapt_source:
    input:
        code=source_files("adapt_source"),
        rows="<results>/seeds/sources/{source}.parquet",
        origin="<results>/seeds/sources/{source}.json",
    output:
        seeds="<results>/seeds/adapted/{source}.jsonl",
        rejected="<results>/seeds/adapted/{source}.rejected.jsonl",
    log:
        "<logs>/adapt_source/{source}.log",
    benchmark:
        "<benchmarks>/adapt_source/{source}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: json.dumps(SOURCES[wildcards.source], sort_keys=True),
    shell:
        """
        python -m workflow_scripts.adapt_source \
            --settings {params.settings:q} \
            --rows {input.rows:q} \
            --origin {input.origin:q} \
            --seeds {output.seeds:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule clean_seeds:
    input:
        code=source_files("clean_seeds"),
        seeds=expand("<results>/seeds/adapted/{source}.jsonl", source=SOURCES),
    output:
        clean="<results>/seeds/clean.jsonl",
        rejected="<results>/seeds/clean.rejected.jsonl",
    log:
        "<logs>/clean_seeds.log",
    benchmark:
        "<benchmarks>/clean_seeds.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=as_json(config["seeds"]["cleaning"]),
    shell:
        """
        python -m workflow_scripts.clean_seeds \
            --settings {params.settings:q} \
            --seeds {input.seeds:q} \
            --clean {output.clean:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule deduplicate_seeds:
    input:
        code=source_files("deduplicate_seeds"),
        seeds="<results>/seeds/clean.jsonl",
    output:
        unique="<results>/seeds/unique.jsonl",
        rejected="<results>/seeds/unique.rejected.jsonl",
    log:
        "<logs>/deduplicate_seeds.log",
    benchmark:
        "<benchmarks>/deduplicate_seeds.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        threshold=config["seeds"]["near_duplicate_threshold"],
    shell:
        """
        python -m workflow_scripts.deduplicate_seeds \
            --seeds {input.seeds:q} \
            --threshold {params.threshold} \
            --unique {output.unique:q} \
            --rejected {output.rejected:q} \
            2>&1 | tee {log:q}
        """


rule select_seeds:
    input:
        code=source_files("select_seeds"),
        seeds="<results>/seeds/unique.jsonl",
        origins=expand("<results>/seeds/sources/{source}.json", source=SOURCES),
        earlier=[
            *expand("<results>/seeds/adapted/{source}.rejected.jsonl", source=SOURCES),
            "<results>/seeds/clean.rejected.jsonl",
            "<results>/seeds/unique.rejected.jsonl",
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
        mem_mb=4000,
        runtime=30,
    params:
        limit=config["seeds"]["limit"],
    shell:
        """
        python -m workflow_scripts.select_seeds \
            --seeds {input.seeds:q} \
            --origins {input.origins:q} \
            --earlier {input.earlier:q} \
            --limit {params.limit} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
