"""The provenance record of a release: an RO-Crate (w3id.org/ro/crate), written with the `rocrate` library.

The record does not depend on the time or the machine. The root entity has no `datePublished`; `capybara publish` adds it.
"""

import json
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Row

WORKFLOW = "https://huggingface.co/NousResearch/Nous-Capybara-7B-V1"
FORMATS = {
    ".json": "application/json", ".jsonl": "application/jsonl", ".md": "text/markdown", ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream", ".jinja": "text/plain", ".gguf": "application/octet-stream",
}  # fmt: skip


def crate(about: Row, files: list[Row], seeds: list[Row]) -> Row:
    """The JSON-LD of a release.

    Args:
        about: `run`, `base` and `teacher` ({model, revision}), `training` (the training settings), and `synthesised`
            (whether the teacher wrote any conversation).
        files: {path, sha256, bytes} of each file.
        seeds: {dataset, revision, license, source, conversations} of each dataset that rows come from.
    """
    record = ROCrate()
    root = record.root_dataset
    del root["datePublished"]
    record.name = f"capybara-{about['run']}"
    record.description = (
        "Conversations generated with Amplify-Instruct, an open reconstruction of the method behind Nous-Capybara"
        if about["synthesised"]
        else "Conversations searched for benchmark items"
    ) + "; a model fine-tuned on them; and measurements of both."
    root["license"] = (
        "Each file's card states its licence: README.md of the model, data/README.md of the conversations."
    )
    entities = {row["path"]: _file(record, row) for row in files}
    workflow = _context(record, "#workflow", "SoftwareApplication", name="Capybara workflow", about=WORKFLOW)
    roles = ["base", "teacher"] if about["synthesised"] else ["base"]
    base, *teacher = (
        _context(record, f"#{role}", "SoftwareApplication", name=about[role]["model"], version=about[role]["revision"])
        for role in roles
    )
    origins = [
        _context(
            record, f"#seeds-{number}", "CreativeWork", name=row["dataset"], version=row["revision"], license=row["license"],
            description=f"{counted(row['conversations'], 'conversation')} of the source {row['source']}",
        )
        for number, row in enumerate(seeds, 1)
    ]  # fmt: skip
    data = [entity for path, entity in entities.items() if path.startswith(("data/conversations/", "data/messages/"))]
    model = [entity for path, entity in entities.items() if path.startswith(("model/", "gguf/"))]
    settings = [
        _context(record, f"#training-{name}", "PropertyValue", name=name, value=_property_value(value))
        for name, value in sorted(about["training"].items())
    ]
    synthesis = _context(
        record, "#synthesis" if teacher else "#decontamination", "CreateAction", name=f"{'Synthesis and decontamination' if teacher else 'Decontamination'} of the conversations",
        instrument=[workflow, *teacher], object=origins, result=data,
    )  # fmt: skip
    training = _context(
        record,
        "#training",
        "CreateAction",
        name="Fine-tuning",
        instrument=workflow,
        object=[base, *data, *settings],
        result=model,
    )
    root["isBasedOn"] = [*origins, base]
    root["mentions"] = [synthesis, training]
    return record.metadata.generate()


def _file(record: ROCrate, row: Row) -> Any:
    suffix = "." + row["path"].rsplit(".", 1)[-1]
    properties = {"name": row["path"], "sha256": row["sha256"], "contentSize": str(row["bytes"])}
    if suffix in FORMATS:
        properties["encodingFormat"] = FORMATS[suffix]
    return record.add_file(dest_path=row["path"], properties=properties)


def _context(record: ROCrate, identifier: str, kind: str, **properties: Any) -> Any:
    entity = record.add(ContextEntity(record, identifier, properties={"@type": kind}))
    for key, value in properties.items():
        if value not in (None, []):
            entity[key] = value
    return entity


def _property_value(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)
