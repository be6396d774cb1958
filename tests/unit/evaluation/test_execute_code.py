"""HumanEval completions are executed and scored: pass@1 of known programs."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.rows import read_json, write_json
from workflow_scripts.evaluation.execute_code import main, standard_error
from workflow_scripts.evaluation.items import FIXED

DOCUMENT = {
    "prompt": 'def add(a, b):\n    """The sum."""\n',
    "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
    "entry_point": "add",
}


def test_the_standard_error_of_a_share():
    assert standard_error([True, False, False, False]) == pytest.approx((0.25 * 0.75 / 3) ** 0.5)
    assert standard_error([True]) is None


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap")
def test_correct_wrong_and_hostile_completions(tmp_path):
    completions = [
        "    return a + b\n",
        "    return a - b\n",
        "    return a +\n",
        f"    open({str(tmp_path / 'written')!r}, 'w').write('x')\n    return a + b\n",
    ]
    rows = [
        {**dict.fromkeys(FIXED.names), "task": "humaneval_completions", "filter": "none", "doc_hash": f"h{number}", "copy": 0,
            "document": json.dumps(DOCUMENT), "outputs": [text]}
        for number, text in enumerate(completions)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, FIXED), tmp_path / "items.parquet")
    write_json(tmp_path / "result.json", {"results": {"humaneval_completions": {"alias": "x", "bypass,none": 999}}})
    main([
        "--result", str(tmp_path / "result.json"), "--table", str(tmp_path / "items.parquet"), "--threads", "2",
        "--executed", str(tmp_path / "new" / "result.json"), "--executed-table", str(tmp_path / "new" / "items.parquet"),
    ])  # fmt: skip
    values = read_json(tmp_path / "new" / "result.json")["results"]["humaneval_completions"]
    assert values["pass@1,none"] == 0.25 and values["pass@1_stderr,none"] == pytest.approx(0.25)
    items = pq.read_table(tmp_path / "new" / "items.parquet").to_pylist()
    assert [item["pass@1"] for item in items] == [1, 0, 0, 0]
    ends = [item["outputs"][1] for item in items]
    assert ends[0] == "ended: passed" and "AssertionError" in ends[1] and "SyntaxError" in ends[2]
    assert "FileNotFoundError" in ends[3] and not (tmp_path / "written").exists()
