"""Time every regular expression of the package on texts that repeat one piece; print those slower than linear.

    python -m tests.support.pattern_floods

A pattern is slower than linear if four times the text takes more than `MAX_GROWTH` times as long, twice in a row: linear is
4, quadratic is 16. Patterns of Arrow are none of them: RE2 is linear by construction.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
import time
from collections.abc import Iterator

CHARS = 10_000, 40_000, 160_000
FLOOR_SECONDS = 0.003  # below, a pattern is fast enough: a quadratic one takes longer for 10,000 characters
MAX_GROWTH = 6.0
# Of texts that users, programs of this machine or packages write, not models and not data.
TRUSTED = (
    *(
        "workflow_scripts.config",
        "workflow_scripts.cli",
        "workflow_scripts.training",
        "workflow_scripts.verification.server",
    ),
    "workflow_scripts.seeds.cleaning.text_repair",  # reads the pattern of ftfy
)
PIECES = [
    "\n", " ", "\n ", "\r\n", "\n\n", "a", "1", "a ", "a a a", "a\n", "é", "_", ". ", ", ", ":", "- ", "1. ", "# ", "> ", "**", "*_",
    "`", "```\n", "[", "[ ", "a(", "{", "<", "<a ", "<![", '"', "'", '"a ', "=", "a=", "$", "\\(", "\\frac{", "/", "http://a", "a@",
    "www.", "my", "USER:", "\nExpert ", "answer: ", "<think>", "\n<think>", "</think>", "please ", "it ", "as an ai ", "cannot ", "SELECT ",
    "i cannot ", "bearer ", "cookie",
]  # fmt: skip
FRAMES = [("", ""), ("x\n", "\x00")]  # before and after the flood
FUNCTIONS = {"compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split"}


def patterns() -> dict[re.Pattern, str]:
    """Every pattern that a module compiles when it is imported or names in a call, and the module."""
    found: dict[re.Pattern, str] = {}
    compile_pattern = re.compile

    def record(pattern, flags=0):
        compiled = compile_pattern(pattern, flags)
        module = sys._getframe(1).f_globals["__name__"]
        if module.startswith("workflow_scripts."):
            found.setdefault(compiled, module)
        return compiled

    re.compile = record
    package = importlib.import_module("workflow_scripts")
    names = [module.name for module in pkgutil.walk_packages(package.__path__, "workflow_scripts.")]
    modules = [importlib.import_module(name) for name in names if not name.startswith(TRUSTED)]
    re.compile = compile_pattern
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if not (
                isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in FUNCTIONS
            ):
                continue
            try:
                pattern = eval(ast.unparse(node.args[0]), vars(module))
            except NameError:  # built from a local variable
                continue
            flags = [word.value for word in node.keywords if word.arg == "flags"]
            flags += (
                node.args[1:2] if node.func.attr == "compile" else node.args[2:3] if "find" in node.func.attr else []
            )
            if not isinstance(pattern, re.Pattern):
                pattern = re.compile(pattern, eval(ast.unparse(flags[0]), vars(module)) if flags else 0)
            found.setdefault(pattern, module.__name__)
    return found


def texts(chars: int) -> Iterator[str]:
    """Every flood in every frame."""
    for piece in PIECES:
        for before, after in FRAMES:
            yield before + (piece * (chars // len(piece) + 1))[:chars] + after


def seconds(pattern: re.Pattern, text: str | bytes) -> float:
    """CPU time to find all matches in a text."""
    start = time.process_time()
    for _ in pattern.finditer(text):
        pass
    return time.process_time() - start


def linear(pattern: re.Pattern, flood: tuple[str, ...]) -> bool:
    """Whether the time for texts that are each four times as long grows as their length."""
    before = None
    for text in flood:
        now = seconds(pattern, text if isinstance(pattern.pattern, str) else text.encode())
        if now < FLOOR_SECONDS or (before is not None and now < MAX_GROWTH * before):
            return True
        before = now
    return False


def main() -> None:
    """Print one line for each pattern; those slower than linear begin with SLOW."""
    floods = list(zip(*map(texts, CHARS), strict=True))
    for pattern, module in patterns().items():
        print(
            f"{module}: {pattern.pattern!r:.160}", flush=True
        )  # before it is timed: one that never ends is the last line
        for flood in floods:
            if not linear(pattern, flood):
                print(f"SLOW {module}: {pattern.pattern!r:.160} on {flood[0][:24]!r}", flush=True)
                break


if __name__ == "__main__":
    main()
