"""Proof that conversations laid end to end do not see each other, on the attention implementation at hand.

Position ids that begin again at 0 are all that separates them. Whether a model heeds them depends on its architecture,
its attention implementation and their versions, and where it does not, nothing fails: it learns the wrong thing. So
one layer of the model that is to be trained, with random weights, is asked before every training that lays rows so.
"""

from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

LENGTHS = (17, 23, 9)
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}  # nats a token


def small(config: Any) -> Any:
    """The configuration with one layer and few words: its attention stays as it is."""
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    config.vocab_size = 128
    # Larger weights than models begin with, so that what a token sees shows in what it says.
    config.initializer_range = 0.1
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    return config


def leak(config: Any, attention: str, dtype: str) -> tuple[float, float, float]:
    """Of three conversations laid end to end, in nats a token: how far the middle one's log-probabilities are from
    those it has alone; how far they move when its neighbours change; and how far they are if nothing separates the
    three, which shows what the first two figures would be if they were wrong."""
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(
            small(config), attn_implementation=attention, dtype=getattr(torch, dtype)
        )
        talks = [torch.randint(config.vocab_size, (length,)).tolist() for length in (*LENGTHS, LENGTHS[0], LENGTHS[2])]
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)

    def log_probabilities(rows: list[list[int]], **changed: Any) -> torch.Tensor:
        batch = {**collate([{"input_ids": row, "labels": row} for row in rows]), **changed}
        batch.pop("labels")
        inputs = {key: value.to(model.device) if hasattr(value, "to") else value for key, value in batch.items()}
        with torch.inference_mode():
            logits = model(**inputs, use_cache=False).logits.float()
        scores = logits.log_softmax(-1)[0, :-1].gather(1, inputs["input_ids"][0, 1:, None])[:, 0]
        start = len(rows[0]) if len(rows) > 1 else 0
        return scores[start : start + LENGTHS[1] - 1]

    alone = log_probabilities([talks[1]])
    packed = log_probabilities(talks[:3])
    moved = log_probabilities([talks[3], talks[1], talks[4]])
    total = sum(LENGTHS)
    ends = torch.tensor([0, total], dtype=torch.int32)
    joined = log_probabilities(
        talks[:3],
        position_ids=torch.arange(total)[None],
        cu_seq_lens_q=ends, cu_seq_lens_k=ends, max_length_q=total, max_length_k=total,
        seq_idx=torch.zeros(1, total, dtype=torch.int32),
    )  # fmt: skip
    distance = [float((one - other).abs().max()) for one, other in ((alone, packed), (packed, moved), (alone, joined))]
    return distance[0], distance[1], distance[2]


def prove(config: Any, settings: Row) -> None:
    """UserError if conversations of one row would see each other, or the check could not tell."""
    try:
        apart, moved, joined = leak(config, settings["attention"], settings["dtype"])
    except ValueError as error:
        if "does not support an attention implementation" not in str(error):
            raise
        raise UserError(
            f"{config.model_type} has no {settings['attention']} in transformers. Set `training.attention: sdpa` or eager."
        ) from error
    allowed = TOLERANCE[settings["dtype"]]
    if max(apart, moved) > allowed or joined < 3 * allowed:
        raise UserError(
            f"`training.batching` {settings['batching']} is not safe for {config.model_type} with `training.attention` "
            f"{settings['attention']}: conversations in one row are not kept apart (a token's loss differs by {apart:.2g}, "
            f"moves by {moved:.2g} with its neighbours; if joined it would differ by {joined:.2g}). Set `training.batching: padded`, or another `training.attention`."
        )
