"""Memory of each process under FSDP2, on two CPU processes with gloo.

    python -m tests.benchmarks.fsdp_memory [--layers 12] [--method full]

A random Llama (7 million weights a layer, float32) is trained for three steps of plain SGD, whose optimiser needs no memory.
Printed for each process: where its weights are after loading, its peak memory before and after, and at the end; then the
losses, next to those of one process.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from tests.support.small_tokenizers import llama_2
from tests.support.tiny_training import TinyTraining


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--method", choices=["full", "lora"], default="full")
    args = parser.parse_args()
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        tiny = TinyTraining(
            Path(folder), rows=12, epochs=1, method=args.method, micro_batch_size=1, learning_rate=1e-3,
            save_steps=1000, extra={"optim": "sgd"}, activation_checkpointing=True,
        )  # fmt: skip
        tokenizer = llama_2()
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=768, intermediate_size=2048, num_hidden_layers=args.layers, num_attention_heads=12,
            num_key_value_heads=12, max_position_embeddings=512, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        model = LlamaForCausalLM(config)
        print(f"{model.num_parameters():,} weights, {model.num_parameters() / 2**18:.0f} MiB in float32")
        model.save_pretrained(tiny.folder / "base")
        del model
        tiny.audit()
        tiny.train()
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--config_file"]
        printed = tiny.train(
            *launcher, "profiles/accelerate/fsdp2.yaml", "tests/support/fsdp_on_cpu.py", out="fsdp", state="s"
        )
        print("\n".join(re.findall(r"^rank \d: .*$", printed, re.MULTILINE)))
        for name, out in (("one process", "out"), ("FSDP2", "fsdp")):
            print(f"loss, {name}: {', '.join(f'{value:.5f}' for value in tiny.curve(out))}")


if __name__ == "__main__":
    main()
