"""Error messages of servers: reported with code and message, on one line, without the key."""

import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.teacher.conftest import MESSAGES, SAMPLING
from workflow_scripts.teacher.errors import MIN_KEY_PART, TeacherError, describe_error, redact
from workflow_scripts.teacher.structured import response_format

KEY = 'tk/93fA"canary-2f6c1d8be0'
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"error": {"message": "The context is full.", "type": "BadRequestError", "code": 400}},
            "400: The context is full.",
        ),
        ({"error": {"message": "No.", "type": "server_error"}}, "server_error: No."),
        ({"object": "error", "message": "No.", "code": 40303}, "40303: No."),
        ({"error": "no model"}, "no model"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "n"], "msg": "extra field"}]}, "[{'loc': ['body', 'n'], 'msg': 'extra field'}]"),
        ({"error": {"reason": "unclear"}}, '{"reason": "unclear"}'),
        (b"upstream\nis gone", "upstream is gone"),
        ({}, ""),
    ],
    ids=str,
)
def test_code_and_message_reach_the_user(teacher, ask, body, message):
    teacher.sends(body, status=400)
    with pytest.raises(TeacherError) as caught:
        ask()
    assert str(caught.value) == f"HTTP status 400{': ' if message else ''}{message}"


def test_a_long_message_is_shortened(teacher, ask):
    teacher.sends({"error": {"message": "no " * 5000}}, status=400)
    with pytest.raises(TeacherError) as caught:
        ask()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (
            "Unsupported parameter: 'max_tokens'.",
            " Change max_tokens under `sampling` in the config; null leaves a parameter out.",
        ),
        ("response_format json_schema is not supported", " Set `teacher.structured` to json_object or prompt."),
        ("unknown field seed", " Set `teacher.seed_parameter`: the server's own name, or null."),
        ("The context is full.", ""),
    ],
)
def test_the_keys_that_determine_a_rejected_parameter_are_named(teacher, ask_all, message, advice):
    teacher.sends({"error": {"message": message}}, status=400)
    (error,), _ = ask_all((MESSAGES, SAMPLING, 1, response_format("x", {})))
    assert str(error) == f"HTTP status 400: {message}{advice}"


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_the_key_is_in_no_message(teacher, ask, monkeypatch, caplog, capfd, tmp_path, status):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    leaks = (
        f"key {KEY}, Bearer {KEY}, part {KEY[:12]}..., {urllib.parse.quote(KEY)}, {json.dumps({'authorization': KEY})}"
    )
    teacher.sends({"error": {"message": leaks, "code": KEY, "type": KEY}}, status=status)
    with caplog.at_level("DEBUG"), pytest.raises(TeacherError) as caught:
        ask(api_key_env="TEACHER_KEY", retries=0)
    shown = "".join((str(caught.value), caplog.text, *capfd.readouterr()))
    assert "key [hidden], Bearer [hidden], part [hidden]..., [hidden]" in shown
    assert not [start for start in range(len(KEY) - 7) if KEY[start : start + 8] in shown]
    assert caught.value.__cause__ is None  # a traceback would show the response
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY[:8] in path.read_text()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("headers: Authorization: Bearer abc.def, Host: x", "headers: Authorization: [hidden], Host: x"),
        ('{"authorization": "Basic dXNlcjpw", "x": 1}', '{"authorization": "[hidden]", "x": 1}'),
        ("x-api-key=abc123; api_key: 'abc'", "x-api-key=[hidden]; api_key: '[hidden]'"),
        ("Incorrect API key provided: sk-pr**90.", "Incorrect API key provided: sk-[hidden]"),
        ("authorization failed", "authorization failed"),
        ("one\n\x1b[31mtwo\x00\ud83d", "one [31mtwo"),
    ],
)
def test_headers_with_secrets_and_control_characters_are_removed(text, expected):
    assert redact(text, "") == expected


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=40), TEXTS, TEXTS)
def test_a_key_is_hidden_wherever_it_stands(key, before, after):
    hidden = redact(f"{before}{key} {key}{after}", key)
    if len(key) >= MIN_KEY_PART:
        assert key not in hidden
        assert key[:MIN_KEY_PART] not in hidden.replace("[hidden]", "")


@given(st.recursive(st.none() | st.integers() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_any_body_has_a_description(body):
    assert isinstance(describe_error(body), str)
