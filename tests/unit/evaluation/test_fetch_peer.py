"""Peers: their weights, and the chat template of their entry."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.pretrained import load_tokenizer
from workflow_scripts.evaluation.chat import Chat, cut
from workflow_scripts.evaluation.fetch_peer import main

QUESTION = "Why does granite erode so slowly?"
OWN = "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}"


@pytest.fixture
def source(tmp_path, save_model):
    """A model folder without chat template."""
    save_model(tmp_path / "source")
    (tmp_path / "source" / "chat_template.jinja").unlink(missing_ok=True)
    return tmp_path / "source"


def fetch(tmp_path, source, template):
    target = tmp_path / "peer" / "final"
    settings = {"model": str(source), "revision": None, "template": template}
    main(["--name", "other", "--settings", json.dumps(settings), "--model", str(target)])
    return target


def test_a_peer_without_chat_template_needs_one(tmp_path, source):
    with pytest.raises(UserError, match=r"peer other: its tokenizer has no chat template. Set `evaluation.peers.other"):
        fetch(tmp_path, source, "own")


def test_the_workflows_template(tmp_path, source):
    target = fetch(tmp_path, source, "user_assistant")
    text = load_tokenizer(target).apply_chat_template([{"role": "user", "content": "Why?"}], tokenize=False)
    assert text == "<s>USER: Why? ASSISTANT:"
    assert Chat(target, "float32", "user_assistant").answers([([], QUESTION)], 6)[0]


def test_a_template_of_a_file_leaves_the_model_folder_of_the_user_as_it_is(tmp_path, source):
    (source / "chat_template.jinja").write_text("unchanged")
    (tmp_path / "own.jinja").write_text(OWN)
    target = fetch(tmp_path, source, str(tmp_path / "own.jinja"))
    assert (source / "chat_template.jinja").read_text() == "unchanged"
    assert (target / "model.safetensors").is_symlink()
    chat = Chat(target, "float32", "own")
    prompt = chat._encoder.tokenizer.decode(chat._encoder.prompt([{"input": "a", "output": "b"}], "c"))
    assert prompt.replace("<s>", "") == "[user] a\n[assistant] b\n[user] c\n"
    assert chat.answers([([], QUESTION)], 6)[0]


def test_a_folder_without_weights_is_an_error(tmp_path, source):
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"config.json or \*.safetensors is missing"):
        fetch(tmp_path, source, "user_assistant")


def test_an_answer_ends_where_a_base_model_continues_with_the_next_request():
    stop = ("USER:", "ASSISTANT:")
    assert cut(" Ice is lighter. USER: And lakes? ASSISTANT: They", stop) == "Ice is lighter."
    assert cut("Ice is lighter.", stop) == "Ice is lighter."
    assert cut("The USER: label", ()) == "The USER: label"
