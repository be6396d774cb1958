"""The conversation browser: it contains every row of every stage with its text, which is displayed as text only."""

import base64
import hashlib
import html
import re

import pandas as pd
import pytest

from tests.support import browser
from tests.unit.report.test_embedded_data import unpacked
from workflow_scripts.common.conversations import seed_as_conversation
from workflow_scripts.common.rows import content_id, write_jsonl
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.report import render_conversations
from workflow_scripts.report.embedded_data import PART_NAMES

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

    def __init__(self, folder, make_seed):
        self.folder = folder
        self.trained = talk("Why do seasons change?", "The axis is tilted.", seed="aaaa", techniques=["amplify"])
        self.held_out = talk(HOSTILE, HOSTILE + "x" * 100_000, source="<i>Dove</i>")
        self.contaminated = talk("😀 Which layer holds the ozone?", "The stratosphere.")
        self.river = make_seed("Name a river.", response="The Rhine.")
        self.lake = make_seed("Name a lake.", response="Lake Constance.")
        self.similar = talk("Name a great river.", "The Rhine.", seed=self.river["id"])
        self.numbers = talk("Count.", "1 2 3 4 5 6 7 8 9", seed="ffff")
        self.duplicate = talk("Why do seasons change?", "The axis is tilted.", seed="aaaa", source="Puffin")
        self.visit = {**make_seed("Visit x.com", response="No."), "id": "bbbb"}
        write_jsonl(folder / "seeds" / "data.jsonl", sorted([self.river, self.lake], key=lambda seed: seed["id"]))
        self.write_conversations()
        self.hit = {
            "id": self.contaminated["id"], "source": "Dove", "turn": 0, "role": "user", "start": 2, "end_turn": 0, "end": 29,
            "benchmark": "science", "item": "7", "tier": "A", "field": "question", "removes": True, "distance": 0, "length": 27,
            "similarity": 1.0, "level": 100, "allowed": None, "counts": True, "item_text": "Which layer holds the ozone",
        }  # fmt: skip
        write_jsonl(folder / "decontamination" / "hits.jsonl", [self.hit])
        self.reject(
            "seeds",
            (seed_as_conversation(self.visit), "url", {"text": "x.com"}),
            (self.without_text("dddd"), "no_request", {"row": 7}),
        )
        self.reject(
            "synthesis",
            (self.similar, "same_meaning", {"kept": "aaaa"}),
            (seed_as_conversation(self.lake), "bad_turn", {"fault": "answer:url"}),
        )
        self.reject(
            "conversations",
            (self.duplicate, "exact_duplicate", {"kept": "Dove"}),
            (self.numbers, "digit_run", {"text": "1 2 3"}),
            (self.without_text("eeee"), "no_exchange", {"file": "x.jsonl", "row": 1}),
        )
        self.reject("decontamination", (self.contaminated, "contaminated", {"hits": []}))
        self.reject("dataset")
        (folder / "dataset").mkdir(exist_ok=True)
        for name, row in (("train", self.trained), ("test", self.held_out)):
            pd.DataFrame({"id": [row["id"]]}).to_parquet(folder / "dataset" / f"{name}.parquet")

    @staticmethod
    def without_text(row_id):
        return {"id": row_id, "source": "Dove", "conversation": [], "provenance": {}}

    def write_conversations(self):
        rows = sorted([self.trained, self.held_out, self.contaminated], key=lambda row: row["id"])
        write_jsonl(self.folder / "conversations" / "data.jsonl", rows)

    def reject(self, stage, *rows):
        write_jsonl(self.folder / stage / "rejected.jsonl", (rejected_row(*row) for row in rows))

    def render(self, name="report", searched=1):
        self.page = self.folder / name / "conversations.html"
        self.parts = [self.folder / name / "conversations" / f"{part}.js" for part in PART_NAMES]
        words = [
            "--run", "<r&d>", "--conversations", self.folder / "conversations" / "data.jsonl",
            "--hits", self.folder / "decontamination" / "hits.jsonl", "--searched", searched,
            "--train", self.folder / "dataset" / "train.parquet", "--test", self.folder / "dataset" / "test.parquet",
            "--rejected", *(self.folder / stage / "rejected.jsonl" for stage in ("seeds", "synthesis", "conversations", "decontamination", "dataset")),
            "--seeds", self.folder / "seeds" / "data.jsonl", "--page", self.page, "--parts", *self.parts,
        ]  # fmt: skip
        render_conversations.main(list(map(str, words)))
        return {row["key"]: row for part in self.parts for block in unpacked(part)[1] for row in block}


@pytest.fixture
def run(tmp_path, make_seed):
    return Run(tmp_path, make_seed)


def test_every_row_of_every_stage_is_displayed_with_its_text(run):
    rows = run.render()
    ends = {key: (row["stage"], row["reason"]) for key, row in rows.items()}
    assert ends == {
        run.trained["id"]: ("train", None),
        f"{run.trained['id']}-2": ("conversations", "exact_duplicate"),
        run.held_out["id"]: ("test", None),
        run.contaminated["id"]: ("decontamination", "contaminated"),
        run.similar["id"]: ("synthesis", "same_meaning"),
        run.lake["id"]: ("synthesis", "bad_turn"),
        "bbbb": ("seeds", "url"),
        "dddd": ("seeds", "no_request"),
        run.numbers["id"]: ("conversations", "digit_run"),
        "eeee": ("conversations", "no_exchange"),
    }
    first = {key: row["conversation"][0]["input"] if row["conversation"] else None for key, row in rows.items()}
    assert first[run.held_out["id"]] == HOSTILE and first["bbbb"] == "Visit x.com"
    assert first[f"{run.trained['id']}-2"] == "Why do seasons change?"
    assert rows[f"{run.trained['id']}-2"]["source"] == "Puffin"
    assert first[run.similar["id"]] == "Name a great river." and first[run.lake["id"]] == "Name a lake."
    assert first[run.numbers["id"]] == "Count." and first["dddd"] is first["eeee"] is None
    assert rows[run.similar["id"]]["seed"] == [{"input": "Name a river.", "output": "The Rhine."}]
    assert [(hit["start"], hit["end"]) for hit in rows[run.contaminated["id"]]["hits"]] == [(3, 30)]


def test_rows_that_were_not_searched_are_marked(run):
    """The seed of a bad turn was searched, but not the text that the synthesis rejected."""
    rows = run.render()
    assert {key for key, row in rows.items() if row["searched"]} == {
        row["id"] for row in (run.trained, run.held_out, run.contaminated)
    }
    assert not any(row["searched"] for row in run.render("unsearched", searched=0).values())


def test_a_sample_of_rejected_seeds_is_displayed_and_the_others_are_counted(run, monkeypatch):
    monkeypatch.setattr(render_conversations, "MAX_SEEDS_PER_REASON", 1)
    over_limit = ((run.without_text(f"{number:04x}"), "over_limit", {"limit": 1}) for number in range(5))
    run.reject("seeds", *over_limit, (seed_as_conversation(run.visit), "url", {}))
    rows = run.render()
    assert [key for key, row in rows.items() if row["stage"] == "seeds"] == ["0000", "bbbb"]
    assert '"left_out":[["seeds","over_limit",4]]' in run.page.read_text()


def test_a_lost_row_is_an_error(run):
    run.reject("decontamination")
    with pytest.raises(ValueError, match=f"{run.contaminated['id']} is neither in the dataset nor rejected"):
        run.render()


def test_the_output_is_deterministic(run):
    run.render("a")
    first = [path.read_bytes() for path in (run.page, *run.parts)]
    run.render("b")
    assert first == [path.read_bytes() for path in (run.page, *run.parts)]


def test_no_text_of_a_row_is_markup_in_the_page(run):
    run.render()
    page = run.page.read_text()
    assert "&lt;r&amp;d&gt;" in page and "<r&d>" not in page
    assert "taken" in page and "<img" not in page and "<i>" not in page and "\u2028" not in page
    assert len(re.findall(r"<script|</script", page)) == 2 * (1 + len(render_conversations.SCRIPTS))


def test_the_policy_allows_only_the_scripts_of_the_page(run):
    run.render()
    page = run.page.read_bytes()
    policy = re.search(rb'Content-Security-Policy" content="([^"]+)"', page)[1].decode()
    allowed = re.search(r"script-src ([^;]+);", policy)[1].split()
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts]
    assert allowed == [*(f"'sha256-{one}'" for one in hashes), "'strict-dynamic'"]
    assert policy.startswith("default-src 'none'") and "require-trusted-types-for 'script'" in policy
    assert not re.search(rb"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)


@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
class TestInABrowser:
    """The page opened from disk, as by a double click."""

    def opened(self, run, address):
        run.render()
        return browser.chromium("--virtual-time-budget=20000", "--dump-dom", f"{run.page.as_uri()}#{address}")

    def test_a_hostile_conversation_is_displayed_as_text(self, run):
        dom = self.opened(run, run.held_out["id"])
        article = dom[dom.index("<article") : dom.index("</article>")]
        assert "<title>&lt;r&amp;d&gt;: conversations</title>" in dom
        assert "&lt;script&gt;document.title='taken'&lt;/script&gt;" in article
        assert not re.search(r"<(script|img|i|b>bold|textarea)", article) and "{{ 7 * 7 }}${7*7}" in article
        assert '<span class="hidden" title="invisible character">U+202E</span>gnp.exe' in article
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

    def test_a_benchmark_text_is_marked(self, run):
        dom = html.unescape(self.opened(run, run.contaminated["id"]))
        assert '😀 <span class="hit">Which layer holds the ozone</span>?' in dom
        assert "science 7" in dom and "question, turn 0, removed" in dom

    def test_no_search_and_no_hit_differ(self, run):
        rejected, trained = (self.opened(run, row["id"]) for row in (run.similar, run.trained))
        assert ">not searched</span>" in rejected and ">none found</span>" in trained

    def test_the_id_of_a_seed_finds_its_conversations(self, run):
        seed = "5eed5eed5eed5eed"
        run.trained["provenance"]["seed"] = run.duplicate["provenance"]["seed"] = seed
        run.write_conversations()
        run.reject("conversations", (run.duplicate, "exact_duplicate", {"kept": "Dove"}))
        assert "2 of 8 rows match" in self.opened(run, seed)

    def test_expert_verdicts_are_displayed(self, run):
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
        run.write_conversations()
        dom = self.opened(run, run.trained["id"])
        assert "Answer 1: minor error, by <bdi>&lt;i&gt;r1&lt;/i&gt;, r2</bdi>, judged on its seed." in dom
        assert "The &lt;b&gt;sun&lt;/b&gt; tilts." in dom and "And &lt;u&gt;then&lt;/u&gt;?" in dom

    def test_missing_scripts_are_reported(self, run, monkeypatch):
        render = run.render
        monkeypatch.setattr(run, "render", lambda: (render(), [path.unlink() for path in run.parts]))
        assert "cannot be read. Copy the folder of scripts together with this page" in self.opened(
            run, run.trained["id"]
        )
