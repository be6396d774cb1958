"""Seeds as shard_seeds writes them: with the examples that LaMini shows."""

from workflow_scripts.synthesis.shards import Examples


def pool(seeds):
    """The seeds as `Examples`."""
    examples = Examples(seeds.__getitem__)
    for place, seed in enumerate(seeds):
        examples.add(seed, place)
    examples.sort()
    return examples


def with_examples(seed, seeds, count=3):
    """The seed with up to `count` examples from `seeds`."""
    return {**seed, "examples": pool(seeds).draw(seed, count)}
