"""Training: bring the base model, prove the loss mask, fine-tune, merge."""


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
        mem_mb=3000,
        runtime=240,
    params:
        settings=as_json(config["training"]["base"]),
    shell:
        """
        python -m workflow_scripts.fetch_base \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """


rule audit_loss_mask:
    input:
        code=source_files("audit_loss_mask"),
        template="workflow_scripts/training/templates/user_assistant.jinja",
        train="<results>/dataset/train.jsonl",
        base="<results>/training/base/final",
    output:
        audit="<results>/training/{trained}/audit.json",
    log:
        "<logs>/audit_loss_mask/{trained}.log",
    benchmark:
        "<benchmarks>/audit_loss_mask/{trained}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=as_json(part("training", "max_length")),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.audit_loss_mask \
            --train {input.train:q} \
            --base {input.base:q} \
            --settings {params.settings:q} \
            --audit {output.audit:q} \
            2>&1 | tee {log:q}
        """


rule train_model:
    input:
        code=source_files("train_model"),
        template="workflow_scripts/training/templates/user_assistant.jinja",
        train="<results>/dataset/train.jsonl",
        test="<results>/dataset/test.jsonl",
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
        mem_mb=memory("training"),
        runtime=config["training"]["resources"]["minutes"],
        gpu=config["training"]["resources"]["gpus"],
    params:
        settings=as_json(without("training", "base", "launcher", "resources")),
        launcher=config["training"]["launcher"],
        # Not an output: checkpoints must outlive a job that fails. They are keyed by data and settings inside.
        folder=subpath(output.metrics, parent=True),
    shell:
        """
        HF_HUB_OFFLINE=1 {params.launcher} -m workflow_scripts.train_model \
            --train {input.train:q} \
            --test {input.test:q} \
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
        mem_mb=memory("training"),
        runtime=60,
    params:
        settings=as_json(part("training", "method", "dtype")),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.merge_model \
            --base {input.base:q} \
            --trained {input.trained:q} \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """
