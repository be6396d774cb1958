"""FLASK labels of openings that a technique wrote, by the judge, where the seeds are labelled by the teacher.

A technique knows some labels of what it wrote. Where the classifier labels the seeds, `classify_openings` adds the rest.
"""

from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.seeds.labels.teacher import label
from workflow_scripts.synthesis.draft import LABELS, MAX_LABELLED_CHARS, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.teacher.errors import Refused
from workflow_scripts.teacher.structured import InvalidReply


async def label_by_teacher(draft: Draft, generator: Generator) -> None:
    """Fill unknown labels of a draft's opening. They stay unknown if no reply is valid, or a content filter refuses."""
    if all(getattr(draft, name) for name in LABELS):
        return
    sampling = generator.settings["sampling"]["judge"]
    try:
        labels = await label(generator.ask_judge, draft.question[:MAX_LABELLED_CHARS], load_grid(), sampling)
    except (InvalidReply, Refused):
        return
    for name in LABELS:
        setattr(draft, name, getattr(draft, name) or labels[name])
