"""Every registered source, read and cleaned by its entry, on rows written for this project in its published columns."""

import json
import re
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from workflow_scripts.common.licenses import forbids_commercial_use
from workflow_scripts.config import sources
from workflow_scripts.seeds.clean_source import faults
from workflow_scripts.seeds.fetch_source import POST
from workflow_scripts.seeds.fetch_source import main as fetch
from workflow_scripts.seeds.layouts import LAYOUTS, adapt

REGISTRY = sources.registry()
PUBLISHED = yaml.safe_load(Path("tests/unit/seeds/published_rows.yaml").read_text(encoding="utf-8"))
SCHEMA = yaml.safe_load(Path("rules/schemas/config.schema.yaml").read_text(encoding="utf-8"))
KEYS = SCHEMA["properties"]["seeds"]["properties"]["sources"]["items"]["properties"]
PRESET = yaml.safe_load(Path("presets/capybara-7b-v1.yaml").read_text(encoding="utf-8"))
each_entry = pytest.mark.parametrize(("name", "entry"), REGISTRY.items(), ids=list(REGISTRY))


@each_entry
def test_an_entry_is_complete(name, entry):
    assert re.fullmatch(SCHEMA["$defs"]["name"]["pattern"], name)
    assert set(entry) <= set(KEYS) - {"registered", "path", "id"}
    assert {"label", "license", "commercial_use", "layout", "citation"} <= set(entry)
    assert len([place for place in sources.PLACES if place in entry]) == 1
    assert entry["layout"] in LAYOUTS
    assert all(isinstance(entry[key], str) and entry[key] for key in ("label", "license", "citation"))
    assert ("post_chars" in entry) == (entry["layout"] == "post")
    assert not (entry.get("as_is") and entry["layout"] in ("post", "question"))  # these layouts have no answers


@each_entry
def test_an_entry_fits_the_schema_of_the_config(name, entry, config):
    from workflow_scripts.config.check import mistakes

    config["seeds"]["sources"] = [{"registered": name, "revision": "main"} if "hub" in entry else {"registered": name}]
    config["seeds"]["allow_licenses"] = [entry["license"]]
    config["evaluation"]["tasks"] = ["piqa"]
    assert mistakes(config) == []
    whole = {**entry, "id": name}
    if "hub" in entry:
        whole["hub"] = {key: value for key, value in entry["hub"].items() if value is not None}
    config["seeds"]["sources"] = [whole]
    if "hub" not in entry or entry["hub"]["revision"]:
        assert mistakes(config) == []
    else:
        assert [line.split(":")[0] for line in mistakes(config)] == [f"seeds.sources[0] ({name})"]


@each_entry
def test_commercial_use_agrees_with_the_licence(name, entry):
    if entry["license"] == "unstated":
        assert entry["commercial_use"] is None
    else:
        assert entry["commercial_use"] is not forbids_commercial_use(entry["license"])
        assert isinstance(entry["commercial_use"], bool)


@each_entry
def test_locations_are_pinned(name, entry):
    if "hub" in entry:
        assert re.fullmatch(r"[\w-]+/[\w.-]+", entry["hub"]["dataset"])
        assert entry["hub"]["revision"] is None or re.fullmatch("[0-9a-f]{40}", entry["hub"]["revision"])
    if "url" in entry:
        assert entry["url"].startswith("https://")
        assert re.search("/[0-9a-f]{40}/", urlsplit(entry["url"]).path)


def test_a_commit_belongs_to_one_repository():
    commits = [entry["hub"]["revision"] for entry in REGISTRY.values() if entry.get("hub", {}).get("revision")]
    assert len(commits) == len(set(commits))


def test_labels_are_those_of_the_released_file():
    labels = {entry["label"] for entry in REGISTRY.values()}
    assert set(PRESET["seeds"]["composition"]) <= labels
    assert labels >= {
        *("Airoboros", "Dove", "TaskSource", "Know-Logic", "GOAT", "EverythingLM", "GPT4LLM", "General-Instruct"),
        *("Less-Wrong", "SuperCOT", "TheoremQA", "Verified-Camel", "CamelAI", "Tigerbot"),
    }


def write(folder, kind, rows):
    """Write the rows as published; return the path."""
    path = folder / f"rows.{'parquet' if kind == 'posts' else kind}"
    match kind:
        case "json":
            path.write_text(json.dumps(rows), encoding="utf-8")
        case "jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        case "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for number, row in enumerate(rows):
                    archive.writestr(f"{number:03}.json", json.dumps(row))
        case "parquet" | "posts":
            pq.write_table(pa.Table.from_pylist(rows, POST if kind == "posts" else None), path)
    return path


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A function that fetches and adapts the rows of a registered source: resolved entry, seeds, rejected rows."""

    def adapted(name):
        folder = tmp_path_factory.mktemp(name)
        # A local file in place of the published one; all other keys are as registered.
        path = write(folder, PUBLISHED[name]["kind"], PUBLISHED[name]["rows"])
        source = sources.resolve({"registered": name, "path": str(path), "post_min_chars": 0}, REGISTRY)
        files = {key: folder / f"fetched.{key}" for key in ("state", "rows", "origin")}
        fetch(
            ["--settings", json.dumps(sources.subset(source, sources.FETCH))]
            + [part for key, file in files.items() for part in (f"--{key}", str(file))]
        )
        origin = json.loads(files["origin"].read_text())
        return source, *adapt(pq.read_table(files["rows"]), sources.subset(source, sources.ADAPT), origin)

    return adapted


def test_every_source_has_rows():
    assert list(PUBLISHED) == list(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_source_is_read_in_its_published_columns(name, read):
    source, seeds, rejected = read(name)
    rows, kind = PUBLISHED[name]["rows"], PUBLISHED[name]["kind"]
    file = source.get("hub", {}).get("file") or urlsplit(source.get("url", "")).path
    assert not file or Path(file).suffix == f".{kind}"
    assert dict(rejected) == PUBLISHED[name].get("rejected", {})
    good = [row for number, row in enumerate(rows) if number not in dict(rejected)]
    tasks = sources.POST_DEFAULTS["post_tasks"] if source["layout"] == "post" else [None]
    assert seeds["task"].to_pylist() == tasks * len(good)
    assert set(seeds["source"].to_pylist()) == {source["label"]}
    assert set(seeds["license"].to_pylist()) == {source["license"]}
    assert set(seeds["domain"].to_pylist()) == {source.get("domain")}
    for seed, row in zip(seeds.to_pylist(), (row for row in good for _ in tasks), strict=True):
        written, meta = json.dumps(row, ensure_ascii=False), json.loads(seed["meta"])
        held = (
            [meta["title"], meta["address"]]
            if source["layout"] == "post"
            else [seed[key] for key in ("instruction", "context", "response", "reference", "category")]
        )
        assert all(json.dumps(text, ensure_ascii=False)[1:-1] in written for text in held if text)
        assert meta.get("benchmark") == source.get("benchmark")
        assert (seed["conversation"] is not None) == bool(source.get("as_is") or source["layout"] == "conversation")
        assert not seed["context"] or seed["context"] not in ("<noinput>", seed["instruction"])


@pytest.mark.parametrize("name", REGISTRY)
def test_cleaning_keeps_the_good_row_of_a_source(name, read, config):
    source, seeds, _ = read(name)
    first = len(sources.POST_DEFAULTS["post_tasks"]) if source["layout"] == "post" else 1
    assert faults(seeds.slice(0, first), sources.cleaning(source, config["seeds"]["cleaning"])) == []


@pytest.mark.parametrize("name", ["goat", "tasksource"])
def test_some_sources_consist_of_short_answers(name, read, config):
    _, seeds, _ = read(name)
    settings = config["seeds"]["cleaning"] | {"short_answers": "reject"}
    assert {fault.rule for fault in faults(seeds, settings)} == {"short_answer"}


def test_the_choice_of_columns(read):
    """The columns of each entry that does not use the defaults of its layout."""
    assert read("goat")[1]["conversation"].to_pylist()[0] == [
        {"input": "What is 17 plus 25?", "output": "17 + 25 = 42"}
    ]
    assert read("tasksource")[1]["category"].to_pylist() == ["made-up/nli"]
    assert read("supercot")[1]["context"].to_pylist() == ["sort the list `a` in place", "18"]
    assert read("gpt4llm")[1]["context"].to_pylist() == ["", ""]
    assert read("airoboros")[1]["category"].to_pylist() == ["general", "riddle"]
    assert json.loads(read("camel_physics")[1]["meta"][0].as_py()) == {"topic": "Mechanics", "sub_topic": "Friction"}
    assert json.loads(read("lesswrong_hub")[1]["meta"][0].as_py()) == {
        "title": "On asking twice",
        "author": "Ann, Bo",
        "date": "2016-01-02T03:04:05Z",
        "address": "https://example.org/posts/made-up-3",
        "excerpt": False,
    }
