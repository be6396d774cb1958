"""The provenance record of a release: an RO-Crate (w3id.org/ro/crate), by its library.

Nothing in it depends on when or where it is made: the root has no `datePublished`, for a folder is not published yet;
`publish` adds it.
"""

import json
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from workflow_scripts.common.types import Row

WORKFLOW = "https://huggingface.co/NousResearch/Nous-Capybara-7B-V1"
FORMATS = {
    ".json": "application/json", ".jsonl": "application/jsonl", ".md": "text/markdown", ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream", ".jinja": "text/plain", ".gguf": "application/octet-stream",
}  # fmt: skip


def crate(about: Row, files: list[Row], seeds: list[Row]) -> Row:
    """The JSON-LD of a release.

    `about`: run, base, teacher ({model, revision}), settings of the training. `files`: {path, sha256, bytes}. `seeds`:
    {dataset, revision, license, source, conversations}, one for each data set that rows come from.
    """
    made = ROCrate()
    root = made.root_dataset
    del root["datePublished"]
    made.name = f"capybara-{about['run']}"
    made.description = (
        "Conversations made with Amplify-Instruct, an open reconstruction of the method behind Nous-Capybara, a model "
        "fine-tuned on them, and what was measured of both."
    )
    root["license"] = (
        "Each file's card states its licence: README.md of the model, data/README.md of the conversations."
    )
    entities = {row["path"]: _file(made, row) for row in files}
    workflow = _context(made, "#workflow", "SoftwareApplication", name="Capybara workflow", about=WORKFLOW)
    base, teacher = (
        _context(made, f"#{role}", "SoftwareApplication", name=about[role]["model"], version=about[role]["revision"])
        for role in ("base", "teacher")
    )
    origins = [
        _context(
            made, f"#seeds-{number}", "CreativeWork", name=row["dataset"], version=row["revision"], license=row["license"],
            description=f"{row['conversations']} conversations of the source {row['source']}",
        )
        for number, row in enumerate(seeds, 1)
    ]  # fmt: skip
    data = [entity for path, entity in entities.items() if path.startswith(("data/conversations/", "data/messages/"))]
    model = [entity for path, entity in entities.items() if path.startswith(("model/", "gguf/"))]
    settings = [
        _context(made, f"#training-{name}", "PropertyValue", name=name, value=_shown(value))
        for name, value in sorted(about["training"].items())
    ]
    synthesis = _context(
        made, "#synthesis", "CreateAction", name="Synthesis and decontamination of the conversations",
        instrument=[workflow, teacher], object=origins, result=data,
    )  # fmt: skip
    training = _context(
        made,
        "#training",
        "CreateAction",
        name="Fine-tuning",
        instrument=workflow,
        object=[base, *data, *settings],
        result=model,
    )
    root["isBasedOn"] = [*origins, base]
    root["mentions"] = [synthesis, training]
    return made.metadata.generate()


def _file(made: ROCrate, row: Row) -> Any:
    suffix = "." + row["path"].rsplit(".", 1)[-1]
    properties = {"name": row["path"], "sha256": row["sha256"], "contentSize": str(row["bytes"])}
    if suffix in FORMATS:
        properties["encodingFormat"] = FORMATS[suffix]
    return made.add_file(dest_path=row["path"], properties=properties)


def _context(made: ROCrate, identifier: str, kind: str, **properties: Any) -> Any:
    entity = made.add(ContextEntity(made, identifier, properties={"@type": kind}))
    for key, value in properties.items():
        if value not in (None, []):
            entity[key] = value
    return entity


def _shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)
