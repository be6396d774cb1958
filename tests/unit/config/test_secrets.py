"""Secrets in a configuration are refused, and no message repeats them."""

import pytest

from tests.unit.config.test_check import put
from workflow_scripts.config.check import mistakes
from workflow_scripts.config.secrets import SECRET_NAME, hide_in_addresses

CANARY = "canary-9e3b77"
SOURCE = {"id": "x", "label": "X", "license": "MIT", "layout": "instruction"}
GRAPHQL = {"after": "2020-01-01", "before": "2020-02-01"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"url": f"https://me:{CANARY}@host.org/a.json"}, "seeds.sources[0].url: contains a user name or password."),
        ({"url": f"https://{CANARY}@host.org/a.json"}, "seeds.sources[0].url: contains a user name or password."),
        ({"url": f"https://host.org/a.json?token={CANARY}"}, "seeds.sources[0].url: contains the parameter token,"),
        ({"url": f"https://host.org/a.json?x=1&X-Amz-Signature={CANARY}"}, "contains the parameter X-Amz-Signature,"),
        ({"url": f"https://host.org/a.json#access_token={CANARY}"}, "contains the parameter access_token,"),
        ({"url": f"https://[{CANARY}/a.json"}, "seeds.sources[0].url: not a valid address."),
        ({"url": f"ftp://me:{CANARY}@host.org/a.json?token={CANARY}"}, "it must begin with http:// or https://"),
        ({"graphql": {"url": f"https://me:{CANARY}@host.org/graphql", **GRAPHQL}}, "graphql.url: contains a user name"),
    ],
)  # fmt: skip
def test_an_address_with_a_secret_is_refused(config, source, message):
    put(config, "seeds.sources", [{**SOURCE, **source}])
    found = "\n".join(mistakes(config))
    assert message in found and CANARY not in found


def test_an_address_with_other_parameters_is_accepted(config):
    put(config, "seeds.sources", [{**SOURCE, "url": "https://host.org/a.json?download=true&revision=main"}])
    assert not [line for line in mistakes(config) if ".url" in line]


@pytest.mark.parametrize(
    "address", [f"https://me:{CANARY}@host.org/v1", f"https://host.org/v1?api-key={CANARY}", f"me:{CANARY}@host.org"]
)
def test_a_rejected_base_url_is_not_printed_with_its_secret(config, address):
    config["teacher"] |= {"kind": "endpoint", "model": "m", "base_url": address}
    found = "\n".join(mistakes(config))
    assert "teacher.base_url: " in found and CANARY not in found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("teacher.vllm.extra", ["--api-key", CANARY]),
        ("teacher.vllm.extra", [f"--api-key={CANARY}"]),
        ("teacher.vllm.extra", ["--hf-token", CANARY]),
        ("teacher.vllm.extra", ["--header", f"hf_{CANARY}{CANARY}"]),
        ("judge.teacher", {"kind": "vllm", "model": "m", "vllm": {"extra": ["--api-key", CANARY]}}),
        ("evaluation.backend_args", {"token": CANARY}),
        ("evaluation.backend_args", {"hf_token": CANARY}),
        ("evaluation.backend_args", {"note": f"hf_{CANARY}{CANARY}"}),
    ],
)  # fmt: skip
def test_an_option_with_a_key_is_refused(config, key, value):
    if key == "judge.teacher":
        value["vllm"] = {**config["teacher"]["vllm"], **value["vllm"]}
    put(config, key, value)
    found = "\n".join(mistakes(config))
    assert "Name an environment variable instead" in found and CANARY not in found


def test_options_about_tokens_are_accepted(config):
    config["teacher"]["vllm"]["extra"] = [
        "--max-num-batched-tokens",
        4096,
        "--tokenizer",
        "x",
        "--ssl-keyfile",
        "key.pem",
    ]
    config["evaluation"]["backend_args"] = {
        "add_bos_token": True,
        "think_end_token": "</think>",
        "token": True,
        "prefix_token_id": 1,
    }
    assert not [line for line in mistakes(config) if "environment variable instead" in line]


@pytest.mark.parametrize(
    "name", ["tokenizer", "max_tokens", "eos_token", "keyfile", "monkey", "design", "keys", "author"]
)
def test_other_names_are_no_secrets(name):
    assert not SECRET_NAME.match(name)


def test_addresses_are_shown_without_their_secrets():
    text = f"see 'https://me:{CANARY}@host.org/a?token={CANARY}#x' and http://plain.org/b"
    assert hide_in_addresses(text) == "see 'https://[hidden]@host.org/a?[hidden]' and http://plain.org/b"


@pytest.mark.parametrize("key", ["training.launcher", "evaluation.launcher"])
@pytest.mark.parametrize(
    "launcher", ["pythonx", "python; curl x", "torchrun|sh", "sh -c python", "python\nsh", "python\n", "python $(id)"]
)
def test_a_launcher_begins_with_a_known_program_and_is_one_command(config, key, launcher):
    assert [line for line in mistakes(put(config, key, launcher) or config) if line.startswith(f"{key}: ")]
