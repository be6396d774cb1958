"""What is proved of the tokens before anything is trained on them, and what is counted."""

import logging
from collections import Counter
from statistics import mean

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row
from workflow_scripts.training import tokens
from workflow_scripts.training.batching import padding_share, prepare
from workflow_scripts.training.template import ANSWER, END, FORMAT, USER, Encoded, Encoder, runs
from workflow_scripts.training.truncation import Fitted

NAMED = 5  # ids in an error message; the log has all


def check(fitted: dict[str, Fitted], encoder: Encoder) -> None:
    """UserError for a conversation without a trainable token, or whose mask is anything but its answers and their ends."""
    if not any(entry.samples for entry in fitted.values()):
        raise UserError(
            f"none of {len(fitted)} conversations is short enough to be trained on. Raise `training.max_length`, or set "
            "`training.overflow` to split or cut."
        )
    silent = [name for name, entry in fitted.items() if any(not any(sample.mask) for sample in entry.samples)]
    if silent:
        _refuse(
            silent,
            "have a sample in which no token carries loss",
            "The question alone fills `training.max_length`, or the answer is empty. Raise it, set `training.overflow` to drop, "
            "or take them out of the data",
        )
    wrong = [name for name, entry in fitted.items() if not _is_right(entry, encoder)]
    if wrong:
        _refuse(
            wrong,
            "have a loss mask that does not cover exactly their answers",
            "The tokenizer and the chat template do not fit together; training would learn the wrong tokens",
        )


def _is_right(entry: Fitted, encoder: Encoder) -> bool:
    """Whether answers and ends carry loss and nothing else does; of whole samples also that they read back as written."""
    tokenizer = encoder.tokenizer
    special = set(tokenizer.all_special_ids)
    written = {tokenizer.eos_token_id, tokenizer.bos_token_id}
    for sample in entry.samples:
        if any(carries != (part in (ANSWER, END)) for part, carries in zip(sample.parts, sample.mask, strict=True)):
            return False
        # Only the template writes special tokens: the begin token at the start, the end token after an answer.
        for place, (token, part) in enumerate(zip(sample.ids, sample.parts, strict=True)):
            if token in special and not (token in written and (part == END or place == 0)):
                return False
    if entry.truncated:
        return True
    learnt = [
        tokenizer.decode(ids, clean_up_tokenization_spaces=False).strip()
        for sample in entry.samples
        for ids, carries in runs(sample.ids, sample.mask)
        if carries
    ]
    answers = [f"{exchange['output'].strip()}{tokenizer.eos_token}" for exchange in entry.conversation]
    return not entry.samples or learnt == [answer.strip() for answer in answers]


def check_reading(fitted: dict[str, Fitted], encoder: Encoder) -> None:
    """UserError if `apply_chat_template`, which chat servers use, would read a conversation as other tokens.

    Conversations that spell out a special token are left out: there the two differ, and ours is right.
    """
    tokenizer = encoder.tokenizer
    other = []
    for name, entry in fitted.items():
        messages = to_messages(entry.conversation)
        if any(text in message["content"] for message in messages for text in tokenizer.all_special_tokens):
            continue
        ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
        if len(entry.samples) == 1 and ids[: len(entry.samples[0].ids)] != entry.samples[0].ids:
            other.append(name)
    if other:
        _refuse(
            other,
            "are read as other tokens by the tokenizer's own chat template",
            "A server that uses the template would see what training has not. Mend the tokenizer's end token in tokenizer.json",
        )


def _refuse(names: list[str], what: str, advice: str) -> None:
    for name in names:
        logging.info("refused: %s", name)
    more = f" and {len(names) - NAMED} more in this log" if len(names) > NAMED else ""
    raise UserError(
        f"{len(names)} conversations {what}: {', '.join(names[:NAMED])}{more}. {advice}. Nothing was trained."
    )


def measure(fitted: dict[str, Fitted], encoder: Encoder, settings: Row) -> Row:
    """What audit.json holds: counts of conversations, samples and tokens, what was lost, and one sample in pieces."""
    entries = list(fitted.values())
    samples = [sample for entry in entries for sample in entry.samples]
    lengths = [len(sample.ids) for sample in samples]
    roles = {part: {"tokens": 0, "with_loss": 0} for part in (FORMAT, USER, ANSWER, END)}
    for sample in samples:
        for part, count in Counter(sample.parts).items():
            roles[part]["tokens"] += count
        for part, carries in zip(sample.parts, sample.mask, strict=True):
            roles[part]["with_loss"] += carries
    dataset = tokens.table(fitted)
    batched = prepare(dataset, settings, encoder.tokenizer.pad_token_id)
    dropped = sorted(name for name, entry in fitted.items() if not entry.samples)
    return {
        "conversations": len(fitted),
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
        "pad_token": encoder.tokenizer.pad_token,
        "fingerprint": tokens.fingerprint(zip(dataset["input_ids"], dataset["labels"], strict=True)),
        "sample": pieces(shown(samples), encoder),
    }


def shown(samples: list[Encoded]) -> Encoded:
    """The sample to show: the shortest of those with the most exchanges, up to three."""
    return min(samples, key=lambda sample: (-min(sample.parts.count(END), 3), len(sample.ids)))


def pieces(sample: Encoded, encoder: Encoder) -> list[Row]:
    """A sample's text in pieces of one part each, decoded token by token where a piece ends."""
    found, at = [], 0
    keys = [f"{part} {carries}" for part, carries in zip(sample.parts, sample.mask, strict=True)]
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[at]:
            # Decoded with all that stands before it: SentencePiece drops a space at the start of what it decodes.
            before, after = (
                encoder.tokenizer.decode(sample.ids[:place], clean_up_tokenization_spaces=False) for place in (at, end)
            )
            found.append({"text": after[len(before) :], "part": sample.parts[at], "loss": bool(sample.mask[at])})
            at = end
    return found
