"""Training: bring the base model, choose each model's data, prove the loss mask, fine-tune, merge, measure by exchange."""


wildcard_constraints:
    trained="|".join(TRAINED),


rule fetch_base:
    input:
        code=source_files("fetch_base"),
        files=model_files(config["training"]["base"]["model"]),
    output:
        model=directory("<results>/training/base/final"),
    log:
        "<logs>/fetch_base.log",
    benchmark:
        "<benchmarks>/fetch_base.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
    params:
        settings=as_json(config["training"]["base"]),
    shell:
        """
        python -m workflow_scripts.training.fetch_base \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """


rule select_variant:
    input:
        code=source_files("select_variant"),
        train="<results>/dataset/train.parquet",
    output:
        data="<results>/training/{trained}/data.jsonl",
        rejected="<results>/training/{trained}/rejected.jsonl",
        stats="<results>/training/{trained}/stats.json",
    log:
        "<logs>/select_variant/{trained}.log",
    benchmark:
        "<benchmarks>/select_variant/{trained}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        data=lambda wildcards: trained_model(wildcards)["data"],
    shell:
        """
        python -m workflow_scripts.training.select_training_data \
            --train {input.train:q} \
            --data {params.data:q} \
            --selected {output.data:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule audit_loss_mask:
    input:
        code=source_files("audit_loss_mask"),
        template="workflow_scripts/training/templates/user_assistant.jinja",
        train="<results>/training/{trained}/data.jsonl",
        test="<results>/dataset/test.jsonl",
        base="<results>/training/base/final",
        tokens_of=tokens_of,
    output:
        train_tokens="<results>/training/{trained}/train_tokens.parquet",
        test_tokens="<results>/training/{trained}/test_tokens.parquet",
        audit="<results>/training/{trained}/audit.json",
    log:
        "<logs>/audit_loss_mask/{trained}.log",
    benchmark:
        "<benchmarks>/audit_loss_mask/{trained}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=recipe("max_length", "overflow", "batching", "global_batch_size", "micro_batch_size", "random_seed"),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.training.audit_loss_mask \
            --train {input.train:q} \
            --test {input.test:q} \
            --base {input.base:q} \
            --settings {params.settings:q} \
            --tokens-of {input.tokens_of:q} \
            --train-tokens {output.train_tokens:q} \
            --test-tokens {output.test_tokens:q} \
            --audit {output.audit:q} \
            2>&1 | tee {log:q}
        """


rule train_model:
    input:
        code=source_files("train_model"),
        template="workflow_scripts/training/templates/user_assistant.jinja",
        train_tokens="<results>/training/{trained}/train_tokens.parquet",
        test_tokens="<results>/training/{trained}/test_tokens.parquet",
        base="<results>/training/base/final",
        audit="<results>/training/{trained}/audit.json",
    output:
        trained=directory("<results>/training/{trained}/trained"),
        metrics="<results>/training/{trained}/metrics.jsonl",
    log:
        "<logs>/train_model/{trained}.log",
    benchmark:
        "<benchmarks>/train_model/{trained}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        mem_mb=growing(memory("training")),
        runtime=growing(config["training"]["resources"]["minutes"]),
        gpu=config["training"]["resources"]["gpus"],
    params:
        settings=recipe(),
        launcher=config["training"]["launcher"],
        # Not an output: checkpoints must outlive a job that fails. They are keyed by data and settings inside.
        folder=subpath(output.metrics, parent=True),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.common.on_gpus {resources.gpu} {params.launcher} -m workflow_scripts.training.train_model \
            --train-tokens {input.train_tokens:q} \
            --test-tokens {input.test_tokens:q} \
            --base {input.base:q} \
            --audit {input.audit:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            --checkpoints {params.folder:q}/checkpoints \
            --trained {output.trained:q} \
            --metrics {output.metrics:q} \
            2>&1 | tee {log:q}
        """


rule merge_model:
    input:
        code=source_files("merge_model"),
        base="<results>/training/base/final",
        trained="<results>/training/{trained}/trained",
    output:
        model=directory("<results>/training/{trained}/final"),
    log:
        "<logs>/merge_model/{trained}.log",
    benchmark:
        "<benchmarks>/merge_model/{trained}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(memory("training")),
        runtime=growing(60),
    params:
        settings=recipe("method", "dtype"),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.training.merge_model \
            --base {input.base:q} \
            --trained {input.trained:q} \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """


rule measure_exchanges:
    input:
        code=source_files("measure_exchanges"),
        template="workflow_scripts/training/templates/user_assistant.jinja",
        test="<results>/dataset/test.parquet",
        model="<results>/training/{model}/final",
    output:
        losses="<results>/evaluation/{model}/exchange_losses.jsonl",
    log:
        "<logs>/measure_exchanges/{model}.log",
    benchmark:
        "<benchmarks>/measure_exchanges/{model}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(memory("evaluation")),
        runtime=growing(config["evaluation"]["resources"]["minutes"]),
        gpu=config["evaluation"]["resources"]["gpus"],
    params:
        settings=as_json(part("evaluation", "dtype") | part("training", "max_length")),
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
