"""Verification: queue what needs an expert's eyes, take the decisions back, apply them. It waits for nobody unless told to."""

# Written by the first `review invite`, which comes after the queue.
REVIEWERS = [path for path in [config["verification"]["reviewers"]] if path and Path(path).is_file()]


rule queue_reviews:
    input:
        code=source_files("queue_reviews"),
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=as_json(part("verification", "fields", "reviewers_per_item", "minutes_per_answer", "queue")),
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
        code=source_files("collect_decisions"),
        seeds="<results>/seeds/data.jsonl",
        conversations="<results>/synthesis/data.jsonl",
        queue="<results>/verification/queue.jsonl",
        files=config["verification"]["decisions"],
        reviewers=REVIEWERS,
    output:
        decisions="<results>/verification/decisions.jsonl",
        aside="<results>/verification/decisions.aside.jsonl",
    log:
        "<logs>/collect_decisions.log",
    benchmark:
        "<benchmarks>/collect_decisions.tsv"
    conda:
        "../envs/verification.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    shell:
        """
        python -m workflow_scripts.verification.collect_decisions \
            --seeds {input.seeds:q} \
            --conversations {input.conversations:q} \
            --queue {input.queue:q} \
            --files {input.files:q} \
            --reviewers {input.reviewers:q} \
            --decisions {output.decisions:q} \
            --aside {output.aside:q} \
            2>&1 | tee {log:q}
        """


rule apply_decisions:
    input:
        code=source_files("apply_decisions"),
        conversations="<results>/synthesis/data.jsonl",
        queue="<results>/verification/queue.jsonl",
        decisions="<results>/verification/decisions.jsonl",
        aside="<results>/verification/decisions.aside.jsonl",
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=as_json(
            part(
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
            --aside {input.aside:q} \
            --reviewers {input.reviewers:q} \
            --settings {params.settings:q} \
            --data {output.data:q} \
            --rejected {output.rejected:q} \
            --items {output.states:q} \
            --stats {output.stats:q} \
            2>&1 | tee {log:q}
        """
