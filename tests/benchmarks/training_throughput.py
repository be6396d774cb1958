"""How fast the training rule's own command trains, against plain `trl sft` defaults and transformers' Trainer.

    python tests/benchmarks/training_throughput.py [--rows 96] [--repeats 2]

The same random Llama, the same conversations, the same device; each side in a process of its own, one after the other,
turn by turn. A step is 8 samples, taken at once by the peers (their default) and two at a time by ours (the default of
config.yaml); a packed step is 2 full rows, which hold about as many tokens. Tokens are those of the conversations,
padding not counted, by the seconds that the trainer says training took. Memory is the most that the process ever held
(RSS). Printed are ratios: a figure of one machine says little.
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
    "ours": "train_model, batching flat",
    "packed": "train_model, batching packed",
    "trainer": "transformers.Trainer, padded",
    # Its defaults compute in bfloat16, which few CPUs do fast, so that the two are told apart.
    "trl-float32": "trl SFTTrainer, bf16 off",
    "trl": "trl SFTTrainer, its defaults",
}
BATCH = 8
MICRO = 2


def prepare(folder: Path, rows: int) -> dict:
    """Base, conversations and tokens for all sides; the audit."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.small_tokenizers import llama_2
    from tests.tiny_training import WORDS, TinyTraining
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

    def text(middle: float) -> str:
        # Lengths spread as those of real conversations do: a long tail.
        return " ".join(rng.choices(WORDS, k=max(2, min(150, round(rng.lognormvariate(0, 0.8) * middle)))))

    talks = [
        {"id": str(at), "conversation": [{"input": text(6), "output": text(20)} for _ in range(rng.choice([2, 3]))]}
        for at in range(rows)
    ]
    write_jsonl(folder / "train.jsonl", talks)
    write_jsonl(folder / "test.jsonl", [])
    return tiny.audit()


def settings(side: str) -> dict:
    """What both kinds of batches share. A packed row holds several conversations, so fewer rows are one step."""
    packed = side == "packed"
    return {
        "max_length": 512, "overflow": "cut", "batching": "packed" if packed else "padding_free", "epochs": 1,
        "global_batch_size": 2 if packed else BATCH, "micro_batch_size": 1 if packed else MICRO, "learning_rate": 2e-5, "save_steps": 100000,
    }  # fmt: skip


def trainer_side(folder: Path, side: str) -> float:
    """Seconds of training with one of the peers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    from workflow_scripts.training import tokens
    from workflow_scripts.training.template import set_template

    tokenizer = set_template(AutoTokenizer.from_pretrained(folder / "base"))
    common = {
        "output_dir": str(folder / "peer"), "per_device_train_batch_size": BATCH, "num_train_epochs": 1, "learning_rate": 2e-5,
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
    """Seconds of training with the rule's own command."""
    from workflow_scripts.training import train_model

    from tests.tiny_training import SETTINGS, TinyTraining  # isort: skip

    tiny = TinyTraining.__new__(TinyTraining)
    tiny.folder, tiny.settings = folder, SETTINGS | settings(side)
    command = tiny.command(out=side, state=f"state-{side}")
    command[command.index("--threads") + 1] = str(os.cpu_count())
    train_model.main(command[3:])
    rows = [json.loads(line) for line in (folder / side / "metrics.jsonl").read_text().splitlines()]
    return next(row["train_runtime"] for row in rows if "train_runtime" in row)


def measured(folder: Path, side: str) -> dict:
    """Seconds and mebibytes of one side, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=96, help="conversations")
    parser.add_argument("--repeats", type=int, default=2, help="times that every side trains")
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
                found[side].append(measured(Path(name), side))
    print(f"{audit['samples']} samples, {audit['tokens']} tokens, {os.cpu_count()} CPUs, median of {args.repeats}")
    speed = {side: audit["tokens"] / median(each["seconds"] for each in runs) for side, runs in found.items()}
    memory = {side: median(each["mib"] for each in runs) for side, runs in found.items()}
    print(f"{'':32}{'tokens/s':>10}{'of ours':>10}{'MiB':>8}{'of ours':>10}")
    for side, told in SIDES.items():
        print(
            f"{told:32}{speed[side]:10.0f}{speed[side] / speed['ours']:10.2f}{memory[side]:8.0f}{memory[side] / memory['ours']:10.2f}"
        )


if __name__ == "__main__":
    main()
