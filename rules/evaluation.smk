"""Evaluation: one lm-eval task of one model a job, and each model's answers to fixed prompts."""


rule fetch_task:
    input:
        code=source_files("fetch_task"),
        files=task_files,
    output:
        record="<results>/evaluation/tasks/{task}.json",
    log:
        "<logs>/fetch_task/{task}.log",
    benchmark:
        "<benchmarks>/fetch_task/{task}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        include=include_path_option(),
    shell:
        """
        python -m workflow_scripts.fetch_task \
            --task {wildcards.task:q} \
            {params.include} \
            --record {output.record:q} \
            2>&1 | tee {log:q}
        """


rule evaluate_task:
    input:
        code=source_files("evaluate_task"),
        files=task_files,
        task="<results>/evaluation/tasks/{task}.json",
        model="<results>/training/{model}/final",
    output:
        result="<results>/evaluation/{model}/{task}.json",
    log:
        "<logs>/evaluate_task/{model}/{task}.log",
    benchmark:
        "<benchmarks>/evaluate_task/{model}/{task}.tsv"
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=memory("evaluation"),
        runtime=config["evaluation"]["resources"]["minutes"],
        gpu=config["evaluation"]["resources"]["gpus"],
    params:
        settings=lambda wildcards: json.dumps(
            part("evaluation", "include_path", "limit", "batch_size", "dtype", "apply_chat_template")
            | {"num_fewshot": config["evaluation"]["num_fewshot"].get(wildcards.task)},
            sort_keys=True,
        ),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.evaluate_task \
            --model {input.model:q} \
            --task {wildcards.task:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --result {output.result:q} \
            2>&1 | tee {log:q}
        """


rule sample_outputs:
    input:
        code=source_files("sample_outputs"),
        prompts="workflow_scripts/evaluation/prompts.yaml",
        template="workflow_scripts/training/templates/user_assistant.jinja",
        model="<results>/training/{model}/final",
    output:
        outputs="<results>/evaluation/{model}/outputs.jsonl",
    log:
        "<logs>/sample_outputs/{model}.log",
    benchmark:
        "<benchmarks>/sample_outputs/{model}.tsv"
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=memory("evaluation"),
        runtime=60,
        gpu=config["evaluation"]["resources"]["gpus"],
    params:
        settings=as_json(part("evaluation", "dtype", "output_tokens")),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.sample_outputs \
            --model {input.model:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --outputs {output.outputs:q} \
            2>&1 | tee {log:q}
        """


rule collect_scores:
    input:
        code=source_files("collect_scores"),
        results=expand("<results>/evaluation/{model}/{task}.json", model=MODELS, task=TASKS),
    output:
        scores="<results>/evaluation/scores.csv",
    log:
        "<logs>/collect_scores.log",
    benchmark:
        "<benchmarks>/collect_scores.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        """
        python -m workflow_scripts.collect_scores \
            --results {input.results:q} \
            --scores {output.scores:q} \
            2>&1 | tee {log:q}
        """
