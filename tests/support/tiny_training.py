"""A training run of a few seconds: a random Llama with a few thousand weights, a small tokenizer, short conversations."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from tests.support.small_tokenizers import KINDS
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.training import audit_loss_mask

SETTINGS = {
    "method": "full", "lora": {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": "all-linear", "extra": {}}, "dtype": "float32",
    "attention": "sdpa", "liger": False, "max_length": 256, "overflow": "split", "batching": "padded", "epochs": 2,
    "global_batch_size": 4, "micro_batch_size": 2, "learning_rate": 5e-3, "lr_scheduler": "cosine", "warmup_ratio": 0.1, "weight_decay": 0.0,
    "activation_checkpointing": False, "eval_steps": None, "keep_best": False, "early_stopping": None, "save_steps": 2,
    "save_minutes": None, "extra": {}, "random_seed": 0,
}  # fmt: skip
WORDS = [
    "granite",
    "water",
    "sand",
    "valley",
    "crystals",
    "interlock",
    "rivers",
    "carry",
    "stone",
    "erode",
    "slowly",
    "many",
    "years",
    "after",
    "why",
    "does",
    "so",
]


def conversations(count: int, seed: int = 0) -> list[dict]:
    """Conversations of one to four exchanges, each with an id."""
    rng = random.Random(seed)

    def text(min_words: int, max_words: int) -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(min_words, max_words)))

    return [
        {
            "id": f"{seed}-{number:03d}",
            "source": "Made",
            "conversation": [
                {"input": f"{text(2, 6)}?", "output": f"{text(3, 20)}."} for _ in range(rng.randint(1, 4))
            ],
        }
        for number in range(count)
    ]


def make_base(folder: Path, kind: str = "llama-2") -> Path:
    """Write a random model and its tokenizer to `folder`/base; returns that folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = KINDS[kind]()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    return folder / "base"


class TinyTraining:
    """One training run in `folder`; keyword arguments override SETTINGS."""

    def __init__(self, folder: Path, rows: int = 22, kind: str = "llama-2", **settings):
        self.folder, self.settings = folder, {**SETTINGS, **settings}
        make_base(folder, kind)
        write_jsonl(folder / "train.jsonl", conversations(rows))
        write_jsonl(folder / "test.jsonl", conversations(5, seed=1))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def audit(self, *, tokens_of: str = "") -> dict:
        """Run audit_loss_mask; returns audit.json."""
        audit_loss_mask.main(
            [
                "--train", self.path("train.jsonl"), "--test", self.path("test.jsonl"), "--base", self.path("base"),
                "--settings", json.dumps(self.settings), "--tokens-of", *([tokens_of] if tokens_of else []),
                "--train-tokens", self.path("train.parquet"), "--test-tokens", self.path("test.parquet"),
                "--audit", self.path("audit.json"),
            ]
        )  # fmt: skip
        return json.loads((self.folder / "audit.json").read_text())

    def command(self, *launcher: str, out: str = "out", state: str = "checkpoints") -> list[str]:
        """The command of rule train_model; `launcher` replaces this Python."""
        return [
            *(launcher or (sys.executable,)), "-m", "workflow_scripts.training.train_model",
            "--train-tokens", self.path("train.parquet"), "--test-tokens", self.path("test.parquet"),
            "--base", self.path("base"), "--audit", self.path("audit.json"), "--settings", json.dumps(self.settings),
            "--threads", "1", "--checkpoints", self.path(state), "--trained", self.path(f"{out}/trained"),
            "--metrics", self.path(f"{out}/metrics.jsonl"),
        ]  # fmt: skip

    def start(self, *launcher: str, **more) -> subprocess.Popen:
        """Start the training in its own process group."""
        return subprocess.Popen(
            self.command(*launcher, **more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env=environment(),
        )  # fmt: skip

    def train(self, *launcher: str, **more) -> str:
        """Run the training; returns its stderr. AssertionError with the end of stderr if it fails."""
        done = subprocess.run(self.command(*launcher, **more), capture_output=True, text=True, env=environment())
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stderr

    def curve(self, out: str = "out", key: str = "loss") -> list[float]:
        """The values of `key` in metrics.jsonl, in order of steps."""
        rows = [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]
        return [float(row[key]) for row in rows if key in row]


def environment() -> dict[str, str]:
    """This environment with the programs of this Python first on PATH, offline, with one thread."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
