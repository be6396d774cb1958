"""A check that concatenated conversations do not attend to each other with the current attention implementation.

Only position ids that restart at 0 separate them. Whether a model respects this depends on its architecture, its attention
implementation and their versions; if it does not, training does not fail, but attention leaks between conversations. So one layer of the
model, with random weights, is tested before every training with padding-free or packed batches.
"""

from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

LENGTHS = (17, 23, 9)  # tokens of the test conversations
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}  # nats per token


def tiny_config(config: Any) -> Any:
    """The configuration with one layer and a small vocabulary; its attention is unchanged."""
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    config.vocab_size = 128
    # Larger than usual initial weights, so that attention has a visible effect on the logits.
    config.initializer_range = 0.1
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    return config


def measure_leakage(config: Any, attention: str, dtype: str) -> tuple[float, float, float]:
    """Largest differences of the log-probabilities of the second of three concatenated conversations, in nats per token.

    Returned are the differences from the conversation alone; from the same row with other neighbours; and, as a control,
    between the conversation alone and a row in which nothing separates the three.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(
            tiny_config(config), trust_remote_code=False, attn_implementation=attention, dtype=getattr(torch, dtype)
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
    changed_neighbours = log_probabilities([talks[3], talks[1], talks[4]])
    total = sum(LENGTHS)
    ends = torch.tensor([0, total], dtype=torch.int32)
    joined = log_probabilities(
        talks[:3],
        position_ids=torch.arange(total)[None],
        cu_seq_lens_q=ends, cu_seq_lens_k=ends, max_length_q=total, max_length_k=total,
        seq_idx=torch.zeros(1, total, dtype=torch.int32),
    )  # fmt: skip
    distance = [
        float((one - other).abs().max())
        for one, other in ((alone, packed), (packed, changed_neighbours), (alone, joined))
    ]
    return distance[0], distance[1], distance[2]


def check_isolation(config: Any, settings: Row) -> None:
    """UserError if conversations in a row attend to each other, or if the control shows no difference."""
    try:
        alone, changed, joined = measure_leakage(config, settings["attention"], settings["dtype"])
    except ValueError as error:
        if "does not support an attention implementation" not in str(error):
            raise
        raise UserError(
            f"{config.model_type} has no {settings['attention']} in transformers. Set `training.attention` to sdpa or eager."
        ) from error
    allowed = TOLERANCE[settings["dtype"]]
    if max(alone, changed) > allowed or joined < 3 * allowed:
        raise UserError(
            f"`training.batching` {settings['batching']} is not safe for {config.model_type} with `training.attention` "
            f"{settings['attention']}: conversations in a row are not isolated. A token's loss differs by {alone:.2g} nats from "
            f"the conversation alone and by {changed:.2g} with other neighbours; without separation it differs by {joined:.2g}. "
            "Set `training.batching: padded`, or another `training.attention`."
        )
