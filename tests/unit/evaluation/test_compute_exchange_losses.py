"""Losses per exchange equal the model's own loss and cover each answer alone."""

import pytest

from tests.support.tiny_training import conversations, make_base
from workflow_scripts.evaluation.compute_exchange_losses import answer_spans, exchange_losses
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


def test_the_sum_equals_the_loss_of_the_trainer(model_and_encoder):
    import torch

    model, encoder = model_and_encoder
    encoded = encoder.encode(TALK)
    found = exchange_losses(model, encoded, 1000)
    assert [row["exchange"] for row in found] == [1, 2, 3]
    assert sum(row["tokens"] for row in found) == sum(encoded.mask)
    ids, labels = torch.tensor([encoded.ids]), torch.tensor([encoded.labels()])
    with torch.inference_mode():
        whole = float(model(input_ids=ids, labels=labels).loss)
    assert sum(row["loss"] for row in found) / sum(encoded.mask) == pytest.approx(whole, abs=1e-5)


def test_later_exchanges_do_not_change_the_loss_of_an_answer(model_and_encoder):
    model, encoder = model_and_encoder
    whole, first = (exchange_losses(model, encoder.encode(talk), 1000) for talk in (TALK, TALK[:1]))
    assert whole[0]["loss"] == pytest.approx(first[0]["loss"], abs=1e-4)


def test_an_answer_that_exceeds_max_length_has_no_loss(model_and_encoder):
    model, encoder = model_and_encoder
    encoded = encoder.encode(TALK)
    end = answer_spans(encoded)[1][1]
    assert len(exchange_losses(model, encoded, end)) == 2
    assert len(exchange_losses(model, encoded, end - 1)) == 1
    assert exchange_losses(model, encoded, 3) == []
