"""Verification: queue items for experts, import decisions, apply them. Unreviewed items pass unless `verification.require` is set."""

# `capybara review invite` writes the file, and needs the queue first.
REVIEWERS = [path for path in [config["verification"]["reviewers"]] if path and Path(path).is_file()]


rule queue_reviews:
    input:
        seeds="<results>/seeds/data.jsonl",
        conversations="<results>/synthesis/data.jsonl",
        gold=config["verification"]["queue"]["gold"]["path"] or [],
    output:
        queue="<results>/verification/queue.jsonl",
        plan="<results>/verification/plan.json",
        sheet="<results>/verification/queue.csv",
    log:
        "<logs>/queue_reviews.log",
    benchmark:
        "<benchmarks>/queue_reviews.tsv"
    conda:
        "../envs/verification.yaml"
    params:
        code=code_hash("verification.queue_reviews"),
        settings=as_json(config_subset("verification", "fields", "reviewers_per_item", "minutes_per_answer", "queue")),
    shell:
        """
        python -m workflow_scripts.verification.queue_reviews \
            --seeds {input.seeds:q} \
            --conversations {input.conversations:q} \
            --gold {input.gold:q} \
            --settings {params.settings:q} \
            --queue {output.queue:q} \
            --plan {output.plan:q} \
            --sheet {output.sheet:q} \
            2>&1 | tee {log:q}
        """


rule collect_decisions:
    input:
        seeds="<results>/seeds/data.jsonl",
        conversations="<results>/synthesis/data.jsonl",
        queue="<results>/verification/queue.jsonl",
        files=config["verification"]["decisions"],
        reviewers=REVIEWERS,
    output:
        decisions="<results>/verification/decisions.jsonl",
        unmatched="<results>/verification/decisions.unmatched.jsonl",
    log:
        "<logs>/collect_decisions.log",
    benchmark:
        "<benchmarks>/collect_decisions.tsv"
    conda:
        "../envs/verification.yaml"
    params:
        code=code_hash("verification.collect_decisions"),
    shell:
        """
        python -m workflow_scripts.verification.collect_decisions \
            --seeds {input.seeds:q} \
            --conversations {input.conversations:q} \
            --queue {input.queue:q} \
            --files {input.files:q} \
            --reviewers {input.reviewers:q} \
            --decisions {output.decisions:q} \
            --unmatched {output.unmatched:q} \
            2>&1 | tee {log:q}
        """


rule apply_decisions:
    input:
        conversations="<results>/synthesis/data.jsonl",
        queue="<results>/verification/queue.jsonl",
        decisions="<results>/verification/decisions.jsonl",
        unmatched="<results>/verification/decisions.unmatched.jsonl",
        reviewers=REVIEWERS,
    output:
        data="<results>/verification/data.jsonl",
        rejected="<results>/verification/rejected.jsonl",
        states="<results>/verification/items.jsonl",
        stats="<results>/verification/stats.json",
    log:
        "<logs>/apply_decisions.log",
    benchmark:
        "<benchmarks>/apply_decisions.tsv"
    conda:
        "../envs/verification.yaml"
    params:
        code=code_hash("verification.apply_decisions"),
        settings=as_json(
            config_subset(
                "verification",
                "require",
                "reviewers_per_item",
                "minutes_per_answer",
                "accept",
                "resolve",
                "adjudicators",
            )
        ),
    shell:
        """
        python -m workflow_scripts.verification.apply_decisions \
            --conversations {input.conversations:q} \
            --queue {input.queue:q} \
            --decisions {input.decisions:q} \
            --unmatched {input.unmatched:q} \
            --reviewers {input.reviewers:q} \
            --settings {params.settings:q} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --items {output.states:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """


rule verification:
    input:
        expand(
            "<results>/verification/{name}.jsonl",
            name=["queue", "decisions", "data"] if SOURCES else [],
        ),
    localrule: True
