"""Compare the throughput of the training rule's command with the defaults of `trl sft` and of transformers' Trainer.

    python -m tests.benchmarks.training_throughput [--rows 96] [--repeats 2]

All sides train the same random Llama on the same conversations and device, alternately, each in its own process. A step
has 8 samples: at once for the peers (their default), two at a time for ours (the default of config.yaml); a packed step
has 2 full rows with about as many tokens. Throughput is the tokens of the conversations, without padding, divided by the
trainer's `train_runtime`. Memory is the peak RSS of the process. Seconds depend on the machine; compare the ratios.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

SIDES = {
    "ours": "train_model, padding_free",
    "packed": "train_model, packed",
    "trainer": "transformers.Trainer, padded",
    # TRL's defaults use bfloat16, which is slow on most CPUs, so both types are measured.
    "trl-float32": "trl SFTTrainer, bf16 off",
    "trl": "trl SFTTrainer, its defaults",
}
BATCH_SIZE = 8
MICRO_BATCH_SIZE = 2


def prepare(folder: Path, rows: int) -> dict:
    """Write the base model, conversations and tokens of all sides; returns the audit."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.support.small_tokenizers import llama_2
    from tests.support.tiny_training import WORDS, TinyTraining
    from workflow_scripts.common.rows import write_jsonl

    tiny = TinyTraining(folder, **settings("ours"))
    tokenizer = llama_2()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=512, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=8, max_position_embeddings=1024, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    rng = random.Random(0)

    def text(median_words: float) -> str:
        # Lengths have a long tail, like those of real conversations.
        return " ".join(rng.choices(WORDS, k=max(2, min(150, round(rng.lognormvariate(0, 0.8) * median_words)))))

    talks = [
        {"id": str(at), "conversation": [{"input": text(6), "output": text(20)} for _ in range(rng.choice([2, 3]))]}
        for at in range(rows)
    ]
    write_jsonl(folder / "train.jsonl", talks)
    write_jsonl(folder / "test.jsonl", [])
    return tiny.audit()


def settings(side: str) -> dict:
    """Training settings of ours. A packed row holds several conversations, so a step has fewer rows."""
    packed = side == "packed"
    return {
        "max_length": 512, "overflow": "cut", "batching": "packed" if packed else "padding_free", "epochs": 1,
        "global_batch_size": 2 if packed else BATCH_SIZE, "micro_batch_size": 1 if packed else MICRO_BATCH_SIZE, "learning_rate": 2e-5, "save_steps": 100000, "save_minutes": None, "eval_steps": None, "keep_best": False,
    "early_stopping": None, "extra": {},
    }  # fmt: skip


def trainer_side(folder: Path, side: str) -> float:
    """Seconds of training with a peer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    from workflow_scripts.training import tokens
    from workflow_scripts.training.template import set_template

    tokenizer = set_template(AutoTokenizer.from_pretrained(folder / "base"))
    common = {
        "output_dir": str(folder / "peer"), "per_device_train_batch_size": BATCH_SIZE, "num_train_epochs": 1, "learning_rate": 2e-5,
        "report_to": "none", "save_strategy": "no", "use_cpu": True, "disable_tqdm": True,
    }  # fmt: skip
    if side == "trainer":
        data = tokens.read(folder / "train.parquet").select_columns(["input_ids", "labels"])
        trainer = Trainer(
            AutoModelForCausalLM.from_pretrained(folder / "base"),
            TrainingArguments(**common),
            DataCollatorForSeq2Seq(tokenizer),
            data,
        )
    else:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        from workflow_scripts.common.conversations import to_messages
        from workflow_scripts.common.rows import read_jsonl

        talks = [{"messages": to_messages(row["conversation"])} for row in read_jsonl(folder / "train.jsonl")]
        trainer = SFTTrainer(
            str(folder / "base"),
            SFTConfig(**common, **({"bf16": False} if side == "trl-float32" else {})),
            train_dataset=Dataset.from_list(talks),
            processing_class=tokenizer,
        )
    return trainer.train().metrics["train_runtime"]


def own_side(folder: Path, side: str) -> float:
    """Seconds of training with the rule's command."""
    from workflow_scripts.training import train_model

    from tests.support.tiny_training import SETTINGS, TinyTraining  # isort: skip

    tiny = TinyTraining.__new__(TinyTraining)
    tiny.folder, tiny.settings = folder, SETTINGS | settings(side)
    command = tiny.command(out=side, state=f"state-{side}")
    command[command.index("--threads") + 1] = str(os.cpu_count())
    train_model.main(command[3:])
    rows = [json.loads(line) for line in (folder / side / "metrics.jsonl").read_text().splitlines()]
    return next(row["train_runtime"] for row in rows if "train_runtime" in row)


def measure(folder: Path, side: str) -> dict:
    """Seconds and peak memory in MiB of one side, in its own process. AssertionError if it fails."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=96, help="conversations")
    parser.add_argument("--repeats", type=int, default=2, help="training runs of each side; medians are reported")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        seconds = (own_side if args.side in ("ours", "packed") else trainer_side)(args.folder, args.side)
        print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    with tempfile.TemporaryDirectory() as name:
        audit = prepare(Path(name), args.rows)
        found = {side: [] for side in SIDES}
        for _ in range(args.repeats):
            for side in SIDES:
                found[side].append(measure(Path(name), side))
    print(f"{audit['samples']} samples, {audit['tokens']} tokens, {os.cpu_count()} CPUs, median of {args.repeats}")
    speed = {side: audit["tokens"] / median(each["seconds"] for each in runs) for side, runs in found.items()}
    memory = {side: median(each["mib"] for each in runs) for side, runs in found.items()}
    print(f"{'':32}{'tokens/s':>10}{'of ours':>10}{'MiB':>8}{'of ours':>10}")
    for side, label in SIDES.items():
        print(
            f"{label:32}{speed[side]:10.0f}{speed[side] / speed['ours']:10.2f}{memory[side]:8.0f}{memory[side] / memory['ours']:10.2f}"
        )


if __name__ == "__main__":
    main()
