"""Measure training throughput and model FLOPs utilisation (MFU) of Llama-2-7B's shape on one GPU.

    python -m tests.benchmarks.training_on_gpu --folder /scratch/base [--variants full full-liger lora lora-liger]

The model has random weights in the 7B shape (32 layers, width 4096, 32,000 tokens); it is written to FOLDER (14 GB) on
first use. Conversations of random words are packed into rows of 4096 tokens, so that no position is padding, or with padding-free
batches laid end to end, eight at a time. The trainer of `train_model` runs 12 steps; the first 4 are not measured. The peak rate is the median of bfloat16 products of two
8192 x 8192 matrices on the same GPU. Model FLOPs are 6 per weight and token (4 for LoRA, whose base has no weight
gradients), without attention and without recomputation by activation checkpointing.
"""

import argparse
import gc
import json
import random
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

ROW, BATCH, STEPS, WARM = 4096, 2, 12, 4
BASE = {
    "method": "full", "lora": {"r": 64, "alpha": 128, "dropout": 0.0, "target_modules": "all-linear", "extra": {}}, "dtype": "bfloat16",
    "attention": "sdpa", "liger": False, "max_length": ROW, "overflow": "cut", "batching": "packed", "epochs": 1,
    "global_batch_size": BATCH, "micro_batch_size": BATCH, "learning_rate": 2e-5, "lr_scheduler": "cosine", "warmup_ratio": 0.1,
    "weight_decay": 0.0, "activation_checkpointing": True, "save_steps": 100000, "save_minutes": None, "eval_steps": None, "keep_best": False,
    "early_stopping": None, "extra": {}, "random_seed": 0,
}  # fmt: skip
VARIANTS = {
    "full": {},
    "full-liger": {"liger": True},
    "lora": {"method": "lora"},
    "lora-liger": {"method": "lora", "liger": True},
    "lora-liger-kept": {"method": "lora", "liger": True, "activation_checkpointing": False},
    "full-flex": {"attention": "flex_attention", "liger": True},
    "lora-flex-kept": {
        "method": "lora",
        "attention": "flex_attention",
        "liger": True,
        "activation_checkpointing": False,
    },
    "full-packed-flex": {"attention": "flex_attention"},
    "full-padding-free-flex": {
        "attention": "flex_attention",
        "batching": "padding_free",
        "global_batch_size": 8,
        "micro_batch_size": 8,
    },
    "full-packed-flash": {"attention": "flash_attention_2"},
    "qlora": {"method": "qlora"},
    "full-kept": {"liger": True, "activation_checkpointing": False, "micro_batch_size": 1},
}


def make_base(folder: Path) -> None:
    """Write a model with random weights and a small tokenizer of Llama-2's kind."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.support.small_tokenizers import llama_2

    config = LlamaConfig(
        vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=32, max_position_embeddings=4096, bos_token_id=1, eos_token_id=2, dtype="bfloat16",
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    llama_2().save_pretrained(folder)


def make_tokens(folder: Path, base: Path) -> None:
    """Write the audited tokens of enough conversations for all steps."""
    from tests.support.tiny_training import WORDS
    from workflow_scripts.common.rows import write_jsonl
    from workflow_scripts.training import audit_loss_mask

    rng = random.Random(0)

    def talk(at: int) -> dict:
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(40, 180))) for _ in range(6)]
        pairs = zip(texts[::2], texts[1::2], strict=True)
        return {"id": str(at), "conversation": [{"input": question, "output": answer} for question, answer in pairs]}

    write_jsonl(folder / "train.jsonl", (talk(at) for at in range(400)))
    write_jsonl(folder / "test.jsonl", [])
    audit_loss_mask.main([
        "--train", str(folder / "train.jsonl"), "--test", str(folder / "test.jsonl"), "--base", str(base),
        "--settings", json.dumps(BASE), "--tokens-of", "--train-tokens", str(folder / "train.parquet"),
        "--test-tokens", str(folder / "test.parquet"), "--audit", str(folder / "audit.json"),
    ])  # fmt: skip


def peak_rate() -> float:
    """FLOP/s of a bfloat16 matrix product, the median of 25 runs."""
    import torch

    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(30):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        left @ right
        end.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(end) / 1000)
    return 2 * 8192**3 / median(seconds[5:])


def train(folder: Path, base: Path, settings: dict) -> dict:
    """Tokens/s, peak memory in GiB and losses of one variant."""
    import torch
    from transformers import TrainerCallback

    from workflow_scripts.training import train_model

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **more):
            torch.cuda.synchronize()
            ends.append(time.monotonic())
            control.should_training_stop = state.global_step >= STEPS

    torch.cuda.reset_peak_memory_stats()
    args = argparse.Namespace(
        settings=settings, base=base, train_tokens=folder / "train.parquet", test_tokens=folder / "test.parquet"
    )
    trainer = train_model.make_trainer(args, folder / "state", 1)
    trainer.add_callback(Clock())
    weights = sum(weight.numel() for weight in trainer.model.parameters())
    trainer.train()
    steps = [end - start for start, end in zip(ends[WARM - 1 :], ends[WARM:], strict=False)]
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    tokens = [row["num_tokens"] for row in trainer.state.log_history if "num_tokens" in row and "loss" in row]
    result = {
        "tokens_per_s": (tokens[len(ends) - 1] - tokens[WARM - 1]) / (ends[-1] - ends[WARM - 1]),
        "spread": max(steps) / min(steps),
        "gib": torch.cuda.max_memory_allocated() / 2**30,
        "weights": weights,
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }
    del trainer
    gc.collect()
    torch.cuda.empty_cache()
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="scratch folder for the base model and the tokens")
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="variants (default: all)"
    )
    args = parser.parse_args()
    import torch

    base = args.folder / "base"
    if not (base / "config.json").is_file():
        make_base(base)
    make_tokens(args.folder, base)
    peak = peak_rate()
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {peak / 1e12:.0f} TFLOP/s in bfloat16", flush=True
    )
    print(f"{'':18}{'tokens/s':>10}{'MFU':>9}{'GiB':>8}{'slowest step':>14}   loss", flush=True)
    for name in args.variants:
        settings = BASE | VARIANTS[name]
        try:
            result = train(args.folder, base, settings)
        except Exception as error:
            print(f"{name:18}{type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
            torch.cuda.empty_cache()
            continue
        flops = (6 if settings["method"] == "full" else 4) * result["weights"] * result["tokens_per_s"]
        print(
            f"{name:18}{result['tokens_per_s']:10.0f}{flops / peak:9.1%}{result['gib']:8.1f}{result['spread']:13.2f}x"
            f"   {result['first_loss']:.2f} -> {result['last_loss']:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
