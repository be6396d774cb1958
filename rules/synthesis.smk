"""Synthesis: Amplify-Instruct, shard by shard, with the configured teacher."""


rule fetch_teacher:
    input:
        code=source_files("fetch_teacher"),
    output:
        record="<results>/synthesis/teacher.json",
    log:
        "<logs>/fetch_teacher.log",
    benchmark:
        "<benchmarks>/fetch_teacher.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(600),
    params:
        settings=as_json(part("teacher", "model", "revision")),
    shell:
        """
        python -m workflow_scripts.synthesis.fetch_teacher \
            --settings {params.settings:q} \
            --record {output.record:q} \
            2>&1 | tee {log:q}
        """


rule synthesize_shard:
    input:
        code=source_files("synthesize_shard"),
        prompts=prompt_files(),
        teacher=teacher_files(),
        seeds="<results>/seeds/data.jsonl",
    output:
        data="<results>/synthesis/shards/{shard}.jsonl",
        rejected="<results>/synthesis/shards/{shard}.rejected.jsonl",
        stats="<results>/synthesis/shards/{shard}.stats.json",
    log:
        "<logs>/synthesize_shard/{shard}.log",
    benchmark:
        "<benchmarks>/synthesize_shard/{shard}.tsv"
    conda:
        TEACHER_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=growing(memory("teacher")),
        runtime=growing(config["teacher"]["resources"]["minutes"]),
        gpu=config["teacher"]["resources"]["gpus"],
    params:
        settings=as_json(config["synthesis"]),
        teacher=as_json(answering(config["teacher"])),
        # Not an output: finished requests must outlive a job that fails. All shards and reruns share them.
        folder=subpath(output.data, ancestor=2),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.synthesis.synthesize_shard \
            --seeds {input.seeds:q} \
            --shard {wildcards.shard} \
            --settings {params.settings:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --cache {params.folder:q}/cache \
            --server-log {params.folder:q}/servers/{wildcards.shard}.log \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule collect_synthesis:
    input:
        code=source_files("collect_synthesis"),
        shards=expand("<results>/synthesis/shards/{shard}.jsonl", shard=SHARDS),
        rejected=expand("<results>/synthesis/shards/{shard}.rejected.jsonl", shard=SHARDS),
        stats=expand("<results>/synthesis/shards/{shard}.stats.json", shard=SHARDS),
        model=embedder_files(),
    output:
        data="<results>/synthesis/data.jsonl",
        rejected="<results>/synthesis/rejected.jsonl",
        stats="<results>/synthesis/stats.json",
    log:
        "<logs>/collect_synthesis.log",
    benchmark:
        "<benchmarks>/collect_synthesis.tsv"
    conda:
        "../envs/labels.yaml"
    threads: 1
    resources:
        mem_mb=growing(memory("seeds")),
        runtime=growing(60),
    params:
        deduplication=as_json(config["seeds"]["deduplication"]),
        model=embedder,
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.synthesis.collect_synthesis \
            --shards {input.shards:q} \
            --shards-rejected {input.rejected:q} \
            --shards-stats {input.stats:q} \
            --deduplication {params.deduplication:q} \
            --model={params.model:q} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
