"""A release as two repositories of the hub: what goes where, and the way there."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.common.types import Row
from workflow_scripts.release.files import CRATE, SUMS, read_sums, sums

# The folders of a release whose files stand at the top of each kind of repository.
TOPS = {"model": ("model/", "gguf/"), "dataset": ("data/",)}
CARDS = {"model": "README.md", "dataset": "data/README.md"}


@dataclass(frozen=True)
class Repository:
    """A repository to be: its kind (`model` or `dataset`), its name, and its files, as a path or as bytes."""

    kind: str
    name: str
    files: dict[str, Path | bytes]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            name: len(file) if isinstance(file, bytes) else file.stat().st_size
            for name, file in sorted(self.files.items())
        }


def check(release: Path) -> dict[str, str]:
    """{path: SHA-256} of a release's files. UserError if there is none, or if a file is not what its sum says."""
    if not (release / SUMS).is_file():
        raise UserError(f"{release}: no {SUMS}, so this is no finished release. Run snakemake first.")
    digests = read_sums((release / SUMS).read_text(encoding="utf-8"))
    for name, digest in digests.items():
        if not (release / name).is_file():
            raise UserError(f"{release / name} is missing. Run snakemake again.")
        if file_sha256(release / name) != digest:
            raise UserError(
                f"{release / name} is not the file that {SUMS} knows: it was changed after the release was gathered. Restore it, "
                "or delete it and run snakemake again."
            )
    return digests


def repositories(release: Path, digests: dict[str, str], names: dict[str, str], day: str) -> list[Repository]:
    """The repositories to publish, by {kind: name}. Cards, crate and sums are told where they stand; the rest is as it is."""
    places: dict[str, str] = {}
    for kind, name in names.items():
        for path in digests:
            if (inside := _inside(kind, path)) is not None:
                prefix = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{name}/resolve/main/"
                places[path] = prefix + inside
    made = []
    for kind, name in names.items():
        files: dict[str, Path | bytes] = {
            inside: release / path for path in digests if (inside := _inside(kind, path)) is not None
        }
        own = {path: inside for path in digests if (inside := _inside(kind, path)) is not None}
        files["README.md"] = _card(release / CARDS[kind], kind, names)
        files[CRATE] = _crate(json.loads((release / CRATE).read_text(encoding="utf-8")), places | own, day)
        known = {inside: digests[path] for path, inside in own.items() if inside != "README.md"}
        files[SUMS] = sums(known).encode()
        made.append(Repository(kind, name, files))
    return made


def _inside(kind: str, path: str) -> str | None:
    """Where a file of the release stands in a repository of a kind; None if it does not."""
    if path == CARDS[kind]:
        return "README.md"
    return next((path.removeprefix(top) for top in TOPS[kind] if path.startswith(top)), None)


def _card(path: Path, kind: str, names: dict[str, str]) -> bytes:
    """The card with the repository's name in its example, and of the model's with its data set's name in the metadata."""
    from huggingface_hub import RepoCard

    folder = "data" if kind == "dataset" else "model"
    text = path.read_text(encoding="utf-8")
    card = RepoCard(re.sub(f'^name = "{folder}"', f'name = "{names[kind]}"', text, flags=re.MULTILINE))
    if kind == "model" and "dataset" in names:
        card.data.datasets = [names["dataset"]]
    return str(card).encode()


def _crate(graph: Row, places: dict[str, str], day: str) -> bytes:
    """The provenance record with each file where it is now, and the day on which it was published."""

    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(each) for each in value]
        if isinstance(value, dict):
            return {key: places.get(each, each) if key == "@id" else moved(each) for key, each in value.items()}
        return value

    record = moved(graph)
    root = next(entity for entity in record["@graph"] if entity["@id"] == "./")
    root["datePublished"] = day
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def plan(repository: Repository, private: bool) -> list[str]:
    """What would be uploaded, as lines for a person."""
    sizes = repository.sizes()
    seen = "private" if private else "public"
    head = f"{repository.kind} {repository.name} (made {seen}, if it is not there): {len(sizes)} files, {_bytes(sum(sizes.values()))}"
    return [head, *(f"  {_bytes(size):>10}  {name}" for name, size in sizes.items())]


def _bytes(count: int) -> str:
    for unit, border in (("B", 10**3), ("kB", 10**6), ("MB", 10**9), ("GB", 10**12)):
        if count < border:
            return f"{count / (border / 1000):.{0 if unit == 'B' else 1}f} {unit}"
    return f"{count / 1e12:.1f} TB"


def upload(api: Any, repository: Repository, private: bool, update: bool) -> str:
    """Make the repository if it is not there, and commit all files at once; the commit's address.

    A commit is all or nothing, and what a broken upload has brought to the hub is not sent again. UserError if the
    repository holds something else than this release, unless `update` says to replace it.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    where = {"repo_id": repository.name, "repo_type": repository.kind}
    api.create_repo(**where, private=private, exist_ok=True)
    there = {file.rfilename: file.blob_id for file in api.repo_info(**where, files_metadata=True).siblings or []}
    others = sorted(name for name in there if name not in repository.files and name != ".gitattributes")
    if there.keys() - {".gitattributes"} and not update and there.get(SUMS) != _git_blob(repository.files[SUMS]):
        raise UserError(
            f"{repository.kind} {repository.name} exists and holds something else than this release ({len(there)} files). "
            "Name another repository, or give --update to replace what is in it."
        )
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=file) for name, file in sorted(repository.files.items())
    ]
    if update:
        operations += [CommitOperationDelete(path_in_repo=name) for name in others]
    done = api.create_commit(**where, operations=operations, commit_message="Release of the Capybara workflow")
    return str(done.commit_url)


def _git_blob(content: Path | bytes) -> str:
    """The name that git gives to a file's content."""
    from huggingface_hub.utils.sha import git_hash

    return git_hash(content if isinstance(content, bytes) else content.read_bytes())
