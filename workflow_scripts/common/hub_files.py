"""Files of Hub datasets at a pinned revision, downloaded as published.

`datasets` finds the files of a split. It is not asked for their rows, because it infers types, dates and nulls.
"""

from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.text_files import KINDS, format_suffix

# Settings of a builder that change how a file is read, with the value of a file that is read as it is.
PLAIN = {
    "field": None,
    "sep": ",",
    "delimiter": None,
    "names": None,
    "header": "infer",
    "skiprows": None,
    "quotechar": '"',
}
CSV_AS_TEXT = {"dtype": str, "keep_default_na": False}


def hub_file(dataset: str, revision: str, file: str) -> tuple[Path, dict[str, str]]:
    """One file of a Hub dataset, and {dataset, revision} with the commit that the Hub resolved."""
    from huggingface_hub import HfApi, hf_hub_download

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha or revision
        path = hf_hub_download(dataset, file, repo_type="dataset", revision=commit)
    except Exception as error:  # Hub, network and access rights raise many classes of errors
        raise _not_loaded(f"file {file} of dataset {dataset} (revision {revision})", error) from error
    return Path(path), {"dataset": dataset, "revision": commit}


def hub_dataset(
    dataset: str, revision: str, name: str | None, split: str, folder: Path
) -> tuple[list[Path], dict[str, str]]:
    """The files of a split of a Hub dataset, and {dataset, revision} with the commit that the Hub resolved.

    If the files are of another kind than `text_files.KINDS`, `datasets` writes their rows to `folder` as parquet.
    """
    import datasets
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha or revision
        builder = datasets.load_dataset_builder(dataset, name, revision=commit)
        files = _split_files(builder.config, split, dataset, commit)
        if files is None:
            options: dict[str, Any] = CSV_AS_TEXT if hasattr(builder.config, "keep_default_na") else {}
            files = [folder / "rows.parquet"]
            datasets.load_dataset(dataset, name, split=split, revision=commit, **options).to_parquet(files[0])
    except Exception as error:  # Hub, network and loader raise many classes of errors
        raise _not_loaded(f"dataset {dataset} (config {name}, split {split}, revision {revision})", error) from error
    return files, {"dataset": dataset, "revision": commit}


def _split_files(config: Any, split: str, dataset: str, commit: str) -> list[Path] | None:
    """The files of a split, downloaded, if all are of one kind that is read here with plain settings; None otherwise."""
    from huggingface_hub import hf_hub_download

    start = f"hf://datasets/{dataset}@{commit}/"
    names = [str(name) for name in (config.data_files or {}).get(split, [])]
    kinds = {format_suffix(Path(name)) for name in names}
    plain = all(getattr(config, key, value) == value for key, value in PLAIN.items())
    if len(kinds) != 1 or not kinds <= set(KINDS) or not plain or not all(name.startswith(start) for name in names):
        return None
    return [
        Path(hf_hub_download(dataset, name.removeprefix(start), repo_type="dataset", revision=commit)) for name in names
    ]


def _not_loaded(what: str, error: Exception) -> UserError:
    return UserError(
        f"{what} cannot be loaded: {' '.join(str(error).split())[:400]}. "
        "Check the names, the network, HF_ENDPOINT, and HF_TOKEN for a gated dataset."
    )
