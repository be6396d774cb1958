"""The browser of conversations: every row of every stage is in it with its text, and a hostile one is text there too."""

import base64
import hashlib
import html
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.unit.report.test_parts import unpacked

from tests import browser
from workflow_scripts.common.rows import content_id, write_jsonl
from workflow_scripts.report import render_conversations
from workflow_scripts.report.embedded_data import NAMES

HOSTILE = (
    "<script>document.title='taken'</script></script><!--<img src=x onerror=document.title='taken'>\u2028{{ 7 * 7 }}${7*7}"
    "</textarea><b>bold</b>\u202egnp.exe\u202c \u05d0\u05d1\u05d2 \ud800 &amp; \x00"
)


def talk(*texts, source="Dove", **facts):
    conversation = [{"input": asked, "output": answer} for asked, answer in zip(texts[::2], texts[1::2], strict=True)]
    provenance = {"seed": None, "license": "MIT", "domain": None, "techniques": [], **facts}
    return {"id": content_id(conversation), "source": source, "conversation": conversation, "provenance": provenance}


class Run:
    """The files of a small run, with a row of every kind."""

    def __init__(self, folder, make_seed, make_table):
        self.folder = folder
        self.trained = talk("Why do seasons change?", "The axis is tilted.", seed="aaaa", techniques=["amplify"])
        self.held_out = talk(HOSTILE, HOSTILE + "x" * 100_000, source="<i>Dove</i>")
        self.contaminated = talk("😀 Which layer holds the ozone?", "The stratosphere.")
        self.grown = make_seed("Name a river.", response="The Rhine.")
        self.poor = make_seed("Name a lake.", response="Lake Constance.")
        self.culled = talk("Name a great river.", "The Rhine.", seed=self.grown["id"])
        self.numbers = talk("Count.", "1 2 3 4 5 6 7 8 9", seed="ffff")
        self.refused = make_table([{"id": "bbbb", "instruction": "Visit x.com", "response": "No."}, {"id": "cccc"}])
        write_jsonl(folder / "seeds" / "data.jsonl", sorted([self.grown, self.poor], key=lambda seed: seed["id"]))
        (folder / "seeds" / "adapted").mkdir()
        pq.write_table(self.refused, folder / "seeds" / "adapted" / "x.parquet")
        write_jsonl(folder / "synthesis" / "shards" / "0000.jsonl", [self.culled, self.numbers])
        everything = sorted([self.trained, self.held_out, self.contaminated], key=lambda row: row["id"])
        write_jsonl(folder / "decontamination" / "assembled.jsonl", everything)
        self.hit = {
            "id": self.contaminated["id"], "source": "Dove", "turn": 0, "role": "user", "start": 2, "end_turn": 0, "end": 29,
            "benchmark": "science", "item": "7", "tier": "A", "field": "question", "removes": True, "distance": 0, "length": 27,
            "similarity": 1.0, "level": 100, "allowed": None, "counts": True, "item_text": "Which layer holds the ozone",
        }  # fmt: skip
        write_jsonl(folder / "decontamination" / "hits.jsonl", [self.hit])
        self.reject(
            "seeds",
            ("bbbb", "url", {"source": "Airoboros", "text": "x.com"}),
            ("dddd", "no_request", {"source": "Dove", "row": 7}),
        )
        self.reject(
            "synthesis",
            (self.grown["id"], "same_meaning", {"kept": "aaaa"}),
            (self.poor["id"], "bad_turn", {"fault": "answer:url"}),
        )
        self.reject(
            "decontamination",
            (self.contaminated["id"], "contaminated", {"source": "Dove"}),
            (self.trained["id"], "exact_duplicate", {"source": "Puffin"}),
            (self.numbers["id"], "digit_run", {"source": "Dove", "text": "1 2 3"}),
            ("eeee", "no_exchange", {"file": "x.jsonl", "row": 1}),
        )
        self.reject("dataset")
        (folder / "dataset").mkdir(exist_ok=True)
        for name, row in (("train", self.trained), ("test", self.held_out)):
            pd.DataFrame({"id": [row["id"]]}).to_parquet(folder / "dataset" / f"{name}.parquet")

    def reject(self, stage, *rows):
        rows = [dict(zip(("id", "reason", "evidence"), row, strict=True)) for row in rows]
        write_jsonl(self.folder / stage / "rejected.jsonl", rows)

    def render(self, name="report"):
        self.page = self.folder / name / "conversations.html"
        self.parts = [self.folder / name / "conversations" / f"{part}.js" for part in NAMES]
        words = [
            "--run", "<r&d>", "--conversations", self.folder / "decontamination" / "assembled.jsonl",
            "--hits", self.folder / "decontamination" / "hits.jsonl",
            "--train", self.folder / "dataset" / "train.parquet", "--test", self.folder / "dataset" / "test.parquet",
            "--rejected", *(self.folder / stage / "rejected.jsonl" for stage in ("seeds", "synthesis", "decontamination", "dataset")),
            "--seeds", self.folder / "seeds" / "data.jsonl", "--adapted", self.folder / "seeds" / "adapted" / "x.parquet",
            "--shards", self.folder / "synthesis" / "shards", "--shard-count", "1", "--page", self.page, "--parts", *self.parts,
        ]  # fmt: skip
        render_conversations.main(list(map(str, words)))
        return {row["key"]: row for part in self.parts for block in unpacked(part)[1] for row in block}


@pytest.fixture
def run(tmp_path, make_seed, make_table):
    (tmp_path / "seeds").mkdir()
    return Run(tmp_path, make_seed, make_table)


def test_every_row_of_every_stage_is_there_with_its_text(run):
    rows = run.render()
    ends = {key: (row["stage"], row["reason"]) for key, row in rows.items()}
    assert ends == {
        run.trained["id"]: ("train", None),
        f"{run.trained['id']}-2": ("decontamination", "exact_duplicate"),
        run.held_out["id"]: ("test", None),
        run.contaminated["id"]: ("decontamination", "contaminated"),
        run.grown["id"]: ("synthesis", "same_meaning"),
        run.poor["id"]: ("synthesis", "bad_turn"),
        "bbbb": ("seeds", "url"),
        "dddd": ("seeds", "no_request"),
        run.numbers["id"]: ("decontamination", "digit_run"),
        "eeee": ("decontamination", "no_exchange"),
    }
    first = {key: row["conversation"][0]["input"] if row["conversation"] else None for key, row in rows.items()}
    assert first[run.held_out["id"]] == HOSTILE and first["bbbb"] == "Visit x.com"
    assert first[f"{run.trained['id']}-2"] == "Why do seasons change?"
    assert first[run.grown["id"]] == "Name a great river." and first[run.poor["id"]] == "Name a lake."
    assert first[run.numbers["id"]] == "Count." and first["dddd"] is first["eeee"] is None
    assert rows[run.grown["id"]]["seed"] == [{"input": "Name a river.", "output": "The Rhine."}]
    assert [(hit["start"], hit["end"]) for hit in rows[run.contaminated["id"]]["hits"]] == [(3, 30)]


def test_of_rejected_seeds_a_sample_is_shown_and_the_rest_is_counted(run, monkeypatch):
    monkeypatch.setattr(render_conversations, "SEEDS_OF_A_REASON", 1)
    run.reject("seeds", *((f"{number:04x}", "over_limit", {"limit": 1}) for number in range(5)), ("bbbb", "url", {}))
    rows = run.render()
    assert [key for key, row in rows.items() if row["stage"] == "seeds"] == ["0000", "bbbb"]
    assert '"left_out":[["seeds","over_limit",4]]' in run.page.read_text()


def test_a_lost_row_is_a_bug(run):
    run.reject("decontamination")
    with pytest.raises(ValueError, match=f"{run.contaminated['id']} is neither in the data set nor rejected"):
        run.render()


def test_the_same_run_makes_the_same_bytes(run):
    run.render("a")
    first = [path.read_bytes() for path in (run.page, *run.parts)]
    run.render("b")
    assert first == [path.read_bytes() for path in (run.page, *run.parts)]


def test_nothing_of_a_row_is_markup_in_the_page(run):
    run.render()
    page = run.page.read_text()
    assert "&lt;r&amp;d&gt;" in page and "<r&d>" not in page
    assert "taken" in page and "<img" not in page and "<i>" not in page and "\u2028" not in page
    assert len(re.findall(r"<script|</script", page)) == 2 * (1 + len(render_conversations.SCRIPTS))


def test_the_policy_allows_the_pages_own_scripts_alone(run):
    run.render()
    page = run.page.read_bytes()
    policy = re.search(rb'Content-Security-Policy" content="([^"]+)"', page)[1].decode()
    allowed = re.search(r"script-src ([^;]+);", policy)[1].split()
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts]
    assert allowed == [*(f"'sha256-{one}'" for one in hashes), "'strict-dynamic'"]
    assert policy.startswith("default-src 'none'") and "require-trusted-types-for 'script'" in policy
    assert not re.search(rb"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)


@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine")
class TestInABrowser:
    """The page opened from disk, as a double click does."""

    def opened(self, run, address):
        run.render()
        return browser.chromium("--virtual-time-budget=20000", "--dump-dom", f"{run.page.as_uri()}#{address}")

    def test_a_hostile_conversation_is_text(self, run):
        dom = self.opened(run, run.held_out["id"])
        article = dom[dom.index("<article") : dom.index("</article>")]
        assert "<title>&lt;r&amp;d&gt;: conversations</title>" in dom
        assert "&lt;script&gt;document.title='taken'&lt;/script&gt;" in article
        assert not re.search(r"<(script|img|i|b>bold|textarea)", article) and "{{ 7 * 7 }}${7*7}" in article
        assert '<span class="hidden" title="a character that cannot be seen">U+202E</span>gnp.exe' in article
        assert ">U+D800</span>" in article
        assert "x" * 100_000 in article and "&lt;i&gt;Dove&lt;/i&gt;" in article

    def test_a_search_over_all_texts_with_a_filter(self, run):
        dom = self.opened(run, "q=%22THE+STRATOsphere%22&stage=decontamination")
        assert (
            "1 of 10 rows match" in dom and '<span class="badge rejected">decontamination: contaminated</span>' in dom
        )
        assert "<mark>The stratosphere</mark>" in dom
        assert "0 of 10 rows match" in self.opened(run, "q=stratosphere&stage=train")
        assert "1 of 10 rows match" in self.opened(run, "q=%3Cimg+%24%7B7*7%7D+%22src%3Dx+onerror")
        assert "0 of 10 rows match" in self.opened(run, "q=(%5B%5C%2B")

    def test_the_place_of_a_benchmark_text_is_marked(self, run):
        dom = html.unescape(self.opened(run, run.contaminated["id"]))
        assert '😀 <span class="hit">Which layer holds the ozone</span>?' in dom
        assert "science 7" in dom and "question, turn 0, removed" in dom

    def test_a_seed_leads_to_what_was_made_of_it(self, run):
        seed = "5eed5eed5eed5eed"
        run.trained["provenance"]["seed"] = seed
        everything = sorted([run.trained, run.held_out, run.contaminated], key=lambda row: row["id"])
        write_jsonl(run.folder / "decontamination" / "assembled.jsonl", everything)
        assert "2 of 10 rows match" in self.opened(run, seed)  # the conversation, and the duplicate of it

    def test_what_experts_said(self, run):
        run.trained["provenance"]["verification"] = {
            "status": "corrected",
            "was": "0ld0",
            "answers": [
                {
                    "answer": 1,
                    "on": "seed",
                    "verdict": "minor_error",
                    "by": ["<i>r1</i>", "r2"],
                    "before": "The <b>sun</b> tilts.",
                }
            ],
            "cut": [{"input": "And <u>then</u>?", "output": "Winter."}],
        }
        everything = sorted([run.trained, run.held_out, run.contaminated], key=lambda row: row["id"])
        write_jsonl(run.folder / "decontamination" / "assembled.jsonl", everything)
        dom = self.opened(run, run.trained["id"])
        assert "Answer 1: minor error, by <bdi>&lt;i&gt;r1&lt;/i&gt;, r2</bdi>, judged on its seed." in dom
        assert "The &lt;b&gt;sun&lt;/b&gt; tilts." in dom and "And &lt;u&gt;then&lt;/u&gt;?" in dom

    def test_scripts_that_are_missing_are_told(self, run, monkeypatch):
        render = run.render
        monkeypatch.setattr(run, "render", lambda: (render(), [path.unlink() for path in run.parts]))
        assert "cannot be read. It belongs beside this page" in self.opened(run, run.trained["id"])
