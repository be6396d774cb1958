"""What the codes of rejected rows and of failed texts mean: `reasons.yaml` as sentences, and as docs/reasons.md.

python -m workflow_scripts.common.reasons > docs/reasons.md
"""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row
from workflow_scripts.common.yaml_files import read_yaml

TABLE: Row = read_yaml(package_file("common/reasons.yaml"))
KINDS: dict[str, str] = TABLE["kinds"]
SENTENCES: dict[str, str] = {code: text for group in TABLE["reasons"].values() for code, text in group.items()}
HEAD = """\
<!-- Generated from workflow_scripts/common/reasons.yaml by `make docs`; do not edit. -->
# Reason and fault codes

- `reason` in a stage's `rejected.jsonl` is why the row was rejected; `evidence` quotes what was found.
- `fault` in the evidence of a `bad_turn`, `faults` in `synthesis/stats.json` and `stopped` in the provenance of a conversation have the form `kind:code`, such as `answer:url`.
  The kind is the text that failed ({texts}) or the technique.
- The evidence of a `bad_turn` has the last failed text as the teacher wrote it.
- To request the texts of such seeds again, see [reruns.md](reruns.md#repeat-part-of-a-synthesis).
"""


def explain(code: str) -> str:
    """A sentence on a reason, or on a fault `kind:code`; empty for an unknown code."""
    kind, _, name = code.rpartition(":")
    sentence = SENTENCES.get(name, "")
    return f"{KINDS.get(kind, kind)}: {sentence}" if kind and sentence else sentence


def page() -> str:
    """The page as Markdown: a table for each group of codes."""
    texts = ", ".join(f"`{kind}`" for kind in ("instruction", "follow_up", "answer", "reference", "judge"))
    tables = [
        f"## {group}\n\n| code | meaning |\n| --- | --- |\n"
        + "".join(f"| `{code}` | {sentence} |\n" for code, sentence in codes.items())
        for group, codes in TABLE["reasons"].items()
    ]
    return "\n".join([HEAD.format(texts=texts), *tables])


if __name__ == "__main__":
    print(page(), end="")
