"""Cleaning looks at every turn, before it mends anything."""

import json

import pytest

from workflow_scripts.clean_seeds import fault, main, repair
from workflow_scripts.cleaning.rules import RULES
from workflow_scripts.common.rows import read_jsonl, write_jsonl

SETTINGS = {"rules": list(RULES), "min_answer_chars": 20, "max_chars": 300}
GOOD = "Its crystals interlock, and water finds few ways in."


def dialogue(*answers):
    return {"conversation": [{"input": f"Question {n}?", "output": text} for n, text in enumerate(answers)]}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_answer_of_a_conversation_is_read(make_seed, place):
    """The first answer counts as much as the last: a cut-off date there is what the card names."""
    answers = [GOOD] * 3
    assert fault(make_seed(kind="conversation", meta=dialogue(*answers)), SETTINGS) is None
    answers[place] = "My knowledge ends in September 2021, so I cannot say."
    seed = make_seed(response=GOOD, kind="conversation", meta=dialogue(*answers))
    assert fault(seed, SETTINGS) == ("self_reference", "September 2021")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instruction": " ", "response": GOOD}, "empty"),
        ({"context": "\x1b[31mred", "response": GOOD}, "ansi_escape"),
        ({"response": ""}, "empty"),
        ({"response": "Too short."}, "short_answer"),
        ({"context": GOOD * 6, "response": GOOD}, "too_long"),
        ({"response": f"{GOOD} As an AI, I know."}, "self_reference"),
        ({"context": "See https://example.org.", "response": GOOD}, None),
        ({"response": "", "kind": "post", "context": GOOD}, None),
    ],
)
def test_each_text_of_a_seed_is_read(make_seed, fields, reason):
    found = fault(make_seed(**fields), SETTINGS)
    assert (found and found[0]) == reason


def test_repair_mends_unicode_in_every_text(make_seed):
    broken, mended = "Itâ€™s a cafÃ©", "It's a café"
    seed = repair(make_seed(broken, broken, broken, kind="conversation", meta={"conversation": [{"input": broken}]}))
    assert seed["instruction"] == seed["context"] == seed["response"] == mended
    assert seed["meta"] == {"conversation": [{"input": mended}]}


def test_repair_leaves_html_entities(make_seed):
    """They may be what a question is about."""
    assert repair(make_seed("What does &amp; mean in HTML?"))["instruction"] == "What does &amp; mean in HTML?"


def test_main_loses_no_row(make_seed, tmp_path):
    good, bad = make_seed(response=GOOD), make_seed("Hello?", response="See \x1b[31mthis line of red text.")
    write_jsonl(tmp_path / "a.jsonl", [good])
    write_jsonl(tmp_path / "b.jsonl", [bad])
    files = ["--seeds", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    out = ["--clean", str(tmp_path / "clean"), "--rejected", str(tmp_path / "rejected")]
    main(["--settings", json.dumps(SETTINGS), *files, *out])
    assert list(read_jsonl(tmp_path / "clean")) == [good]
    evidence = {"source": "Airoboros", "text": "\x1b[31m"}
    assert list(read_jsonl(tmp_path / "rejected")) == [{"id": bad["id"], "reason": "ansi_escape", "evidence": evidence}]
