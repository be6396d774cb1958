"""A release as two repositories on the Hub: which file goes where, and the upload."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import file_sha256
from workflow_scripts.common.types import Row
from workflow_scripts.release.files import CRATE, SUMS, read_sums, sums

# The folders of a release whose contents are the root of each kind of repository.
ROOTS = {"model": ("model/", "gguf/"), "dataset": ("data/",)}
CARDS = {"model": "README.md", "dataset": "data/README.md"}


@dataclass(frozen=True)
class Repository:
    """A repository to publish: its kind (`model` or `dataset`), its name, and its files as paths or bytes."""

    kind: str
    name: str
    files: dict[str, Path | bytes]

    def sizes(self) -> dict[str, int]:
        """Size of each file in bytes."""
        return {
            name: len(file) if isinstance(file, bytes) else file.stat().st_size
            for name, file in sorted(self.files.items())
        }


def check(release: Path) -> dict[str, str]:
    """{path: SHA-256} of a release's files.

    Raises UserError if the release is not finished, or a file is missing or does not match its checksum.
    """
    if not (release / SUMS).is_file():
        raise UserError(f"the release is not finished: {release} has no {SUMS}. Run snakemake first.")
    digests = read_sums((release / SUMS).read_text(encoding="utf-8"))
    for name, digest in digests.items():
        if not (release / name).is_file():
            raise UserError(f"missing file: {release / name}. Run snakemake again.")
        if file_sha256(release / name) != digest:
            raise UserError(
                f"checksum mismatch: {release / name} was changed after the release was gathered. Restore it, or delete it "
                "and run snakemake again."
            )
    return digests


def repositories(release: Path, digests: dict[str, str], names: dict[str, str], day: str) -> list[Repository]:
    """The repositories to publish, from `names` ({kind: repository name}) and the publication day (ISO date).

    Cards, provenance record and checksums are adapted to the repository; all other files are unchanged.
    """
    urls: dict[str, str] = {}
    for kind, name in names.items():
        for path in digests:
            if (inside := _inside(kind, path)) is not None:
                prefix = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{name}/resolve/main/"
                urls[path] = prefix + inside
    found = []
    for kind, name in names.items():
        files: dict[str, Path | bytes] = {
            inside: release / path for path in digests if (inside := _inside(kind, path)) is not None
        }
        own = {path: inside for path in digests if (inside := _inside(kind, path)) is not None}
        files["README.md"] = _card(release / CARDS[kind], kind, names)
        files[CRATE] = _crate(json.loads((release / CRATE).read_text(encoding="utf-8")), urls | own, day)
        unchanged = {inside: digests[path] for path, inside in own.items() if inside != "README.md"}
        files[SUMS] = sums(unchanged).encode()
        found.append(Repository(kind, name, files))
    return found


def _inside(kind: str, path: str) -> str | None:
    """Path of a release file in a repository of this kind; None if it is not part of it."""
    if path == CARDS[kind]:
        return "README.md"
    return next((path.removeprefix(top) for top in ROOTS[kind] if path.startswith(top)), None)


def _card(path: Path, kind: str, names: dict[str, str]) -> bytes:
    """The card with the repository's name in its example; a model card also names its dataset in the metadata."""
    from huggingface_hub import RepoCard

    folder = "data" if kind == "dataset" else "model"
    text = path.read_text(encoding="utf-8")
    # In the examples: `name = "model"` in Python, `vllm serve model` in a shell.
    named = re.sub(f'^(name = "|vllm serve ){folder}\\b', rf"\g<1>{names[kind]}", text, flags=re.MULTILINE)
    card = RepoCard(named)
    if kind == "model" and "dataset" in names:
        card.data["datasets"] = [names["dataset"]]
    return str(card).encode()


def _crate(graph: Row, urls: dict[str, str], day: str) -> bytes:
    """The provenance record with each file's new location and the publication date."""

    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(each) for each in value]
        if isinstance(value, dict):
            return {key: urls.get(each, each) if key == "@id" else moved(each) for key, each in value.items()}
        return value

    record = moved(graph)
    root = next(entity for entity in record["@graph"] if entity["@id"] == "./")
    root["datePublished"] = day
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def plan(repository: Repository, private: bool) -> list[str]:
    """The repository and the files to upload, as lines to print."""
    sizes = repository.sizes()
    visibility = "private" if private else "public"
    size = f"{counted(len(sizes), 'file')}, {_bytes(sum(sizes.values()))}"
    head = f"{repository.kind} {repository.name} (created as {visibility} if it does not exist): {size}"
    return [head, *(f"  {_bytes(size):>10}  {name}" for name, size in sizes.items())]


def _bytes(count: int) -> str:
    for unit, border in (("B", 10**3), ("kB", 10**6), ("MB", 10**9), ("GB", 10**12)):
        if count < border:
            return f"{count / (border / 1000):.{0 if unit == 'B' else 1}f} {unit}"
    return f"{count / 1e12:.1f} TB"


def upload(api: Any, repository: Repository, private: bool, update: bool) -> str:
    """Create the repository if it does not exist and upload all files in one commit. Returns the commit's URL.

    A commit is atomic, and files that an interrupted upload has transferred are not sent again. Raises UserError if the
    repository contains anything but this release and `update` is not set.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    where = {"repo_id": repository.name, "repo_type": repository.kind}
    api.create_repo(**where, private=private, exist_ok=True)
    existing = {file.rfilename: file.blob_id for file in api.repo_info(**where, files_metadata=True).siblings or []}
    others = sorted(name for name in existing if name not in repository.files and name != ".gitattributes")
    if existing.keys() - {".gitattributes"} and not update and existing.get(SUMS) != _git_blob(repository.files[SUMS]):
        raise UserError(
            f"{repository.kind} {repository.name} exists with other contents ({counted(len(existing), 'file')}). "
            "Name another repository, or use --update to replace its contents."
        )
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=file) for name, file in sorted(repository.files.items())
    ]
    if update:
        operations += [CommitOperationDelete(path_in_repo=name) for name in others]
    commit = api.create_commit(**where, operations=operations, commit_message="Release of the Capybara workflow")
    return str(commit.commit_url)


def _git_blob(content: Path | bytes) -> str:
    """The git blob hash of a file's content."""
    from huggingface_hub.utils.sha import git_hash

    return git_hash(content if isinstance(content, bytes) else content.read_bytes())
