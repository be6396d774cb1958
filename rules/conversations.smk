"""Conversations: fetch finished conversations to include, assemble everything, split over-long ones, drop near-duplicates."""

INCLUDED = config["conversations"]["include"]
DOWNLOADS += expand("<results>/conversations/included/{included}.parquet", included=range(len(INCLUDED)))


rule fetch_conversations:
    input:
        file=lambda wildcards: local_file(INCLUDED[int(wildcards.included)]),
    output:
        rows="<results>/conversations/included/{included}.parquet",
        origin="<results>/conversations/included/{included}.json",
    log:
        "<logs>/fetch_conversations/{included}.log",
    benchmark:
        "<benchmarks>/fetch_conversations/{included}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("conversations.fetch_conversations"),
        settings=lambda wildcards: entry_json(INCLUDED[int(wildcards.included)]),
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
        # Without seed sources nothing is synthesised: the included conversations are then the only input.
        synthesis="<results>/verification/data.jsonl" if SOURCES else [],
        seeds="<results>/seeds/data.jsonl" if SOURCES else [],
        included=expand("<results>/conversations/included/{included}.parquet", included=range(len(INCLUDED))),
        origins=expand("<results>/conversations/included/{included}.json", included=range(len(INCLUDED))),
    output:
        data="<results>/conversations/data.jsonl",
        rejected="<results>/conversations/rejected.jsonl",
        stats="<results>/conversations/stats.json",
    log:
        "<logs>/assemble_conversations.log",
    benchmark:
        "<benchmarks>/assemble_conversations.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("conversations.assemble_conversations"),
        include=as_json(
            [entry | {"rules": sources.cleaning(entry, config["seeds"]["cleaning"])["rules"]} for entry in INCLUDED]
        ),
        max_chars=as_json(config["conversations"]["max_chars"]),
        jaccard_threshold=as_json(config["conversations"]["jaccard_threshold"]),
    shell:
        """
        python -m workflow_scripts.conversations.assemble_conversations \
            --synthesis {input.synthesis:q} \
            --seeds {input.seeds:q} \
            --include {params.include:q} \
            --fetched {input.included:q} \
            --max-chars {params.max_chars} \
            --jaccard-threshold {params.jaccard_threshold} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule conversations:
    input:
        expand("<results>/conversations/included/{included}.parquet", included=range(len(INCLUDED))),
        "<results>/conversations/data.jsonl",
    localrule: True
