"""Training: fetch and check the base model, select each model's data, audit the loss mask, fine-tune, merge."""

DOWNLOADS.append("<results>/training/base/final")
DOWNLOADS += expand("<results>/training/{trained}/checked.json", trained=TRAINED)
# By model: the data it is trained on, and the model whose number of trainable tokens it is limited to.
DATA = {model: (entry or {}).get("data", "conversations") for model, entry in config["training"]["models"].items()}
TOKENS_OF = {model: (entry or {}).get("tokens_of") for model, entry in config["training"]["models"].items()}
# One job on all nodes of the training: a SLURM step with one task for each of them.
NODES, LAUNCHER = config["training"]["nodes"], config["training"]["launcher"]
NODE_RESOURCES = {"nodes": NODES, "tasks": NODES, "tasks_per_gpu": 0, "mpi": "srun"} if NODES > 1 else {}
AUDITED = ["max_length", "overflow", "batching", "global_batch_size", "micro_batch_size", "random_seed"]


rule fetch_base:
    input:
        files=input_files(model_files(config["training"]["base"]["model"])),
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
    params:
        code=code_hash("training.fetch_base"),
        settings=as_json(with_versions(config["training"]["base"], model_files(config["training"]["base"]["model"]))),
    shell:
        """
        python -m workflow_scripts.training.fetch_base \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """


# Early, so that a base model or LoRA target that cannot be trained is an error before the synthesis.
rule check_base:
    input:
        base="<results>/training/base/final",
    output:
        checked="<results>/training/{trained}/checked.json",
    log:
        "<logs>/check_base/{trained}.log",
    benchmark:
        "<benchmarks>/check_base/{trained}.tsv"
    priority: 100
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        code=code_hash("training.check_base"),
        settings=lambda wildcards: subset_json(SETTINGS[wildcards.trained], ["method", "lora", "extra"]),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.training.check_base \
            --base {input.base:q} \
            --settings {params.settings:q} \
            --checked {output.checked:q} \
            2>&1 | tee {log:q}
        """


rule select_training_data:
    input:
        train="<results>/dataset/train.parquet",
    output:
        data="<results>/training/{trained}/data.jsonl",
        rejected="<results>/training/{trained}/rejected.jsonl",
        stats="<results>/training/{trained}/stats.json",
    log:
        "<logs>/select_training_data/{trained}.log",
    benchmark:
        "<benchmarks>/select_training_data/{trained}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        code=code_hash("training.select_training_data"),
        data=lambda wildcards: DATA[wildcards.trained],
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
        train="<results>/training/{trained}/data.jsonl",
        test="<results>/dataset/test.jsonl",
        base="<results>/training/base/final",
        tokens_of=lambda wildcards: expand(
            "<results>/training/{other}/audit.json", other=TOKENS_OF[wildcards.trained] or []
        ),
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
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        code=code_hash("training.audit_loss_mask"),
        settings=lambda wildcards: subset_json(SETTINGS[wildcards.trained], AUDITED),
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
        checked="<results>/training/{trained}/checked.json",
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
        **stage_resources(config["training"]) | {"gpu": NODES * config["training"]["resources"]["gpus"]},
        **NODE_RESOURCES,
        node_gpus=config["training"]["resources"]["gpus"],
    params:
        code=code_hash("training.train_model"),
        settings=lambda wildcards: to_json(SETTINGS[wildcards.trained]),
        step=f"srun --nodes={NODES} --ntasks={NODES} --kill-on-bad-exit" if NODES > 1 else "",
        launcher=f"python -m workflow_scripts.common.on_nodes {LAUNCHER}" if NODES > 1 else LAUNCHER,
        # Not an output: checkpoints must survive a failed job. They are keyed by data and settings.
        folder=subpath(output.metrics, parent=True),
    shell:
        """
        export HF_HUB_OFFLINE=1 SRUN_CPUS_PER_TASK={threads}
        {params.step} python -m workflow_scripts.common.on_gpus {resources.node_gpus} {params.launcher} -m workflow_scripts.training.train_model \
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
        base="<results>/training/base/final",
        trained="<results>/training/{trained}/trained",
        train_tokens="<results>/training/{trained}/train_tokens.parquet",
    output:
        model=directory("<results>/training/{trained}/final"),
    log:
        "<logs>/merge_model/{trained}.log",
    benchmark:
        "<benchmarks>/merge_model/{trained}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=stage_resources(config["training"])["mem_mb"],
    params:
        code=code_hash("training.merge_model"),
        settings=lambda wildcards: subset_json(SETTINGS[wildcards.trained], ["method", "dtype"]),
    shell:
        """
        HF_HUB_OFFLINE=1 python -m workflow_scripts.training.merge_model \
            --base {input.base:q} \
            --trained {input.trained:q} \
            --train-tokens {input.train_tokens:q} \
            --settings {params.settings:q} \
            --model {output.model:q} \
            2>&1 | tee {log:q}
        """


rule training:
    input:
        "<results>/training/base/final",
        expand(
            "<results>/training/{trained}/{file}",
            trained=TRAINED,
            file=["data.jsonl", "checked.json", "audit.json", "metrics.jsonl", "final"],
        ),
    localrule: True
