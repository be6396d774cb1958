"""Losses by exchange are the model's own, and of each answer alone."""

import pytest

from tests.tiny_training import conversations, make_base
from workflow_scripts.evaluation.compute_exchange_losses import answers, losses
from workflow_scripts.training.template import Encoder, set_template

TALK = next(row["conversation"] for row in conversations(20) if len(row["conversation"]) == 3)


@pytest.fixture(scope="module")
def model_and_encoder(tmp_path_factory):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = make_base(tmp_path_factory.mktemp("model"))
    return (
        AutoModelForCausalLM.from_pretrained(base).eval(),
        Encoder(set_template(AutoTokenizer.from_pretrained(base))),
    )


def test_the_sum_is_the_loss_that_the_trainer_sees(model_and_encoder):
    import torch

    model, encoder = model_and_encoder
    encoded = encoder.encode(TALK)
    found = losses(model, encoded, 1000)
    assert [row["exchange"] for row in found] == [1, 2, 3]
    assert sum(row["tokens"] for row in found) == sum(encoded.mask)
    ids, labels = torch.tensor([encoded.ids]), torch.tensor([encoded.labels()])
    with torch.inference_mode():
        whole = float(model(input_ids=ids, labels=labels).loss)
    assert sum(row["loss"] for row in found) / sum(encoded.mask) == pytest.approx(whole, abs=1e-5)


def test_what_follows_an_answer_does_not_change_its_loss(model_and_encoder):
    model, encoder = model_and_encoder
    whole, first = (losses(model, encoder.encode(talk), 1000) for talk in (TALK, TALK[:1]))
    assert whole[0]["loss"] == pytest.approx(first[0]["loss"], abs=1e-4)


def test_an_answer_that_does_not_end_within_the_length_is_not_measured(model_and_encoder):
    model, encoder = model_and_encoder
    encoded = encoder.encode(TALK)
    end = answers(encoded)[1][1]
    assert len(losses(model, encoded, end)) == 2
    assert len(losses(model, encoded, end - 1)) == 1
    assert losses(model, encoded, 3) == []
