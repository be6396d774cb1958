"""Checks of the training tokens before training, and the counts of audit.json."""

import json
import logging
import unicodedata
from collections import Counter
from statistics import mean
from typing import Any, Literal, get_args

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row
from workflow_scripts.training import tokens
from workflow_scripts.training.batching import padding_share, prepare
from workflow_scripts.training.template import ANSWER, END, FORMAT, USER, Encoded, Encoder, runs
from workflow_scripts.training.truncation import Truncation

MAX_LISTED_IDS = 5  # in an error message; the log lists all
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]


def check_loss_mask(conversations: dict[str, Truncation], encoder: Encoder) -> None:
    """UserError for samples without loss, and for a mask that is not exactly the answers and their end tokens."""
    if not any(entry.samples for entry in conversations.values()):
        raise UserError(
            f"none of {len(conversations)} conversations fits into `training.max_length`. Raise it, or set `training.overflow` to "
            "split or cut."
        )
    without_loss = [
        name for name, entry in conversations.items() if any(not any(sample.mask) for sample in entry.samples)
    ]
    if without_loss:
        _reject(
            without_loss,
            "have a sample in which no token carries loss",
            "The question alone fills `training.max_length`, or the answer is empty. Raise it, set `training.overflow` to drop, "
            "or remove them from the data",
        )
    forms = _unicode_forms(json.loads(encoder.tokenizer.backend_tokenizer.to_str())["normalizer"])
    wrong = [name for name, entry in conversations.items() if not _is_correct(entry, encoder, forms)]
    if wrong:
        _reject(
            wrong,
            "have a loss mask that does not cover exactly their answers",
            "The tokenizer and the chat template do not fit together: the model would be trained on the wrong tokens",
        )


def _unicode_forms(normalizer: Any) -> list[Form]:
    """The Unicode normal forms that a tokenizer applies to all text, such as NFC in Qwen's: part of `tokenizer.json`."""
    if not normalizer:
        return []
    if normalizer["type"] == "Sequence":
        return [form for part in normalizer["normalizers"] for form in _unicode_forms(part)]
    return [normalizer["type"]] if normalizer["type"] in get_args(Form) else []


def _normalise(text: str, forms: list[Form]) -> str:
    for form in forms:
        text = unicodedata.normalize(form, text)
    return text


def _is_correct(entry: Truncation, encoder: Encoder, forms: list[Form]) -> bool:
    """Whether exactly answers and end tokens carry loss and, unless truncated, decode to the text of the answers.

    Texts are compared in the Unicode normal `forms` of the tokenizer, which turns U+212B into U+00C5.
    """
    tokenizer = encoder.tokenizer
    special = set(tokenizer.all_special_ids)
    template_tokens = {tokenizer.eos_token_id, tokenizer.bos_token_id}
    for sample in entry.samples:
        if any(carries != (part in (ANSWER, END)) for part, carries in zip(sample.parts, sample.mask, strict=True)):
            return False
        # Only the template writes special tokens: the begin token at the start, the end token after an answer.
        for place, (token, part) in enumerate(zip(sample.ids, sample.parts, strict=True)):
            if token in special and not (token in template_tokens and (part == END or place == 0)):
                return False
    if entry.truncated:
        return True
    decoded = [
        tokenizer.decode(ids, clean_up_tokenization_spaces=False).strip()
        for sample in entry.samples
        for ids, carries in runs(sample.ids, sample.mask)
        if carries
    ]
    answers = [f"{exchange['output'].strip()}{tokenizer.eos_token}".strip() for exchange in entry.conversation]
    return not entry.samples or [_normalise(text, forms) for text in decoded] == [
        _normalise(text, forms) for text in answers
    ]


def check_chat_template(conversations: dict[str, Truncation], encoder: Encoder) -> None:
    """UserError if `apply_chat_template`, which chat servers use, gives other tokens for a conversation.

    Conversations with the text of a special token are not checked: there the two differ, and the encoder is correct.
    """
    tokenizer = encoder.tokenizer
    different = []
    for name, entry in conversations.items():
        messages = to_messages(entry.conversation)
        if any(text in message["content"] for message in messages for text in tokenizer.all_special_tokens):
            continue
        ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
        if len(entry.samples) == 1 and ids[: len(entry.samples[0].ids)] != entry.samples[0].ids:
            different.append(name)
    if different:
        _reject(
            different,
            "give other tokens with the tokenizer's own chat template",
            "A server that uses the template would prompt the model differently. Fix the tokenizer's end token in tokenizer.json",
        )


def _reject(names: list[str], problem: str, advice: str) -> None:
    for name in names:
        logging.info("rejected: %s", name)
    more = f" and {len(names) - MAX_LISTED_IDS} more in this log" if len(names) > MAX_LISTED_IDS else ""
    raise UserError(
        f"{len(names)} conversations {problem}: {', '.join(names[:MAX_LISTED_IDS])}{more}. {advice}. Nothing was trained."
    )


def measure(conversations: dict[str, Truncation], encoder: Encoder, settings: Row) -> Row:
    """The content of audit.json: counts of conversations, samples and tokens, losses by truncation, an example sample."""
    entries = list(conversations.values())
    samples = [sample for entry in entries for sample in entry.samples]
    lengths = [len(sample.ids) for sample in samples]
    roles = {part: {"tokens": 0, "with_loss": 0} for part in (FORMAT, USER, ANSWER, END)}
    for sample in samples:
        for part, count in Counter(sample.parts).items():
            roles[part]["tokens"] += count
        for part, carries in zip(sample.parts, sample.mask, strict=True):
            roles[part]["with_loss"] += carries
    dataset = tokens.table(conversations)
    batched = prepare(dataset, settings, encoder.tokenizer.pad_token_id)
    dropped = sorted(name for name, entry in conversations.items() if not entry.samples)
    return {
        "conversations": len(conversations),
        "samples": len(samples),
        "tokens": sum(lengths),
        "trainable_tokens": sum(sum(sample.mask) for sample in samples),
        "roles": roles,
        "max_length": settings["max_length"],
        "mean_tokens": round(mean(lengths), 1),
        "longest": max(lengths),
        "longest_conversation": max(entry.length for entry in entries),
        "overflow": settings["overflow"],
        "split": sum(len(entry.samples) > 1 for entry in entries),
        "dropped": dropped,
        "truncated": sum(entry.truncated for entry in entries),
        "tokens_cut_off": sum(entry.tokens_cut for entry in entries),
        "answer_tokens_cut_off": sum(entry.answer_tokens_cut for entry in entries),
        "batching": settings["batching"],
        "rows": len(batched),
        "steps_an_epoch": len(batched) // settings["global_batch_size"],
        "padding_share": round(padding_share(lengths, settings), 4),
        "end_token": encoder.tokenizer.eos_token,
        "pad_token": encoder.tokenizer.pad_token,
        "fingerprint": tokens.fingerprint(zip(dataset["input_ids"], dataset["labels"], strict=True)),
        "sample": segments(choose_example(samples), encoder),
    }


def count_held_out(conversations: dict[str, Truncation]) -> Row:
    """Counts of the held-out samples, of those without loss, which are excluded, and of the tokens with loss."""
    samples = [sample for entry in conversations.values() for sample in entry.samples]
    return {
        "samples": len(samples),
        "without_loss": sum(not any(sample.mask) for sample in samples),
        "trainable_tokens": sum(sum(sample.mask) for sample in samples),
    }


def choose_example(samples: list[Encoded]) -> Encoded:
    """The sample to show: the shortest of those with the most exchanges (at most three)."""
    return min(samples, key=lambda sample: (-min(sample.parts.count(END), 3), len(sample.ids)))


def segments(sample: Encoded, encoder: Encoder) -> list[Row]:
    """A sample's text in segments of one part and one loss value each, as {text, part, loss}."""
    found, at = [], 0
    keys = [f"{part} {carries}" for part, carries in zip(sample.parts, sample.mask, strict=True)]
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[at]:
            # Decoded with the preceding tokens: SentencePiece drops a space at the start of a decoded text.
            before, after = (
                encoder.tokenizer.decode(sample.ids[:place], clean_up_tokenization_spaces=False) for place in (at, end)
            )
            found.append({"text": after[len(before) :], "part": sample.parts[at], "loss": bool(sample.mask[at])})
            at = end
    return found
