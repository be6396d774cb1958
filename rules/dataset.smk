"""Dataset: the clean conversations, split and published."""


rule split_dataset:
    input:
        code=source_files("split_dataset"),
        conversations="<results>/decontamination/data.jsonl",
    output:
        train="<results>/dataset/train.jsonl",
        test="<results>/dataset/test.jsonl",
        train_parquet="<results>/dataset/train.parquet",
        test_parquet="<results>/dataset/test.parquet",
        rejected="<results>/dataset/rejected.jsonl",
        stats="<results>/dataset/stats.json",
    log:
        "<logs>/split_dataset.log",
    benchmark:
        "<benchmarks>/split_dataset.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        test_fraction=config["dataset"]["test_fraction"],
        random_seed=config["dataset"]["random_seed"],
    shell:
        """
        python -m workflow_scripts.dataset.split_dataset \
            --conversations {input.conversations:q} \
            --test-fraction {params.test_fraction} \
            --random-seed {params.random_seed} \
            --train {output.train:q} \
            --train-parquet {output.train_parquet:q} \
            --test {output.test:q} \
            --test-parquet {output.test_parquet:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
