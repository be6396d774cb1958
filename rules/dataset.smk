"""Dataset: split the decontaminated conversations, publish them."""


rule split_dataset:
    input:
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
    params:
        code=code_hash("dataset.split_dataset"),
        test_fraction=config["dataset"]["test_fraction"],
        min_jaccard=as_json(config["dataset"]["min_jaccard"]),
        random_seed=config["dataset"]["random_seed"],
    shell:
        """
        python -m workflow_scripts.dataset.split_dataset \
            --conversations {input.conversations:q} \
            --test-fraction {params.test_fraction} \
            --min-jaccard {params.min_jaccard} \
            --random-seed {params.random_seed} \
            --train {output.train:q} \
            --train-parquet {output.train_parquet:q} \
            --test {output.test:q} \
            --test-parquet {output.test_parquet:q} \
            --rejected {output.rejected:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule dataset:
    input:
        "<results>/dataset/train.parquet",
    localrule: True
