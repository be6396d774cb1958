"""The depth of nested JSON, bounded before it is parsed: what reads nested values is recursive and may end the process."""

import re

MAX_NESTING = 100  # levels that are always accepted; twice as many never are
TOO_DEEP = f"nested too deeply, more than {MAX_NESTING} levels."
STRUCTURE = b'[]{}"'
DELETED = bytes(set(range(256)) - set(STRUCTURE))
STRING = re.compile(rb'"[^"]*"')


def nested_too_deeply(content: bytes) -> bool:
    """Whether a JSON text has more than about `MAX_NESTING` levels. Strings do not count. False for invalid JSON."""
    if content.count(b"[") + content.count(b"{") <= MAX_NESTING:
        return False
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in content else content
    brackets = STRING.sub(b"", unescaped.translate(None, DELETED))
    for _ in range(MAX_NESTING):
        inner = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(inner) == len(brackets):
            return False
        brackets = inner
    return bool(brackets)
