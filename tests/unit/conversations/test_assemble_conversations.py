"""Assembly of synthesised conversations, in-house conversations and included files."""

import json

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, file_sha256, read_json, read_jsonl, write_jsonl
from workflow_scripts.conversations.assemble_conversations import clean_and_split, main
from workflow_scripts.conversations.fetch_conversations import main as fetch

TALK = [{"input": "Why?", "output": "So."}]
SHAREGPT = {"conversations": [{"from": "human", "value": "How?"}, {"from": "gpt", "value": "Thus."}]}
MESSAGES = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "She."}]}


@pytest.fixture
def assemble(tmp_path):
    def run(synthesis=(), seeds=(), rules=(), threshold=0.8, **files):
        write_jsonl(tmp_path / "synthesis.jsonl", synthesis)
        write_jsonl(tmp_path / "seeds.jsonl", seeds)
        for name, rows in files.items():
            write_jsonl(tmp_path / f"{name}.jsonl", rows)
        include = [
            {"path": str(tmp_path / f"{name}.jsonl"), "label": name, "license": "MIT", "rules": list(rules)}
            for name in files
        ]
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
        main([*inputs, "--include", json.dumps(include), "--fetched", *map(str, fetched), "--max-chars", "null",
              "--jaccard-threshold", json.dumps(threshold), *out])  # fmt: skip
        stats = read_json(tmp_path / "stats")
        rows, rejected = (list(read_jsonl(tmp_path / name)) for name in ("data", "rejected"))
        assert stats["in"] == stats["out"] + sum(stats["rejected"].values())
        assert (stats["out"], sum(stats["rejected"].values())) == (len(rows), len(rejected))
        columns = ["id", "reason", "evidence", "source", "conversation", "provenance"]
        assert all(list(row) == columns for row in rejected)
        return rows, rejected

    return run


def synthesised(conversation=TALK):
    return {
        "id": content_id(conversation),
        "source": "Airoboros",
        "conversation": conversation,
        "provenance": {"seed": "s"},
    }


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
        "row": 1,
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
    rows, rejected = assemble([synthesised()], own=[{"conversation": TALK}, {"conversation": TALK}])
    assert rows == [synthesised()]
    kept = {"kept": content_id(TALK), "kept_source": "Airoboros", "kept_file": None, "kept_row": None}
    assert [row["reason"] for row in rejected] == ["exact_duplicate"] * 2
    assert [row["evidence"] for row in rejected] == [{"source": "own", **kept}] * 2
    assert [(row["source"], row["conversation"]) for row in rejected] == [("own", TALK)] * 2
    assert [row["provenance"]["row"] for row in rejected] == [1, 2]


def test_a_duplicate_names_the_file_and_row_that_it_duplicates(assemble, tmp_path):
    _, [rejected] = assemble(own=[SHAREGPT, {"conversation": TALK}], other=[{"conversation": TALK}])
    place = {"kept_source": "own", "kept_file": str(tmp_path / "own.jsonl"), "kept_row": 2}
    assert rejected["evidence"] == {"source": "other", "kept": content_id(TALK), **place}
    assert (rejected["provenance"]["dataset"], rejected["provenance"]["row"]) == (str(tmp_path / "other.jsonl"), 1)


def test_rejected_rows_are_written_also_if_all_rows_are_rejected(assemble):
    rows, rejected = assemble(shared=[{"conversations": None}, {"conversations": []}])
    assert rows == []
    assert [(row["reason"], row["evidence"]["row"]) for row in rejected] == [("no_exchange", 1), ("no_exchange", 2)]


def test_changes_to_a_published_conversation_are_recorded(assemble, tmp_path):
    thanks = {"conversations": [*SHAREGPT["conversations"], {"from": "human", "value": "Thanks"}]}
    rows, _ = assemble(shared=[thanks])
    assert rows[0]["conversation"] == [{"input": "How?", "output": "Thus."}]
    assert rows[0]["provenance"]["changes"] == "unanswered_request"
    assert read_json(tmp_path / "stats")["changes"] == {"unanswered_request": 1}


def test_a_row_that_is_no_conversation_is_rejected_with_its_row_number_and_text(assemble, tmp_path):
    half = {"conversations": SHAREGPT["conversations"][:1]}
    rows, rejected = assemble(shared=[SHAREGPT, half])
    assert [row["provenance"]["row"] for row in rows] == [1]
    evidence = {"file": str(tmp_path / "shared.jsonl"), "row": 2}
    assert [(row["reason"], row["evidence"]) for row in rejected] == [("no_exchange", evidence)]
    assert (rejected[0]["source"], rejected[0]["provenance"]["license"]) == ("shared", "MIT")
    assert rejected[0]["conversation"] == [{"input": "How?", "output": ""}]


def test_a_file_without_conversations_names_file_row_and_columns(assemble):
    with pytest.raises(UserError) as caught:
        assemble(plain=[{"text": "Why?"}])
    assert "plain.jsonl: no column conversation or conversations or messages; the columns are text." in str(
        caught.value
    )


def test_no_conversations(assemble):
    with pytest.raises(UserError, match=r"there are no conversations.*`seeds.sources`.*`conversations.include`"):
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
    parts, rejections, counts = clean_and_split(rows, max_chars=100)
    assert [(row["id"], row["reason"]) for row in rejections.rows] == [("a", "digit_run")]
    assert rejections.rows[0]["conversation"] == [turn, run]
    assert [(row["source"], len(row["conversation"]), row["provenance"].get("part")) for row in parts] == [
        ("B", 1, None), ("C", 2, 0), ("C", 1, 1),
    ]  # fmt: skip
    assert counts == {"shortened": 1, "split": 1, "parts": 2, "still_too_long": 0}


def test_an_included_conversation_ends_before_its_first_faulty_exchange(assemble):
    good, bad = "Its crystals interlock.", "As an AI language model, I cannot say."
    talk = [{"input": "Why?", "output": good}, {"input": "And then?", "output": bad}, {"input": "So?", "output": good}]
    lost = [{"input": "Why?", "output": bad}]
    rows, rejected = assemble(rules=["self_reference"], mine=[{"conversation": talk}, {"conversation": lost}])
    [row], [other] = rows, rejected
    assert row["conversation"] == talk[:1] and row["id"] == content_id(talk[:1])
    shortened = {"reason": "self_reference", "text": "As an AI language model, I", "exchanges": 3}
    assert row["provenance"]["shortened"] == shortened
    assert (other["reason"], other["conversation"]) == ("self_reference", lost)
    rows, rejected = assemble(rules=["url"], mine=[{"conversation": talk}, {"conversation": lost}])
    assert sorted(len(row["conversation"]) for row in rows) == [1, 3] and not rejected


def test_a_link_of_the_user_is_no_fault_later_in_the_conversation(assemble):
    talk = [
        {"input": "What is https://plumtree.info?", "output": "A site on plums."},
        {"input": "Is it safe?", "output": "Yes, https://plumtree.info is safe."},
    ]
    rows, rejected = assemble(rules=["url"], mine=[{"conversation": talk}], other=[{"conversation": talk[1:]}])
    assert (len(rows), [row["reason"] for row in rejected]) == (1, ["url"])


def test_near_duplicates_name_the_conversation_that_is_kept(assemble, tmp_path):
    answer = "The axis of the earth is tilted, so each half gets more light in its summer."
    better, worse = (
        [{"input": "Why do seasons change?", "output": answer + end}]
        for end in ("", " So each half gets more light in its summer.")
    )
    rows, [rejected] = assemble(own=[{"conversation": worse}, {"conversation": better}], threshold=0.7)
    assert [row["conversation"] for row in rows] == [better]
    place = {"kept_source": "own", "kept_file": str(tmp_path / "own.jsonl"), "kept_row": 2}
    jaccard = rejected["evidence"].pop("jaccard")
    assert (rejected["reason"], rejected["evidence"]) == (
        "near_duplicate",
        {"source": "own", "kept": rows[0]["id"], **place},
    )
    assert 0.7 <= jaccard < 1
    assert len(assemble(own=[{"conversation": worse}, {"conversation": better}], threshold=None)[0]) == 2
