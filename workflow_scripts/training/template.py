"""The chat template, and how a conversation becomes tokens with a loss mask.

One template serves training, evaluation and chat. Text inside a message is always text: `</s>` written by a user or a
teacher is read as the characters it is made of, and only the template writes begin and end tokens. `transformers` can
do that too (`sanitize_control_tokens`), but not together with a loss mask, so the reading is done here with the
tokenizer's own backend: the template's tokens are marked by stand-ins that no text contains, all else is read with
special tokens switched off. For text without any the ids are those of `tokenizer.apply_chat_template`.
"""

import secrets
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from workflow_scripts.common.conversations import Exchange, to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file

TEMPLATE = package_file("training/templates/user_assistant.jinja")
BOS = "{{- bos_token -}}\n"
FORMAT, USER, ANSWER, END = "format", "user", "answer", "end"


def set_template(tokenizer: Any) -> Any:
    """The tokenizer with the USER:/ASSISTANT: template; saved with it, so that chat and evaluation use the same one.

    The template writes the begin token only for tokenizers that write it themselves: GPT-2-like ones never saw it.
    A tokenizer without a pad token (Llama-2, phi) gets its unknown token as one, or else its end token: padding never
    carries loss, whatever token it is made of. UserError without an end token.
    """
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no end token, so no answer could ever end. "
            "Name one as `eos_token` in its tokenizer_config.json, or take another `training.base`."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    text = TEMPLATE.read_text(encoding="utf-8")
    writes_bos = tokenizer.bos_token_id is not None and tokenizer("x").input_ids[:1] == [tokenizer.bos_token_id]
    tokenizer.chat_template = text if writes_bos else text.replace(BOS, "")
    return tokenizer


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens. `mask` is 1 where a token carries loss, `parts` says of what each token is a piece:
    the format (USER:, ASSISTANT:, begin token), a user's text, an answer, or the end token after one."""

    ids: list[int]
    mask: list[int]
    parts: list[str]

    def cut(self, length: int) -> "Encoded":
        """Its first `length` tokens."""
        return Encoded(self.ids[:length], self.mask[:length], self.parts[:length])

    def labels(self) -> list[int]:
        """The ids where they carry loss, -100 elsewhere: what trainers read."""
        return [token if carries else -100 for token, carries in zip(self.ids, self.mask, strict=True)]


class Encoder:
    """Reads conversations with one tokenizer, whose chat template must have been set."""

    def __init__(self, tokenizer: Any):
        from tokenizers import AddedToken, Tokenizer

        if not tokenizer.is_fast:
            raise UserError(
                f"the tokenizer of {tokenizer.name_or_path} has no tokenizer.json, and without it the place of a token in its "
                "text is not known. Save one with `AutoTokenizer.from_pretrained(...).save_pretrained(...)`."
            )
        self.tokenizer = tokenizer
        self._reader = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._reader.no_truncation()
        self._reader.no_padding()
        self._stand_ins = {}  # template variable: stand-in
        self._meant = {}  # id of a stand-in: id of the token that it stands for
        for name in ("bos_token", "eos_token"):
            if (token := getattr(tokenizer, name)) is None:
                continue
            # Drawn anew in every process: a text cannot hold what nobody knows beforehand.
            stand_in = f"\ue000{secrets.token_hex(8)}\ue001"
            known = tokenizer.added_tokens_decoder.get(tokenizer.convert_tokens_to_ids(token))
            strips = {side: bool(known and getattr(known, side)) for side in ("lstrip", "rstrip")}
            self._reader.add_tokens([AddedToken(stand_in, special=False, normalized=False, **strips)])
            self._stand_ins[name] = stand_in
            self._meant[self._reader.token_to_id(stand_in)] = tokenizer.convert_tokens_to_ids(token)
        self._reader.encode_special_tokens = True
        self._check_special_tokens()

    def _check_special_tokens(self) -> None:
        """UserError if the tokenizer turns the text of a special token into that token after all."""
        special = set(self.tokenizer.all_special_ids)
        for text in self.tokenizer.all_special_tokens:
            if special & set(self._reader.encode(f"a{text}b {text} c", add_special_tokens=False).ids):
                raise UserError(
                    f"the tokenizer of {self.tokenizer.name_or_path} reads the text {text} as a special token wherever it stands: "
                    'a message could end itself. Mark the token as `"special": true` in tokenizer.json.'
                )

    def encode(self, conversation: list[Exchange]) -> Encoded:
        """The whole conversation, for training and for measuring."""
        messages = to_messages(conversation)
        text, answers = self._render(messages)
        encoding = self._reader.encode(text, add_special_tokens=False)
        roles = _roles(text, messages, self._stand_ins["eos_token"])
        mask, parts = [], []
        for start, end in encoding.offsets:
            # A token that takes a leading space along belongs to what follows the space.
            parts.append(roles[min(max(start, end - 1), len(text) - 1)])
            mask.append(int(any(begin <= start and end <= stop for begin, stop in answers)))
        return Encoded([self._meant.get(token, token) for token in encoding.ids], mask, parts)

    def prompt(self, conversation: list[Exchange], question: str) -> list[int]:
        """Token ids of a conversation so far and a new question, up to where the answer begins."""
        messages = [*to_messages(conversation), {"role": "user", "content": question}]
        ids = self._reader.encode(self._render(messages)[0], add_special_tokens=False).ids
        return [self._meant.get(token, token) for token in ids]

    def _render(self, messages: list[dict[str, str]]) -> tuple[str, list[tuple[int, int]]]:
        """The template's text with stand-ins, and the places in it that carry loss."""
        from transformers.utils.chat_template_utils import render_jinja_template

        names = {**self.tokenizer.special_tokens_map, **self._stand_ins}
        texts, marked = render_jinja_template(
            conversations=[messages],
            chat_template=self.tokenizer.chat_template,
            return_assistant_tokens_mask=True,
            **names,
        )
        return texts[0], marked[0]


def _roles(text: str, messages: list[dict[str, str]], end_token: str) -> list[str]:
    """Of what part each character of the rendered text is, found by the messages' own texts and not by the marks."""
    roles, at = [FORMAT] * len(text), 0
    for message in messages:
        content = message["content"].strip()
        role, label = (USER, "USER: ") if message["role"] == "user" else (ANSWER, "ASSISTANT: ")
        at = text.index(label, at) + len(label)
        roles[at : at + len(content)] = [role] * len(content)
        if role == ANSWER:
            roles[at - 1] = ANSWER  # the space after ASSISTANT: is for the model to write
        at += len(content)
        if role == ANSWER and text.startswith(end_token, at):
            roles[at : at + len(end_token)] = [END] * len(end_token)
    return roles


def runs(ids: list[int], mask: list[int]) -> list[tuple[list[int], bool]]:
    """Consecutive tokens with the same mask value, each run with whether it carries loss."""
    pairs = groupby(zip(ids, mask, strict=True), key=lambda pair: bool(pair[1]))
    return [([token for token, _ in group], carries) for carries, group in pairs]
