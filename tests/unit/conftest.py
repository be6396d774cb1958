"""Fixtures for several packages: seeds as a row and as a table, a small tokenizer, a small model."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from tests.support.queued_teacher import QueuedTeacher
from workflow_scripts.common.rows import content_id
from workflow_scripts.seeds.schema import SEED

SENTENCES = [
    "USER: Why does granite erode so slowly? ASSISTANT: Its crystals interlock, and water finds few ways in.",
    "Rivers carry sand, sand grinds stone, and after many years a valley is there.",
    "Größe, café, naïve and 北京 are words too; numbers such as 1234567890 are not.",
]


@pytest.fixture
def teacher():
    """A teacher that sends queued replies over HTTP."""
    server = QueuedTeacher()
    yield server
    server.close()


@pytest.fixture
def make_seed():
    """A function that returns a row of seeds/data.jsonl; any field can be set."""

    def make(instruction="Why does granite erode so slowly?", context="", response="", **fields):
        seed = {
            "source": "Airoboros",
            "dataset": "a/b",
            "revision": "c0ffee",
            "license": "MIT",
            "kind": "instruction",
            "instruction": instruction,
            "context": context,
            "response": response,
            "domain": None,
            "skills": None,
            "difficulty": None,
            "meta": {},
            **fields,
        }
        identity = [seed["instruction"], seed["context"], seed["response"], seed["meta"].get("conversation")]
        return {"id": content_id(*identity), **seed}

    return make


@pytest.fixture(scope="session")  # hypothesis rejects function-scoped fixtures
def make_table():
    """A function that returns a table of seeds, the form between the steps of the stage; rows may omit any field."""

    def make(rows):
        seeds = []
        for row in rows:
            if not isinstance(row.get("meta", ""), str):
                row = {**row, "meta": json.dumps(row["meta"], ensure_ascii=False)}
            seed = {
                **dict.fromkeys(SEED.names),
                "source": "Airoboros",
                "dataset": "a/b",
                "revision": "c0ffee",
                "license": "MIT",
                "kind": "instruction",
                "instruction": "Why does granite erode so slowly?",
                "context": "",
                "response": "",
                "meta": "{}",
                **row,
            }
            identity = [seed[name] for name in ("instruction", "context", "response", "conversation")]
            seeds.append({**seed, "id": seed["id"] or content_id(*identity)})
        return pa.Table.from_pylist(seeds, SEED)

    return make


@pytest.fixture
def config():
    """The pocket configuration; tests may change it."""
    return yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def make_tokenizer():
    """A function that trains a byte-level BPE tokenizer, with a BOS token like Llama's or without like GPT-2's."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    def make(writes_bos=True, bos_token="<s>", lower=False):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        if lower:
            tokenizer.normalizer = normalizers.Lowercase()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<s>", "</s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(SENTENCES, trainer)
        if writes_bos:
            tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos_token, eos_token="</s>")

    return make


@pytest.fixture(scope="session")
def save_model(make_tokenizer):
    """A function that saves a randomly initialised Llama of a few thousand parameters and its tokenizer to a folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    def save(folder):
        tokenizer = make_tokenizer()
        torch.manual_seed(0)
        shape = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=512, bos_token_id=0, eos_token_id=1,
        )  # fmt: skip
        LlamaForCausalLM(shape).save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return save
