"""The chat template, and the tokenisation of conversations with a loss mask.

Training, evaluation and chat use the same template; only training uses its generation marks. The text of a message never
becomes a special token: `</s>` written by a user or a teacher is tokenised as characters, and only the template writes begin
and end tokens. `transformers` supports this (`sanitize_control_tokens`), but not together with a loss mask. So the text is
tokenised here with the tokenizer's own backend: the template writes placeholders that occur in no text, and the rest is
tokenised with special tokens disabled. For text without special tokens the ids equal those of
`tokenizer.apply_chat_template`.
"""

import re
import secrets
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Exchange

TEMPLATE = package_file("training/templates/user_assistant.jinja")
BOS_LINE = "{{- bos_token -}}\n"
GENERATION_MARK = re.compile(r"\{%- (?:end)?generation -%\}")
FORMAT, USER, ANSWER, END = "format", "user", "answer", "end"


def set_template(tokenizer: Any) -> Any:
    """Set the USER:/ASSISTANT: template of a tokenizer and return it; the template is saved with the tokenizer.

    It has no generation marks, which only `transformers` can parse: llama.cpp and vLLM read it too. A tokenizer without a pad token (Llama-2, phi) gets its unknown token, or else its end token; padding never carries
    loss. UserError if the tokenizer has no end token.
    """
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no end token, so no answer could ever end. "
            "Set `eos_token` in its tokenizer_config.json, or use another `training.base`."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    tokenizer.chat_template = GENERATION_MARK.sub("", annotated_template(tokenizer))
    return tokenizer


def annotated_template(tokenizer: Any) -> str:
    """The template with generation marks, which training needs to compute the loss mask.

    It writes the begin token only for tokenizers that write it themselves: GPT-2-like models never saw it.
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    writes_bos = tokenizer.bos_token_id is not None and tokenizer("x").input_ids[:1] == [tokenizer.bos_token_id]
    return text if writes_bos else text.replace(BOS_LINE, "")


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens. `mask` is 1 for tokens with loss; `parts` is the part that each token belongs to.

    Parts: the format (USER:, ASSISTANT:, begin token), a user's text, an answer, the end token after an answer.
    """

    ids: list[int]
    mask: list[int]
    parts: list[str]

    def cut(self, length: int) -> "Encoded":
        """The first `length` tokens."""
        return Encoded(self.ids[:length], self.mask[:length], self.parts[:length])

    def labels(self) -> list[int]:
        """The ids of tokens with loss, -100 for the others, as trainers expect."""
        return [token if carries else -100 for token, carries in zip(self.ids, self.mask, strict=True)]


class Encoder:
    """Tokenises conversations with a tokenizer prepared by `set_template`."""

    def __init__(self, tokenizer: Any):
        from tokenizers import AddedToken, Tokenizer

        if not tokenizer.is_fast:
            raise UserError(
                f"the tokenizer of {tokenizer.name_or_path} has no tokenizer.json, which is needed for the positions of tokens "
                "in the text. Save one with `AutoTokenizer.from_pretrained(...).save_pretrained(...)`."
            )
        self.tokenizer = tokenizer
        self.template = annotated_template(tokenizer)
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        self._placeholders = {}  # template variable: placeholder
        self._token_of = {}  # id of a placeholder: id of its special token
        for name in ("bos_token", "eos_token"):
            if (token := getattr(tokenizer, name)) is None:
                continue
            # Random in every process, so that no text can contain it.
            placeholder = f"\ue000{secrets.token_hex(8)}\ue001"
            known = tokenizer.added_tokens_decoder.get(tokenizer.convert_tokens_to_ids(token))
            strips = {side: bool(known and getattr(known, side)) for side in ("lstrip", "rstrip")}
            self._backend.add_tokens([AddedToken(placeholder, special=False, normalized=False, **strips)])
            self._placeholders[name] = placeholder
            self._token_of[self._backend.token_to_id(placeholder)] = tokenizer.convert_tokens_to_ids(token)
        self._backend.encode_special_tokens = True
        self._check_special_tokens()

    def _check_special_tokens(self) -> None:
        """UserError if the tokenizer turns the text of a special token into that token."""
        special = set(self.tokenizer.all_special_ids)
        for text in self.tokenizer.all_special_tokens:
            if special & set(self._backend.encode(f"a{text}b {text} c", add_special_tokens=False).ids):
                raise UserError(
                    f"the tokenizer of {self.tokenizer.name_or_path} turns the text {text} into a special token, so a message "
                    'could end itself. Mark the token as `"special": true` in tokenizer.json.'
                )

    def encode(self, conversation: list[Exchange]) -> Encoded:
        """A whole conversation, for training and for computing losses."""
        messages = to_messages(conversation)
        text, answers = self._render(messages)
        encoding = self._backend.encode(text, add_special_tokens=False)
        roles = _roles(text, messages, self._placeholders["eos_token"])
        mask, parts = [], []
        for start, end in encoding.offsets:
            # A token with a leading space belongs to the text after the space.
            parts.append(roles[min(max(start, end - 1), len(text) - 1)])
            mask.append(int(any(begin <= start and end <= stop for begin, stop in answers)))
        return Encoded([self._token_of.get(token, token) for token in encoding.ids], mask, parts)

    def prompt(self, conversation: list[Exchange], question: str) -> list[int]:
        """Token ids of a conversation and a new question, up to the start of the answer."""
        messages = [*to_messages(conversation), {"role": "user", "content": question}]
        ids = self._backend.encode(self._render(messages)[0], add_special_tokens=False).ids
        return [self._token_of.get(token, token) for token in ids]

    def _render(self, messages: list[dict[str, str]]) -> tuple[str, list[tuple[int, int]]]:
        """The rendered template with placeholders, and its spans with loss as (start, end) in characters."""
        from transformers.utils.chat_template_utils import render_jinja_template

        names = {**self.tokenizer.special_tokens_map, **self._placeholders}
        rendered: Any = render_jinja_template(  # transformers declares a single text
            conversations=[messages],
            chat_template=self.template,
            return_assistant_tokens_mask=True,
            **names,
        )
        texts, marked = rendered
        return texts[0], marked[0]


def _roles(text: str, messages: list[dict[str, str]], end_token: str) -> list[str]:
    """The part of each character of the rendered text, found from the messages and not from the generation marks."""
    roles, at = [FORMAT] * len(text), 0
    for message in messages:
        content = message["content"].strip()
        role, label = (USER, "USER: ") if message["role"] == "user" else (ANSWER, "ASSISTANT: ")
        at = text.index(label, at) + len(label)
        roles[at : at + len(content)] = [role] * len(content)
        if role == ANSWER:
            roles[at - 1] = ANSWER  # the model generates the space after ASSISTANT:
        at += len(content)
        if role == ANSWER and text.startswith(end_token, at):
            roles[at : at + len(end_token)] = [END] * len(end_token)
    return roles


def runs(ids: list[int], mask: list[int]) -> list[tuple[list[int], bool]]:
    """Runs of consecutive tokens with the same mask value, each as (token ids, whether it carries loss)."""
    pairs = groupby(zip(ids, mask, strict=True), key=lambda pair: bool(pair[1]))
    return [([token for token, _ in group], carries) for carries, group in pairs]
