"""Training stops at the first value that is not finite; held-out loss is a token mean; a resumed run continues its counts."""

import re

import pytest

from tests.support.tiny_training import TinyTraining
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.training import tokens, train_model


def train(tiny, **more):
    """Train in this process; returns the rows of metrics.jsonl."""
    train_model.main(tiny.command(**more)[3:])
    return list(read_jsonl(tiny.folder / more.get("out", "out") / "metrics.jsonl"))


@pytest.mark.parametrize("batching", ["padded", "padding_free", "packed"])
def test_training_stops_at_the_first_loss_that_is_not_finite(tmp_path, batching):
    tiny = TinyTraining(tmp_path, learning_rate=1e30, warmup_ratio=0.0, batching=batching)
    tiny.audit()
    with pytest.raises(UserError) as caught:
        train(tiny)
    message = str(caught.value)
    assert re.match(
        r"training stopped at step 2: the loss is \S+ and the gradient norm is nan at learning rate \S+\. ", message
    )
    ids = message.split("Its batch: ")[1].split(".")[0].split(", ")
    assert len(ids) >= 4 and set(ids) <= {row["id"] for row in read_jsonl(tmp_path / "train.jsonl")}
    assert not (tmp_path / "out").exists(), "neither a model nor metrics"
    saved = [read_json(path)["global_step"] for path in tmp_path.glob("checkpoints/*/*/trainer_state.json")]
    assert not saved or max(saved) < 2


def expected_held_out_loss(tiny):
    """The base model's loss on the held-out conversations in nats per token, one sample at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny.folder / "base").eval()
    nats, count = 0.0, 0
    for row in tokens.read(tiny.folder / "test.parquet"):
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1].double()
        nats += float(torch.nn.functional.cross_entropy(logits, labels[1:], reduction="sum", ignore_index=-100))
        count += int((labels != -100).sum())
    return nats / count


@pytest.mark.parametrize(("batching", "micro_batch_size"), [("padded", 1), ("padded", 4), ("padding_free", 4)])
def test_held_out_loss_is_a_token_mean(tmp_path, batching, micro_batch_size):
    tiny = TinyTraining(tmp_path, epochs=1, batching=batching, micro_batch_size=micro_batch_size)
    tiny.audit()
    first = next(row for row in train(tiny) if "eval_loss" in row)
    assert first["eval_loss"] == pytest.approx(expected_held_out_loss(tiny), abs=1e-5)
    assert first["eval_tokens"] == read_json(tmp_path / "audit.json")["held_out"]["trainable_tokens"]


def test_held_out_samples_without_loss_are_excluded_and_counted(tmp_path):
    """Counted as loss 0, two such samples of three would divide the loss by three."""
    tiny = TinyTraining(tmp_path, epochs=1, overflow="cut", max_length=60)
    questions = ["stone " * 90, "water " * 90, "Why?"]
    write_jsonl(tmp_path / "test.jsonl", [{"conversation": [{"input": text, "output": "So."}]} for text in questions])
    write_jsonl(
        tmp_path / "train.jsonl",
        [{"id": str(number), "conversation": [{"input": "Why?", "output": "So it is."}]} for number in range(8)],
    )
    held_out = tiny.audit()["held_out"]
    assert (held_out["samples"], held_out["without_loss"]) == (3, 2)
    first = next(row for row in train(tiny) if "eval_loss" in row)
    assert first["eval_loss"] == pytest.approx(expected_held_out_loss(tiny), abs=1e-5)
    assert first["eval_loss"] > 3, "a random model"


def test_a_resumed_run_continues_from_the_newest_intact_checkpoint(tmp_path, monkeypatch, caplog):
    """Also its count of tokens. The job fails after its last step; then a file of the last checkpoint is truncated."""
    tiny = TinyTraining(tmp_path, save_steps=2)
    tiny.audit()
    whole = train(tiny, out="whole", state="whole-state")

    def fail(*_):
        raise RuntimeError("node lost")

    with monkeypatch.context() as patch:
        patch.setattr(train_model, "save", fail)
        with pytest.raises(RuntimeError, match="node lost"):
            train(tiny)
    last, before = sorted(tmp_path.glob("checkpoints/*/checkpoint-*"), reverse=True)
    assert (last.name, before.name) == ("checkpoint-12", "checkpoint-10")
    data = (last / "optimizer.pt").read_bytes()
    (last / "optimizer.pt").write_bytes(data[:-100])
    caplog.set_level("INFO")
    again = train(tiny)
    assert "the checkpoint of step 12 is deleted, optimizer.pt is damaged" in caplog.text
    assert "resuming from the checkpoint of step 10" in caplog.text
    for key in ("step", "loss", "grad_norm", "num_tokens", "eval_loss"):
        assert [row[key] for row in again if key in row] == pytest.approx(
            [row[key] for row in whole if key in row], abs=1e-6
        )
