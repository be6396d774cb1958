"""Every code by which the source rejects a row or a text is explained; the page in docs is up to date."""

import ast
import re
from pathlib import Path

import pytest

from workflow_scripts.common.reasons import KINDS, SENTENCES, explain, page
from workflow_scripts.seeds.cleaning.rules import RULES
from workflow_scripts.verification.outcomes import REASONS

# Functions with the place of the code among their arguments.
CALLS = {"add": 1, "rejected_row": 1, "rejected_seed": 1, "_rejected": 1, "BadTurn": 0}
CODE = re.compile(r"(?:[a-z_]+:)?[a-z]+(?:_[a-z]+)*")


def constants(value: ast.expr | None) -> list[str]:
    """The texts that an expression may have as its value."""
    match value:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=first, orelse=second):
            return constants(first) + constants(second)
        case ast.BoolOp(values=values):
            return [text for part in values for text in constants(part)]
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]):  # f"{self.name}:no_examples"
            return [text.removeprefix(":")]
        case _:
            return []


def used(tree: ast.AST) -> set[str]:
    """The codes in a module."""
    found: list[str] = []
    reads_conversations = any(
        isinstance(node, ast.FunctionDef) and node.name == "read_published" for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if (
                name in CALLS and len(args) > CALLS[name]
            ):
                found += constants(args[CALLS[name]]) if name != "add" or len(args) == 3 else []
            case ast.Call(func=ast.Attribute(attr="append"), args=[ast.Tuple(elts=[ast.Name(id="row"), code])]):
                found += constants(code)
            case ast.FunctionDef(name=name) if name.endswith("_fault") or name in ("check", "elimination"):
                found += [
                    text for each in ast.walk(node) if isinstance(each, ast.Return) for text in constants(each.value)
                ]
            case ast.Assign(targets=[ast.Name(id="reason" | "fault" | "found")], value=value):
                found += constants(value)
            case ast.Raise(exc=ast.Call(func=ast.Name(id="ValueError"), args=[message])) if reads_conversations:
                found += [text.replace(" ", "_") for text in constants(message)]
    return {code for code in found if CODE.fullmatch(code)}


MODULES = sorted(Path("workflow_scripts").rglob("*.py"))
USED = {path: codes for path in MODULES if (codes := used(ast.parse(path.read_text(encoding="utf-8"))))}


@pytest.mark.parametrize("path", USED, ids=str)
def test_every_code_is_explained(path):
    assert [code for code in sorted(USED[path]) if not explain(code)] == []


def test_codes_from_tables_are_explained():
    limits = ("short_request", "short_answer", "too_long")
    columns = ("missing_instruction", "missing_response", "missing_reference", "needs_a_picture")
    assert [code for code in (*RULES, *REASONS.values(), *limits, *columns) if not explain(code)] == []


def test_codes_are_found_in_the_source():
    """The search finds each form in which the source has codes."""
    every = set().union(*USED.values())
    assert every >= {
        "bad_turn",
        "teacher_error",
        "judge:low_score",
        "no_examples",
        "near_copy",
        "max_tokens",
        "over_limit",
    }
    assert every >= {
        "content_filter",
        "no_judgement",
        "no_exchange",
        "sorry",
        "disputed",
        "exact_duplicate",
        "empty_post",
    }
    assert "unexplained" in used(ast.parse('def x_fault(text):\n    return a() or ("unexplained" if b else None)'))


def test_a_fault_is_explained_with_its_kind():
    assert explain("url") == "The answer contains a link that the user did not give."
    assert explain("answer:url") == "Answer: The answer contains a link that the user did not give."
    assert explain("know_logic:wrong_step") == "Know-Logic: The judge found a wrong step in the solution."
    assert explain("unknown") == explain("answer:unknown") == explain("") == ""


def test_sentences_are_sentences():
    assert all(re.fullmatch(r"[A-Z].*[.]", sentence) for sentence in SENTENCES.values())
    assert all(kind and name for kind, name in KINDS.items())


def test_the_page_is_up_to_date():
    assert Path("docs/reasons.md").read_text(encoding="utf-8") == page(), "run `make docs`"
