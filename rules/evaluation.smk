"""Evaluation: lm-eval's tasks of each model, comparisons of the models, and each model's answers to fixed prompts."""


include: "evaluation_inputs.smk"


rule fetch_task:
    input:
        code=source_files("fetch_task"),
        files=task_files,
    output:
        record="<results>/evaluation/tasks/{lm_eval_task}.json",
    log:
        "<logs>/fetch_task/{lm_eval_task}.log",
    benchmark:
        "<benchmarks>/fetch_task/{lm_eval_task}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        # The data that were fetched for this run lie with it: a node without a network finds them there.
        include=include_path_option(),
        revisions=as_json(config["evaluation"]["revisions"]),
        folder=subpath(output.record, parent=True),
    shell:
        """
        export HF_DATASETS_CACHE="${{HF_DATASETS_CACHE:-{params.folder:q}/data}}"
        python -m workflow_scripts.evaluation.fetch_task \
            --task {wildcards.lm_eval_task:q} \
            {params.include} \
            --revisions {params.revisions:q} \
            --record {output.record:q} \
            2>&1 | tee {log:q}
        """


rule evaluate_task:
    input:
        code=source_files("evaluate_task"),
        files=task_files,
        records=lambda wildcards: [task_record(wildcards.task)],
        model=scored_model,
        adapter=scored_adapter,
    output:
        results=["<results>/evaluation/{model}/{task}.json"],
        tables=["<results>/evaluation/{model}/{task}.parquet"],
    log:
        "<logs>/evaluate_task/{model}/{task}.log",
    benchmark:
        "<benchmarks>/evaluate_task/{model}/{task}.tsv"
    conda:
        SCORING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(memory("evaluation")),
        runtime=growing(config["evaluation"]["resources"]["minutes"]),
        gpu=config["evaluation"]["resources"]["gpus"],
    params:
        entries=lambda wildcards: entries_json([wildcards.task]),
        settings=evaluation_settings,
        launcher=config["evaluation"]["launcher"],
        adapter=adapter_option,
        folder=lambda wildcards, output: os.path.dirname(output.results[0]),
    shell:
        """
        export HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="${{HF_DATASETS_CACHE:-$(dirname {input.records[0]:q})/data}}"
        python -m workflow_scripts.common.on_gpus {resources.gpu} {params.launcher} -m workflow_scripts.evaluation.evaluate_task \
            --name {wildcards.model:q} \
            --model {input.model:q} \
            {params.adapter} \
            --entries {params.entries:q} \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --finished {params.folder:q}/finished \
            --results {output.results:q} \
            --tables {output.tables:q} \
            2>&1 | tee {log:q}
        """


# Several tasks with one load of the model. A finished task is kept under its hash when a later one fails, so that the
# next run scores that one alone. A wildcard cannot stand for a list of files, so each batch is a rule of its own.
for number, batch in enumerate(BATCHES, 1):
    if len(batch) == 1:
        continue

    rule:
        name:
            f"evaluate_tasks_{number}"
        input:
            code=source_files("evaluate_task"),
            files=task_files,
            records=list(dict.fromkeys(map(task_record, batch))),
            model=scored_model,
            adapter=scored_adapter,
        output:
            results=expand("<results>/evaluation/{{model}}/{name}.json", name=batch),
            tables=expand("<results>/evaluation/{{model}}/{name}.parquet", name=batch),
        log:
            f"<logs>/evaluate_task/{{model}}/batch-{number}.log",
        benchmark:
            f"<benchmarks>/evaluate_task/{{model}}/batch-{number}.tsv"
        conda:
            SCORING_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=growing(memory("evaluation")),
            runtime=growing(config["evaluation"]["resources"]["minutes"]),
            gpu=config["evaluation"]["resources"]["gpus"],
        params:
            entries=lambda wildcards, names=tuple(batch): entries_json(names),
            settings=evaluation_settings,
            launcher=config["evaluation"]["launcher"],
            adapter=adapter_option,
            folder=lambda wildcards, output: os.path.dirname(output.results[0]),
        shell:
            """
            export HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="${{HF_DATASETS_CACHE:-$(dirname {input.records[0]:q})/data}}"
            python -m workflow_scripts.common.on_gpus {resources.gpu} {params.launcher} -m workflow_scripts.evaluation.evaluate_task \
                --name {wildcards.model:q} \
                --model {input.model:q} \
                {params.adapter} \
                --entries {params.entries:q} \
                --records {input.records:q} \
                --settings {params.settings:q} \
                --threads {threads} \
                --finished {params.folder:q}/finished \
                --results {output.results:q} \
                --tables {output.tables:q} \
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
        mem_mb=growing(memory("evaluation")),
        runtime=growing(60),
        gpu=config["evaluation"]["resources"]["gpus"],
    params:
        settings=as_json(part("evaluation", "dtype", "output_tokens")),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.evaluation.sample_outputs \
            --model {input.model:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --outputs {output.outputs:q} \
            2>&1 | tee {log:q}
        """


rule execute_code:
    input:
        code=source_files("execute_code"),
        result="<results>/evaluation/{model}/{code_task}.json",
        table="<results>/evaluation/{model}/{code_task}.parquet",
    output:
        result="<results>/evaluation/executed/{model}/{code_task}.json",
        table="<results>/evaluation/executed/{model}/{code_task}.parquet",
    log:
        "<logs>/execute_code/{model}/{code_task}.log",
    benchmark:
        "<benchmarks>/execute_code/{model}/{code_task}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    shell:
        """
        python -m workflow_scripts.evaluation.execute_code \
            --result {input.result:q} \
            --table {input.table:q} \
            --threads {threads} \
            --executed {output.result:q} \
            --executed-table {output.table:q} \
            2>&1 | tee {log:q}
        """


rule collect_scores:
    input:
        code=source_files("collect_scores"),
        suites="workflow_scripts/evaluation/suites.yaml",
        results=scored_files(".json"),
    output:
        scores="<results>/evaluation/scores.csv",
        averages="<results>/evaluation/averages.csv",
    log:
        "<logs>/collect_scores.log",
    benchmark:
        "<benchmarks>/collect_scores.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=as_json(part("evaluation", "suites", "custom", "limit")),
    shell:
        """
        python -m workflow_scripts.evaluation.collect_scores \
            --results {input.results:q} \
            --settings {params.settings:q} \
            --scores {output.scores:q} \
            --averages {output.averages:q} \
            2>&1 | tee {log:q}
        """


rule compare_models:
    input:
        code=source_files("compare_models"),
        suites="workflow_scripts/evaluation/suites.yaml",
        tables=scored_files(".parquet"),
        scores="<results>/evaluation/scores.csv",
    output:
        comparisons="<results>/evaluation/comparisons.csv",
        suites="<results>/evaluation/suite_comparisons.csv",
        flips="<results>/evaluation/flips.jsonl",
    log:
        "<logs>/compare_models.log",
    benchmark:
        "<benchmarks>/compare_models.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=as_json(part("evaluation", "suites", "custom")),
    shell:
        """
        python -m workflow_scripts.evaluation.compare_models \
            --tables {input.tables:q} \
            --scores {input.scores:q} \
            --settings {params.settings:q} \
            --comparisons {output.comparisons:q} \
            --suite-comparisons {output.suites:q} \
            --flips {output.flips:q} \
            2>&1 | tee {log:q}
        """


rule answer_questions:
    input:
        code=source_files("answer_questions"),
        template="workflow_scripts/training/templates/user_assistant.jinja",
        questions=TWO_TURN["questions"] if TWO_TURN else [],
        model="<results>/training/{model}/final",
    output:
        answers="<results>/evaluation/{model}/two_turn.jsonl",
    log:
        "<logs>/answer_questions/{model}.log",
    benchmark:
        "<benchmarks>/answer_questions/{model}.tsv"
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(memory("evaluation")),
        runtime=growing(config["evaluation"]["resources"]["minutes"]),
        gpu=config["evaluation"]["resources"]["gpus"],
    params:
        settings=as_json(
            part("evaluation", "dtype", "batch_size") | {"answer_tokens": (TWO_TURN or {}).get("answer_tokens", 512)}
        ),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.evaluation.answer_questions \
            --questions {input.questions:q} \
            --model {input.model:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --answers {output.answers:q} \
            2>&1 | tee {log:q}
        """


rule judge_answers:
    input:
        code=source_files("judge_answers"),
        prompt="workflow_scripts/evaluation/prompts/judge_pair.jinja",
        teacher=teacher_files(),
        answers=expand("<results>/evaluation/{model}/two_turn.jsonl", model=MODELS),
    output:
        judgements="<results>/evaluation/two_turn/judgements.jsonl",
        rejected="<results>/evaluation/two_turn/rejected.jsonl",
        stats="<results>/evaluation/two_turn/stats.json",
    log:
        "<logs>/judge_answers.log",
    benchmark:
        "<benchmarks>/judge_answers.tsv"
    conda:
        TEACHER_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=growing(memory("teacher")),
        runtime=growing(config["teacher"]["resources"]["minutes"]),
        gpu=config["teacher"]["resources"]["gpus"],
    params:
        settings=as_json({"judge_tokens": (TWO_TURN or {}).get("judge_tokens", 512)}),
        teacher=as_json(answering(config["teacher"])),
        # Not an output: finished requests must outlive a job that fails; the synthesis shares them.
        folder=subpath(output.stats, ancestor=3),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.evaluation.judge_answers \
            --answers {input.answers:q} \
            --settings {params.settings:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --cache {params.folder:q}/synthesis/cache \
            --server-log {params.folder:q}/evaluation/two_turn/server.log \
            --judgements {output.judgements:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
