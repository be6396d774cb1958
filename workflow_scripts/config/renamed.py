"""Keys and values of earlier versions: each is a configuration error that names the new one."""

# Dotted key of earlier versions: dotted key now.
RENAMED = {
    "builds_on": "extends",
    "seeds.deduplication.near": "seeds.deduplication.jaccard_threshold",
    "seeds.deduplication.semantic": "seeds.deduplication.semantic_distance",
    "seeds.deduplication.semantic_by_category": "seeds.deduplication.semantic_distance_by_category",
    "seeds.spread_over": "seeds.stratify_by",
    "seeds.pool": "seeds.oversample",
    "synthesis.cut_off": "synthesis.on_length",
    "verification.queue.doubts": "verification.queue.auto_flagged",
    "verification.queue.blind": "verification.queue.gold",
    "decontamination.parts": "decontamination.shards",
    "evaluation.two_turn": "evaluation.multi_turn",
    "training.over_long": "training.overflow",
    "training.global_batch": "training.global_batch_size",
    "training.micro_batch": "training.micro_batch_size",
    "training.schedule": "training.lr_scheduler",
}
# Dotted key, value of earlier versions: value now.
RENAMED_VALUES = {
    ("training.batching", "flat"): "padding_free",
    ("evaluation.adapter", "apart"): "unmerged",
}
