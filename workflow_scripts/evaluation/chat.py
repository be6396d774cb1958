"""Answers of a model to be scored, in the workflow's chat format or, for a peer, in the tokenizer's own."""

from pathlib import Path
from typing import Any

from workflow_scripts.common import pretrained
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.types import Exchange
from workflow_scripts.training import generation

USER_ASSISTANT = "user_assistant"
# A base model that has never seen an end token after an answer writes the next request itself.
STOP = ("USER:", "ASSISTANT:")


class OwnTemplate:
    """Prompts by the chat template of a tokenizer, as `training.template.Encoder` makes them by the workflow's."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token

    def prompt(self, conversation: list[Exchange], question: str) -> list[int]:
        """Token ids of a conversation and a new question, up to the start of the answer."""
        messages = [*to_messages(conversation), {"role": "user", "content": question}]
        encoded = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        return list(encoded["input_ids"])


class Chat:
    """A loaded model that answers. `template` is user_assistant or own."""

    def __init__(self, folder: Path, dtype: str, template: str):
        self.stop: tuple[str, ...] = STOP if template == USER_ASSISTANT else ()
        self._model, self._encoder = generation.load_model(folder, dtype)
        if template != USER_ASSISTANT:
            self._encoder = OwnTemplate(pretrained.load_tokenizer(folder))  # type: ignore[assignment]

    def answers(self, requests: list[tuple[list[Exchange], str]], max_new_tokens: int) -> list[str]:
        """Greedy answers to (conversation, question) requests, in one batch, each cut before the first stop string."""
        texts = generation.generate_answers(self._model, self._encoder, requests, max_new_tokens)
        return [cut(text, self.stop) for text in texts]


def cut(text: str, stop: tuple[str, ...]) -> str:
    """The text before the first of the stop strings, without surrounding space."""
    return text[: min((text.find(word) for word in stop if word in text), default=len(text))].strip()
