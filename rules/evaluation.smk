"""Evaluation: peers, lm-eval tasks of every model, comparisons, loss per exchange, outputs, questions of several turns."""

EVALUATION = config["evaluation"]
TASKS = list(ENTRIES)
# Tasks of a batch share one load of the model.
BATCHES = suites.batches(TASKS, EVALUATION["tasks_per_job"])
ALONE = [batch[0] for batch in BATCHES if len(batch) == 1]
# Entries whose completions are programs; whether they are executed.
CODE = [name for name, entry in ENTRIES.items() if entry["task"] == "humaneval_completions"]
EXECUTED = CODE if EVALUATION["execute_code"] else []
MULTI_TURN = EVALUATION["multi_turn"]
SCORING_ENVIRONMENT = f"../envs/{'vllm' if EVALUATION['backend'] == 'vllm' else 'evaluation'}.yaml"
DOWNLOADS += expand("<results>/evaluation/tasks/{task}.json", task=LM_EVAL_TASKS)
# The user's own task files and their data, so that a change triggers a rerun.
TASK_FILES = sorted(str(path) for path in Path(EVALUATION["include_path"] or os.devnull).rglob("*") if path.is_file())
INCLUDE_PATH = f"--include-path {shlex.quote(EVALUATION['include_path'])}" if EVALUATION["include_path"] else ""
# Models that are scored as an adapter on the base model.
UNMERGED = TRAINED if EVALUATION["adapter"] == "unmerged" else []
# The folder of a model's weights: those of a peer were fetched, the others were trained.
WEIGHTS = {model: f"<results>/training/{model}/final" for model in MODELS}
WEIGHTS |= {peer: f"<results>/evaluation/{peer}/final" for peer in PEERS}
DOWNLOADS += [WEIGHTS[peer] for peer in PEERS]
# <model>/<task> of every score; with pass@1 where completions were executed.
SCORED = [f"{'executed/' if task in EXECUTED else ''}{model}/{task}" for model in SCORED_MODELS for task in TASKS]
# Of the judge, then of the checks without a judge.
MULTI_TURN_STATS = (
    ["<results>/evaluation/multi_turn/stats.json"] if MULTI_TURN and MULTI_TURN.get("judge", True) else []
)
KNOWLEDGE = [task for task in TASKS if ENTRIES[task]["task"] == "knowledge_dated"]
MULTI_TURN_CHECKS = ["<results>/evaluation/multi_turn/checks.json"] if MULTI_TURN else []


wildcard_constraints:
    task="|".join(map(re.escape, ALONE)) or "none",
    lm_eval_task="|".join(map(re.escape, LM_EVAL_TASKS)) or "none",
    code_task=r"humaneval_completions[^/]*",


# Input and parameter functions of a scoring job: the folder of a model's weights, its adapter, the settings of a score.
scored_model = lambda wildcards: WEIGHTS["base" if wildcards.model in UNMERGED else wildcards.model]
scored_adapter = lambda wildcards: (
    f"<results>/training/{wildcards.model}/trained" if wildcards.model in UNMERGED else []
)
# Only a peer may have another chat format than the workflow's.
chat_format = lambda wildcards: {
    "template": (
        "own"
        if PEERS.get(wildcards.model, {}).get("template", "user_assistant") != "user_assistant"
        else "user_assistant"
    )
}
template_file = lambda peer: [] if peer["template"] in ("user_assistant", "own") else [peer["template"]]
adapter_option = lambda wildcards, input: f"--adapter {shlex.quote(str(input.adapter))}" if input.adapter else ""
score_settings = lambda wildcards: to_json(suites.score_settings(EVALUATION, wildcards.model))
# The command of a scoring job: a task alone, or a batch.
SCORE = """
    data=$(dirname {input.records[0]:q})/data
    export HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="${{HF_DATASETS_CACHE:-$data}}" NLTK_DATA="${{NLTK_DATA:-$data/nltk}}"
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


rule fetch_task:
    input:
        files=input_files(TASK_FILES),
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
    params:
        code=code_hash("evaluation.fetch_task"),
        # The data are stored with the run, where nodes without internet find them.
        include=literal(INCLUDE_PATH),
        revisions=as_json(EVALUATION["revisions"]),
        folder=subpath(output.record, parent=True),
    shell:
        """
        data={params.folder:q}/data
        export HF_DATASETS_CACHE="${{HF_DATASETS_CACHE:-$data}}" NLTK_DATA="${{NLTK_DATA:-$data/nltk}}"
        mkdir -p "$NLTK_DATA"
        python -m workflow_scripts.evaluation.fetch_task \
            --task {wildcards.lm_eval_task:q} \
            {params.include} \
            --revisions {params.revisions:q} \
            --record {output.record:q} \
            2>&1 | tee {log:q}
        """


rule fetch_peer:
    input:
        files=lambda wildcards: input_files(
            [*model_files(PEERS[wildcards.peer]["model"]), *template_file(PEERS[wildcards.peer])]
        ),
    output:
        model=directory("<results>/evaluation/{peer}/final"),
    log:
        "<logs>/fetch_peer/{peer}.log",
    benchmark:
        "<benchmarks>/fetch_peer/{peer}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        code=code_hash("evaluation.fetch_peer"),
        settings=lambda wildcards: to_json(
            with_versions(PEERS[wildcards.peer], model_files(PEERS[wildcards.peer]["model"]))
        ),
    shell:
        """
        python -m workflow_scripts.evaluation.fetch_peer \
            --name {wildcards.peer:q} \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """


rule evaluate_task:
    input:
        files=input_files(TASK_FILES),
        records=lambda wildcards: [f"<results>/evaluation/tasks/{ENTRIES[wildcards.task]['task']}.json"],
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
    resources:
        **stage_resources(config["evaluation"]),
    params:
        code=code_hash("evaluation.evaluate_task"),
        entries=lambda wildcards: to_json({wildcards.task: ENTRIES[wildcards.task]}),
        settings=score_settings,
        launcher=EVALUATION["launcher"],
        adapter=adapter_option,
        folder=lambda wildcards, output: os.path.dirname(output.results[0]),
    shell:
        SCORE


# A finished task of a batch is kept under its hash when a later one fails, so that the next run scores only that one.
# A wildcard cannot stand for a list of files, so each batch is a rule of its own.
for number, batch in enumerate(BATCHES, 1):
    if len(batch) == 1:
        continue

    rule:
        name:
            f"evaluate_tasks_{number}"
        input:
            files=input_files(TASK_FILES),
            records=list(dict.fromkeys(f"<results>/evaluation/tasks/{ENTRIES[name]['task']}.json" for name in batch)),
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
        resources:
            **stage_resources(config["evaluation"]),
        params:
            code=code_hash("evaluation.evaluate_task"),
            entries=as_json({name: ENTRIES[name] for name in batch}),
            settings=score_settings,
            launcher=EVALUATION["launcher"],
            adapter=adapter_option,
            folder=lambda wildcards, output: os.path.dirname(output.results[0]),
        shell:
            SCORE


rule compute_exchange_losses:
    input:
        test="<results>/dataset/test.parquet",
        model="<results>/training/{model}/final",
    output:
        losses="<results>/evaluation/{model}/exchange_losses.jsonl",
    log:
        "<logs>/compute_exchange_losses/{model}.log",
    benchmark:
        "<benchmarks>/compute_exchange_losses/{model}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        **stage_resources(config["evaluation"]),
    params:
        code=code_hash("evaluation.compute_exchange_losses"),
        settings=as_json(config_subset("evaluation", "dtype") | config_subset("training", "max_length")),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.evaluation.compute_exchange_losses \
            --model {input.model:q} \
            --test {input.test:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --losses {output.losses:q} \
            2>&1 | tee {log:q}
        """


rule sample_outputs:
    input:
        model=lambda wildcards: WEIGHTS[wildcards.model],
    output:
        outputs="<results>/evaluation/{model}/outputs.jsonl",
    log:
        "<logs>/sample_outputs/{model}.log",
    benchmark:
        "<benchmarks>/sample_outputs/{model}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        **stage_resources(config["evaluation"]),
    params:
        code=code_hash("evaluation.sample_outputs"),
        settings=lambda wildcards: to_json(
            config_subset("evaluation", "dtype", "output_tokens") | chat_format(wildcards)
        ),
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
    params:
        code=code_hash("evaluation.execute_code"),
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
        results=expand("<results>/evaluation/{scored}.json", scored=SCORED),
    output:
        scores="<results>/evaluation/scores.csv",
        averages="<results>/evaluation/averages.csv",
    log:
        "<logs>/collect_scores.log",
    benchmark:
        "<benchmarks>/collect_scores.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("evaluation.collect_scores"),
        settings=as_json(config_subset("evaluation", "suites", "custom", "limit")),
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
        tables=expand("<results>/evaluation/{scored}.parquet", scored=SCORED),
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
    params:
        code=code_hash("evaluation.compare_models"),
        settings=as_json(config_subset("evaluation", "suites", "custom") | {"peers": list(PEERS)}),
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
        questions=MULTI_TURN["questions"] if MULTI_TURN else [],
        model=lambda wildcards: WEIGHTS[wildcards.model],
    output:
        answers="<results>/evaluation/{model}/multi_turn.jsonl",
    log:
        "<logs>/answer_questions/{model}.log",
    benchmark:
        "<benchmarks>/answer_questions/{model}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        **stage_resources(config["evaluation"]),
    params:
        code=code_hash("evaluation.answer_questions"),
        settings=lambda wildcards: to_json(
            config_subset("evaluation", "dtype", "batch_size")
            | {"answer_tokens": (MULTI_TURN or {}).get("answer_tokens", 512)}
            | chat_format(wildcards)
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


rule check_answers:
    input:
        answers=expand("<results>/evaluation/{model}/multi_turn.jsonl", model=SCORED_MODELS),
    output:
        checks="<results>/evaluation/multi_turn/checks.json",
    log:
        "<logs>/check_answers.log",
    benchmark:
        "<benchmarks>/check_answers.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("evaluation.check_answers"),
        peers=as_json(list(PEERS)),
    shell:
        """
        python -m workflow_scripts.evaluation.check_answers \
            --answers {input.answers:q} \
            --peers {params.peers:q} \
            --checks {output.checks:q} \
            2>&1 | tee {log:q}
        """


rule judge_answers:
    input:
        teacher=input_files(TEACHER_FILES),
        answers=expand("<results>/evaluation/{model}/multi_turn.jsonl", model=SCORED_MODELS),
    output:
        judgements="<results>/evaluation/multi_turn/judgements.jsonl",
        grades="<results>/evaluation/multi_turn/grades.jsonl",
        rejected="<results>/evaluation/multi_turn/rejected.jsonl",
        stats="<results>/evaluation/multi_turn/stats.json",
    log:
        "<logs>/judge_answers.log",
    benchmark:
        "<benchmarks>/judge_answers.tsv"
    conda:
        TEACHER_ENVIRONMENT
    threads: 8
    resources:
        **stage_resources(config["teacher"]),
    params:
        code=code_hash("evaluation.judge_answers"),
        settings=as_json(
            {
                "judge_sampling": (MULTI_TURN or {}).get("judge_sampling"),
                "grades": (MULTI_TURN or {}).get("grades", True),
                "peers": list(PEERS),
            }
        ),
        teacher=as_json(answer_settings(config["teacher"])),
        # Not an output: finished requests must survive a failed job. All jobs share them.
        folder=subpath(output.stats, ancestor=3),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} python -m workflow_scripts.evaluation.judge_answers \
            --answers {input.answers:q} \
            --settings {params.settings:q} \
            --teacher {params.teacher:q} \
            --threads {threads} \
            --teacher-folder {params.folder:q}/teacher \
            --judgements {output.judgements:q} \
            --grades {output.grades:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule evaluation:
    input:
        expand("<results>/evaluation/tasks/{task}.json", task=LM_EVAL_TASKS),
        expand("<results>/evaluation/{peer}/final", peer=PEERS),
        expand("<results>/evaluation/{model}/{task}.json", model=SCORED_MODELS, task=TASKS),
        expand("<results>/evaluation/{model}/outputs.jsonl", model=SCORED_MODELS),
        # Not of peers: losses per token of different tokenizers are not comparable.
        expand("<results>/evaluation/{model}/exchange_losses.jsonl", model=MODELS),
        expand("<results>/evaluation/executed/{model}/{task}.json", model=SCORED_MODELS, task=EXECUTED),
        expand("<results>/evaluation/{model}/multi_turn.jsonl", model=SCORED_MODELS if MULTI_TURN else []),
        MULTI_TURN_STATS,
        MULTI_TURN_CHECKS,
        "<results>/evaluation/scores.csv",
        "<results>/evaluation/comparisons.csv",
    localrule: True
