"""Small tokenizers of the same kinds as those of the presets' base models, whose files need the Hub.

Each copies what decides how a conversation is tokenised: normaliser, pre-tokeniser, begin and end tokens, special tokens.
The vocabulary is trained on a few sentences.
"""

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SENTENCES = [
    "USER: Why does granite erode so slowly? ASSISTANT: Its crystals interlock, and water finds few ways in.",
    "Rivers carry sand, sand grinds stone, and after many years a valley is there. So it is with water.",
    "Größe, café, naïve and 北京 are words too; numbers such as 1234567890 are not.",
]
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]


def _sentencepiece(legacy: bool) -> Tokenizer:
    """SentencePiece's BPE with byte fallback.

    `legacy` puts a space before every segment of text, as in Llama-2's file; otherwise only before the first.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    words = [f"▁{word}" for text in SENTENCES for word in text.split()]
    learner = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(words, trainers.BpeTrainer(vocab_size=700, special_tokens=PIECES, show_progress=False))
    tokenizer.model = learner.model
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in PIECES[:3]])
    return tokenizer


def _byte_level(special: list[str], digits: bool, trim_offsets: bool = False) -> Tokenizer:
    """GPT-2's byte-level BPE.

    `digits` splits numbers into single digits, as SmolLM2 does. `trim_offsets` excludes the leading space from a token's
    offsets, as RoBERTa does.
    """
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), split]) if digits else split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    return tokenizer


def _fast(backend: Tokenizer, **names: str) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **names)


def llama_2() -> Any:
    """A begin token, a space before every segment of text, no pad token."""
    return _fast(_sentencepiece(legacy=True), bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def mistral() -> Any:
    """A begin token, a space before the first segment of text only, no pad token."""
    return _fast(_sentencepiece(legacy=False), bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def phi(trim_offsets: bool = False) -> Any:
    """GPT-2's tokenizer: one token is begin, end and unknown, and encoding never adds it. No pad token.

    Runs of spaces are added tokens that are not special.
    """
    name = "<|endoftext|>"
    backend = _byte_level([name], digits=False, trim_offsets=trim_offsets)
    backend.add_tokens([AddedToken(" " * count, normalized=True) for count in (4, 3, 2)])
    return _fast(backend, bos_token=name, eos_token=name, unk_token=name)


def smollm2() -> Any:
    """ChatML's tokens among others. Begin and end differ, the end token is the pad token, and encoding adds no begin token."""
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>"]
    return _fast(
        _byte_level(names, digits=True),
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )


KINDS = {"llama-2": llama_2, "mistral": mistral, "phi": phi, "smollm2": smollm2}
