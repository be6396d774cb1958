"""Synthesis: Amplify-Instruct, shard by shard, with the configured teacher; then measures and a judge."""

import math

from workflow_scripts.seeds.counts import most_seeds
from workflow_scripts.synthesis.judging.settings import export_judge_runtime, independent_endpoint, judge_settings
from workflow_scripts.synthesis.shards import examples_shown

SHARDS = [f"{n:04d}" for n in range(math.ceil(most_seeds(config["seeds"]) / config["synthesis"]["shard_size"]))]
JUDGED = config["judge"]["by"] == "model"
JUDGE = judge_settings(config)
SYNTHESIS_JUDGE = independent_endpoint(config)
# The teacher's weights are fetched and trigger a rerun; a judge with weights of its own is a local file or an endpoint.
JUDGE_FILES = []
if JUDGED or config["decontamination"]["rephrased"]["by"] == "model":
    own = JUDGE["kind"] != "endpoint" and JUDGE["model"] != TEACHER_MODEL
    JUDGE_FILES = model_files(JUDGE["model"]) if own else [] if JUDGE["kind"] == "endpoint" else TEACHER_FILES
export_judge_runtime(config)
# airoboros draws its topics once per run.
USES_TOPICS = any("airoboros" in entry["path"] for entry in config["synthesis"]["recipe"])

DOWNLOADS += (
    TEACHER_FILES if SOURCES or (config["evaluation"]["multi_turn"] or {"judge": False}).get("judge", True) else []
)


rule fetch_teacher:
    output:
        record="<results>/teacher/model.json",
    log:
        "<logs>/fetch_teacher.log",
    benchmark:
        "<benchmarks>/fetch_teacher.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        code=code_hash("synthesis.fetch_teacher"),
        settings=as_json(config_subset("teacher", "model", "revision")),
    shell:
        """
        python -m workflow_scripts.synthesis.fetch_teacher \
            --settings {params.settings:q} \
            --record {output.record:q} \
            2>&1 | tee {log:q}
        """


rule draw_topics:
    input:
        teacher=input_files(TEACHER_FILES),
    output:
        topics="<results>/synthesis/topics.json",
    log:
        "<logs>/draw_topics.log",
    benchmark:
        "<benchmarks>/draw_topics.tsv"
    conda:
        TEACHER_ENVIRONMENT
    threads: 8
    resources:
        **stage_resources(config["teacher"]),
    params:
        code=code_hash("synthesis.draw_topics"),
        settings=as_json(
            {
                **{key: config["synthesis"]["techniques"]["airoboros"][key] for key in ("topic_requests", "topics")},
                "sampling": config["synthesis"]["sampling"]["instruction"],
                "random_seed": config["synthesis"]["random_seed"],
            }
        ),
        teacher=as_json(answer_settings(config["teacher"])),
        folder=subpath(output.topics, ancestor=2),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.synthesis.draw_topics \
            --settings {params.settings:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --topics {output.topics:q} \
            2>&1 | tee {log:q}
        """


rule shard_seeds:
    input:
        seeds="<results>/seeds/data.jsonl",
    output:
        # A folder: with thousands of files, Snakemake would compare each with the input of each shard.
        shards=directory("<results>/synthesis/seeds"),
    log:
        "<logs>/shard_seeds.log",
    benchmark:
        "<benchmarks>/shard_seeds.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("synthesis.shard_seeds"),
        shard_size=config["synthesis"]["shard_size"],
        shard_count=len(SHARDS),
        examples=examples_shown(config["synthesis"]),
    shell:
        """
        python -m workflow_scripts.synthesis.shard_seeds \
            --seeds {input.seeds:q} \
            --shard-size {params.shard_size} \
            --shard-count {params.shard_count} \
            --examples {params.examples} \
            --shards {output.shards:q} \
            2>&1 | tee {log:q}
        """


rule synthesize_shard:
    input:
        teacher=input_files(TEACHER_FILES),
        seeds="<results>/synthesis/seeds",
        topics="<results>/synthesis/topics.json" if USES_TOPICS else [],
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
        **stage_resources(config["teacher"]),
    params:
        code=code_hash("synthesis.synthesize_shard"),
        settings=as_json(config["synthesis"]),
        teacher=as_json(answer_settings(config["teacher"])),
        judge=as_json(answer_settings(SYNTHESIS_JUDGE) if SYNTHESIS_JUDGE else {}),
        labels=LABELLED_BY,
        # Not an output: finished requests must survive a failed job. All jobs share them.
        folder=subpath(output.data, ancestor=3),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.synthesis.synthesize_shard \
            --seeds {input.seeds:q}/{wildcards.shard}.jsonl \
            --shard {wildcards.shard} \
            --topics={input.topics:q} \
            --labels {params.labels} \
            --settings {params.settings:q} \
            --teacher {params.teacher:q} \
            --judge {params.judge:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule collect_synthesis:
    input:
        shards=expand("<results>/synthesis/shards/{shard}.jsonl", shard=SHARDS),
        model=input_files(EMBEDDER_FILES),
    output:
        data="<results>/synthesis/collected.jsonl",
        rejected="<results>/synthesis/collected.rejected.jsonl",
        stats="<results>/synthesis/collected.stats.json",
    log:
        "<logs>/collect_synthesis.log",
    benchmark:
        "<benchmarks>/collect_synthesis.tsv"
    conda:
        "../envs/labels.yaml"
    resources:
        mem_mb=int(1024 * config["seeds"]["resources"]["memory_gb"]),
    params:
        code=code_hash("synthesis.collect_synthesis"),
        # The names of thousands of shards do not fit into a command.
        folder=subpath(output.data, parent=True),
        shard_count=len(SHARDS),
        deduplication=as_json(config["seeds"]["deduplication"]),
        model=embedder_folder,
        labels=LABELLED_BY,
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.synthesis.collect_synthesis \
            --shards {params.folder:q}/shards \
            --shard-count {params.shard_count} \
            --deduplication {params.deduplication:q} \
            --model={params.model:q} \
            --labels {params.labels} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule judge_conversations:
    input:
        model=input_files(JUDGE_FILES if JUDGED else []),
        data="<results>/synthesis/collected.jsonl",
        rejected="<results>/synthesis/collected.rejected.jsonl",
        stats="<results>/synthesis/collected.stats.json",
    output:
        data="<results>/synthesis/data.jsonl",
        rejected="<results>/synthesis/rejected.jsonl",
        stats="<results>/synthesis/stats.json",
    log:
        "<logs>/judge_conversations.log",
    benchmark:
        "<benchmarks>/judge_conversations.tsv"
    conda:
        "../envs/vllm.yaml" if JUDGE["kind"] == "vllm" else "../envs/teacher.yaml"
    threads: 8
    resources:
        **stage_resources(*([JUDGE] if JUDGED else [config["seeds"]])),
    params:
        code=code_hash("synthesis.judge_conversations"),
        settings=as_json({name: config["judge"][name] for name in ("by", "sampling", "min_score", "best_share")}),
        judge=as_json(answer_settings(JUDGE) if JUDGED else {}),
        folder=subpath(output.data, ancestor=2),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.synthesis.judge_conversations \
            --conversations {input.data:q} \
            --earlier {input.rejected:q} \
            --collected {input.stats:q} \
            --settings {params.settings:q} \
            --judge {params.judge:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule synthesis:
    input:
        "<results>/synthesis/seeds" if SOURCES else [],
        expand("<results>/synthesis/shards/{shard}.jsonl", shard=SHARDS if SOURCES else []),
        "<results>/synthesis/topics.json" if SOURCES and USES_TOPICS else [],
        ["<results>/synthesis/collected.jsonl", "<results>/synthesis/data.jsonl"] if SOURCES else [],
    localrule: True
