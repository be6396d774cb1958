"""What synthesis made, in-house conversations and files to include, brought together."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, file_sha256, read_json, read_jsonl, write_jsonl
from workflow_scripts.conversations.assemble_conversations import main, tidied
from workflow_scripts.conversations.fetch_conversations import main as fetch

TALK = [{"input": "Why?", "output": "So."}]
SHAREGPT = {"conversations": [{"from": "human", "value": "How?"}, {"from": "gpt", "value": "Thus."}]}
MESSAGES = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "She."}]}


@pytest.fixture
def assemble(tmp_path):
    def run(synthesis=(), seeds=(), **files):
        write_jsonl(tmp_path / "synthesis.jsonl", synthesis)
        write_jsonl(tmp_path / "seeds.jsonl", seeds)
        for name, rows in files.items():
            write_jsonl(tmp_path / f"{name}.jsonl", rows)
        include = [{"path": str(tmp_path / f"{name}.jsonl"), "label": name, "license": "MIT"} for name in files]
        fetched = [tmp_path / "fetched" / f"{number}.parquet" for number in range(len(include))]
        for entry, path in zip(include, fetched, strict=True):
            fetch(
                [
                    "--number",
                    "0",
                    "--settings",
                    json.dumps(entry),
                    "--rows",
                    str(path),
                    "--origin",
                    str(path.with_suffix(".json")),
                ]
            )
        inputs = [part for name in ("synthesis", "seeds") for part in (f"--{name}", str(tmp_path / f"{name}.jsonl"))]
        out = [part for name in ("data", "rejected", "stats") for part in (f"--{name}", str(tmp_path / name))]
        main([*inputs, "--include", json.dumps(include), "--fetched", *map(str, fetched), "--max-chars", "null", *out])
        stats = read_json(tmp_path / "stats")
        rows, rejected = (list(read_jsonl(tmp_path / name)) for name in ("data", "rejected"))
        assert stats["in"] == stats["out"] + sum(stats["rejected"].values())
        assert (stats["out"], sum(stats["rejected"].values())) == (len(rows), len(rejected))
        return rows, rejected

    return run


def made(conversation=TALK):
    return {"id": content_id(conversation), "source": "Made", "conversation": conversation, "provenance": {"seed": "s"}}


def test_files_in_the_three_layouts_enter(assemble, tmp_path):
    rows, _ = assemble(own=[{"source": "Dove", "conversation": TALK}], shared=[SHAREGPT], trl=[MESSAGES])
    found = {row["source"]: row for row in rows}
    assert set(found) == {"Dove", "shared", "trl"}
    assert found["Dove"]["conversation"] == TALK
    assert found["shared"]["conversation"] == [{"input": "How?", "output": "Thus."}]
    assert found["shared"]["id"] == content_id(found["shared"]["conversation"])
    assert found["trl"]["provenance"] == {
        "dataset": str(tmp_path / "trl.jsonl"),
        "revision": f"sha256:{file_sha256(tmp_path / 'trl.jsonl')}",
        "license": "MIT",
        "kind": "conversation",
        "domain": None,
        "seed": None,
        "techniques": [],
    }


def test_conversation_seeds_enter_as_they_are_and_others_do_not(assemble, make_seed):
    dialogue = make_seed(kind="conversation", meta={"conversation": TALK})
    rows, _ = assemble(seeds=[dialogue, make_seed(response="So.")])
    assert [row["conversation"] for row in rows] == [TALK]
    provenance = rows[0]["provenance"]
    assert (provenance["seed"], provenance["license"], provenance["techniques"]) == (dialogue["id"], "MIT", [])


def test_the_same_conversation_enters_once(assemble):
    rows, rejected = assemble([made()], own=[{"conversation": TALK}, {"conversation": TALK}])
    assert rows == [made()]
    assert [(row["reason"], row["evidence"]["kept"]) for row in rejected] == [("exact_duplicate", "Made")] * 2


def test_a_row_that_is_no_conversation_is_rejected_with_its_place(assemble, tmp_path):
    half = {"conversations": SHAREGPT["conversations"][:1]}
    rows, rejected = assemble(shared=[SHAREGPT, half])
    assert len(rows) == 1
    evidence = {"file": str(tmp_path / "shared.jsonl"), "row": 2}
    assert [(row["reason"], row["evidence"]) for row in rejected] == [
        ("does_not_end_with_an_assistant_message", evidence)
    ]


def test_a_file_without_conversations_names_file_row_and_columns(assemble):
    with pytest.raises(UserError) as caught:
        assemble(plain=[{"text": "Why?"}])
    assert "plain.jsonl, row 1: no column conversation, conversations or messages; there are text." in str(caught.value)


def test_nothing_to_work_on(assemble):
    with pytest.raises(UserError, match=r"there is no conversation.*`seeds.sources`.*`conversations.include`"):
        assemble()


def test_an_amplified_conversation_that_is_cut_to_one_exchange_is_rejected_and_others_are_counted():
    turn, run = (
        {"input": "Why is granite hard?", "output": "Its crystals interlock."},
        {"input": "And?", "output": "111111111"},
    )
    rows = [
        {"id": "a", "source": "A", "conversation": [turn, run], "provenance": {"techniques": ["amplify"]}},
        {"id": "b", "source": "B", "conversation": [turn, run], "provenance": {"techniques": []}},
        {"id": "c", "source": "C", "conversation": [turn, turn, turn], "provenance": {"techniques": ["amplify"]}},
    ]
    whole, rejections, counts = tidied(rows, max_chars=100)
    assert [row["reason"] for row in rejections.rows] == ["digit_run"]
    assert [(row["source"], len(row["conversation"]), row["provenance"].get("part")) for row in whole] == [
        ("B", 1, None), ("C", 2, 0), ("C", 1, 1),
    ]  # fmt: skip
    assert counts == {"shortened": 1, "split": 1, "parts": 2, "still_too_long": 0}
