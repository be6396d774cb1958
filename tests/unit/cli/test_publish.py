"""`capybara publish` to a Hub on loopback: the uploaded files, resumed uploads, messages."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.support.stand_in_hub import TOKEN, StandInHub
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.release.files import CRATE, SUMS, read_sums, sums

MODEL_CARD = """---
license: other
tags:
- capybara
---

# x

```python
name = "model"  # the folder of the release, or the repository's name on the hub
```

```bash
vllm serve model
```
"""
DATA_CARD = """---
license: mit
---

# x

```python
name = "data"  # the folder of the release, or the repository's name on the hub
```
"""


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "results" / "x" / "release"
    texts = {
        "README.md": MODEL_CARD,
        "data/README.md": DATA_CARD,
        "data/conversations/train.jsonl": "{}\n",
        "data/messages/train.parquet": "p" * 150_000,
        "model/config.json": "{}",
        "model/model.safetensors": "w" * 300_000,
        "model/adapter/adapter_model.safetensors": "a" * 200_000,
        CRATE: json.dumps(
            {"@graph": [{"@id": "./", "hasPart": [{"@id": "model/config.json"}, {"@id": "data/README.md"}]}]}
        ),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / SUMS).write_text(sums({name: file_sha256(folder / name) for name in texts}))
    return folder


@pytest.fixture
def hub():
    with StandInHub() as started:
        yield started


def publish(release, hub, *words, token=TOKEN, check=True):
    """The output of the command; its exit status must be 0, or not if `check` is false."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env |= {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(release.parent / "home")}
    env |= {"HF_TOKEN": token} if token else {}
    overlay = release.parents[2] / "x.yaml"
    overlay.write_text(f"run: x\nresults: {release.parents[1]}\n")
    command = [sys.executable, "-m", "workflow_scripts.cli.main", "publish", *words, "--configfile", str(overlay)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    printed = done.stdout + done.stderr
    assert (done.returncode == 0) == check, printed
    assert TOKEN not in printed and "Traceback" not in printed
    return printed


BOTH = ("--model-repo", "org/m", "--data-repo", "org/d")


def test_without_yes_nothing_is_sent(release, hub):
    printed = publish(release, hub, *BOTH, token=None)
    assert "model org/m (created as private if it does not exist): 6 files, 50" in printed
    assert "300.0 kB  model.safetensors" in printed and "Nothing was sent" in printed
    assert hub.requests == []


def test_every_byte_arrives(release, hub):
    printed = publish(release, hub, *BOTH, "--yes")
    model, data = hub.repos["models/org/m"], hub.repos["datasets/org/d"]
    assert set(model) == {".gitattributes", "README.md", SUMS, CRATE, "config.json", "model.safetensors", "adapter/adapter_model.safetensors"}  # fmt: skip
    assert model["model.safetensors"] == (release / "model/model.safetensors").read_bytes()
    assert data["messages/train.parquet"] == (release / "data/messages/train.parquet").read_bytes()
    assert hub.private == {"models/org/m": True, "datasets/org/d": True}
    assert f"{hub.url}/org/m/commit/" in printed
    known = read_sums(model[SUMS].decode())
    assert known["model.safetensors"] == file_sha256(release / "model/model.safetensors") and "README.md" not in known
    assert not any(TOKEN in path.read_text(errors="replace") for path in release.parent.rglob("*") if path.is_file())


def test_cards_and_record_name_the_repositories(release, hub):
    publish(release, hub, *BOTH, "--yes", "--public")
    model, data = hub.repos["models/org/m"], hub.repos["datasets/org/d"]
    assert b"vllm serve org/m\n" in model["README.md"]
    assert b'name = "org/m"' in model["README.md"] and b'name = "org/d"' in data["README.md"]
    assert yaml.safe_load(model["README.md"].decode().split("---")[1])["datasets"] == ["org/d"]
    (root,) = json.loads(model[CRATE])["@graph"]
    assert root["hasPart"][0] == {"@id": "config.json"} and root["datePublished"]
    assert root["hasPart"][1]["@id"].endswith("/datasets/org/d/resolve/main/README.md")
    assert hub.private["models/org/m"] is False


def test_a_repeated_upload_commits_nothing(release, hub):
    publish(release, hub, *BOTH, "--yes")
    uploads = len([line for line in hub.requests if line.startswith("PUT")])
    publish(release, hub, *BOTH, "--yes")
    assert hub.commits == 2 and len([line for line in hub.requests if line.startswith("PUT")]) == uploads == 3


def test_after_an_interrupted_upload_only_missing_files_are_sent(release, hub):
    digest = file_sha256(release / "model/model.safetensors")
    hub.faults = [(f"/lfs/{digest}", 403)]
    printed = publish(release, hub, "--model-repo", "org/m", "--yes", check=False)
    assert "error: model org/m" in printed and hub.commits == 0
    kept = set(hub.blobs)
    hub.requests.clear()
    publish(release, hub, "--model-repo", "org/m", "--yes")
    sent = {line.rsplit("/", 1)[1] for line in hub.requests if line.startswith("PUT")}
    assert digest in sent and not sent & kept
    assert hub.repos["models/org/m"]["model.safetensors"] == (release / "model/model.safetensors").read_bytes()


def test_a_lost_connection_is_one_line(release, hub):
    hub.faults = [("/api/repos/create", "cut")]
    printed = publish(release, hub, *BOTH, "--yes", check=False)
    assert printed.splitlines()[-1].startswith("error: dataset org/d: the connection to the Hub failed")


@pytest.mark.parametrize(
    ("place", "status", "words"),
    [
        ("/api/repos/create", 401, "the Hub rejected the token in HF_TOKEN (401)"),
        ("/api/repos/create", 403, "the token in HF_TOKEN has no write permission there (403)"),
        ("/api/repos/create", 404, "no such organisation or repository"),
        ("/api/repos/create", 429, "rate-limited by the Hub (429). Run the same command again in an hour"),
        ("/commit/main", 409, "changed by another user during the upload (409)"),
        ("/preupload/main", 400, "the Hub rejected the request (400)"),
        ("/api/validate-yaml", 400, "the Hub rejected the card"),
    ],
)
def test_an_error_of_the_hub_is_one_line(release, hub, place, status, words):
    hub.faults = [(place, status)]
    last = publish(release, hub, "--data-repo", "org/d", "--yes", check=False).splitlines()[-1]
    assert last.startswith("error: dataset org/d: ") and words in last


def test_a_wrong_token(release, hub):
    last = publish(release, hub, "--data-repo", "org/d", "--yes", token="hf_other", check=False).splitlines()[-1]
    assert "the Hub rejected the token" in last and "hf_other" not in last


def test_no_token(release, hub):
    last = publish(release, hub, "--data-repo", "org/d", "--yes", token=None, check=False).splitlines()[-1]
    assert last == "error: HF_TOKEN is not set. Export a token with write permission in this environment variable."
    assert hub.requests == []


def test_a_repository_with_other_contents_is_left_unchanged(release, hub):
    hub.repos["models/org/m"] = {"README.md": b"mine", "old.bin": b"x"}
    last = publish(release, hub, "--model-repo", "org/m", "--yes", check=False).splitlines()[-1]
    assert "exists with other contents (2 files)" in last
    assert hub.repos["models/org/m"] == {"README.md": b"mine", "old.bin": b"x"}
    publish(release, hub, "--model-repo", "org/m", "--yes", "--update")
    assert "old.bin" not in hub.repos["models/org/m"] and b"capybara" in hub.repos["models/org/m"]["README.md"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "error: no repository. Name one: --model-repo"),
        (("--model-repo", "m"), "error: m: not the name of a model repository. Write it as organisation/name."),
        (("--model-repo", "a/b c", "--yes"), "not a valid repository name"),
    ],
)
def test_names(release, hub, words, said):
    assert said in publish(release, hub, *words, check=False)


def test_a_changed_file_is_not_published(release, hub):
    (release / "model" / "config.json").write_text("{ }")
    assert "config.json was changed after the release was gathered" in publish(release, hub, *BOTH, check=False)
    (release / "model" / "config.json").unlink()
    assert f"missing file: {release / 'model' / 'config.json'}" in publish(release, hub, *BOTH, check=False)
    (release / SUMS).unlink()
    assert "has no SHA256SUMS. Run snakemake first." in publish(release, hub, *BOTH, check=False)
