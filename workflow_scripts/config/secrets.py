"""Secrets that do not belong in a configuration, which is recorded with every run: keys in addresses and in options."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from workflow_scripts.common.types import Config

# Words of an option or of a parameter that names a secret. `tokenizer`, `eos_token` and `max_tokens` name none.
SECRET_NAME = re.compile(
    r"(?:^|.*[-_.])(?:api[-_]?key|access[-_]?key|secret|secret[-_]?key|password|passwd|credentials?|signature)$"
    r"|^(?:.*[-_])?(?:hf|auth|access|api|bearer|security|session|private|download)[-_]?token$|^(?:token|key|sig|auth|authorization)$",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(r"^(?:hf_|sk-|ghp_|github_pat_)[\w-]{16,}$|^Bearer\s", re.IGNORECASE)
IN_ADDRESS = re.compile(r"(?<=://)[^/\s@'\"]*@|(?<=[?#])[^\s'\"]*")
ADVICE = "It would be recorded with the run. Name an environment variable instead"


def hide_in_addresses(text: str) -> str:
    """The text with user names, passwords and parameters of addresses hidden."""
    return IN_ADDRESS.sub(lambda match: "[hidden]@" if match[0].endswith("@") else "[hidden]", text)


def address_mistakes(address: str, where: str) -> Iterator[str]:
    """The error of an address that contains a secret. It never quotes the address."""
    try:
        parts = urlsplit(address)
        secret = "a user name or password" if "@" in parts.netloc else ""
    except ValueError:
        yield f"{where}: not a valid address. Correct it."
        return
    for text in (parts.query, parts.fragment):
        for name, value in parse_qsl(text, keep_blank_values=True):
            if SECRET_NAME.match(name) or SECRET_VALUE.match(value):
                secret = f"the parameter {name}, which looks like a key"
    if secret:
        yield (
            f"{where}: contains {secret}. The address is recorded with the run. Download the file yourself and name it by "
            "`path`, or use an address without it."
        )


def option_mistakes(options: Any, where: str, advice: str) -> Iterator[str]:
    """Errors of options that contain a secret: a mapping, or words of a command line. They never quote a value."""
    words = list(map(str, options))
    pairs: list[tuple[str, Any]] = list(options.items()) if isinstance(options, dict) else []
    if not pairs:
        pairs = [
            (name.lstrip("-"), value)
            for name, _, value in (word.partition("=") for word in words)
            if name.startswith("-")
        ]
        pairs += [("", word) for word in words]
    for name, value in pairs:
        if SECRET_NAME.match(name) and value is not None and not isinstance(value, bool):
            yield f"{where}: {name} contains a key. {ADVICE}: {advice}."
        elif SECRET_VALUE.match(str(value)):
            yield f"{where}: a value looks like a key. {ADVICE}: {advice}."


def secret_mistakes(config: Config) -> Iterator[str]:
    """Errors of addresses and options that contain a secret."""
    for number, source in enumerate(config["seeds"]["sources"]):
        where = f"seeds.sources[{number}]"
        if "url" in source:
            yield from address_mistakes(source["url"], f"{where}.url")
        if "graphql" in source:
            yield from address_mistakes(source["graphql"]["url"], f"{where}.graphql.url")
    advice = "vLLM reads VLLM_API_KEY and HF_TOKEN"
    yield from option_mistakes(config["teacher"]["vllm"]["extra"], "teacher.vllm.extra", advice)
    judge = config["judge"]["teacher"].get("vllm", {}).get("extra", [])
    yield from option_mistakes(judge, "judge.teacher.vllm.extra", advice)
    yield from option_mistakes(config["evaluation"]["backend_args"], "evaluation.backend_args", "the Hub's is HF_TOKEN")
