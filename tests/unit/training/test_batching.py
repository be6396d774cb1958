"""Padded, padding-free and packed batches contain the same samples with the same labels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tiny_training import SETTINGS
from workflow_scripts.training.batching import padding_share, prepare, samples

SAMPLES = st.lists(st.lists(st.integers(1, 99), min_size=2, max_size=16), min_size=1, max_size=9)


def rows(ids):
    """Samples whose second half carries loss."""
    half = [len(row) // 2 for row in ids]
    return [{"input_ids": row, "labels": [-100] * at + row[at:]} for row, at in zip(ids, half, strict=True)]


@pytest.mark.parametrize("batching", ["padded", "padding_free", "packed"])
@settings(deadline=None, max_examples=30)
@given(ids=SAMPLES)
def test_the_batches_of_the_collator_contain_the_samples(batching, ids):
    from datasets import Dataset
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    made = rows(ids)
    recipe = {**SETTINGS, "batching": batching, "max_length": 16}
    dataset = prepare(Dataset.from_list(made), recipe, 0)
    assert len(dataset) % recipe["global_batch_size"] == 0
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=batching != "padded")
    size = recipe["micro_batch_size"]
    batches = [collate([dataset[at] for at in range(start, start + size)]) for start in range(0, len(dataset), size)]
    found = [sample for batch in batches for sample in samples(batch)]
    fillers = sum(labels == [-100] for _, labels in found)
    assert len(found) == len(ids) + fillers
    # TRL removes the loss of the first token of each packed sample; here that token has no loss.
    expected = sorted((row["input_ids"], row["labels"]) for row in made)
    assert sorted(sample for sample in found if sample[1] != [-100]) == expected


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_the_padding_share_is_a_share(lengths):
    padded = padding_share(lengths, SETTINGS)
    assert 0 <= padded < 1
    assert padding_share(lengths, {**SETTINGS, "batching": "padding_free"}) == 0
    assert padding_share(lengths, {**SETTINGS, "micro_batch_size": 1}) == 0
    assert padding_share([7] * 10, SETTINGS) == 0


def test_the_padding_share_of_a_known_pair():
    assert padding_share([30, 10], SETTINGS) == pytest.approx(1 / 3)
