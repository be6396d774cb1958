"""The licence of a set whose rows have several: computed, never guessed."""

from collections.abc import Mapping

from workflow_scripts.common.licenses import forbids_commercial_use
from workflow_scripts.common.types import Row

# SPDX names, in lower case, that the hub knows as licences by themselves (hub-docs, repositories-licenses).
KNOWN = {
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc-by-nd-4.0", "odc-by",
    "pddl", "odbl", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0",
}  # fmt: skip


def card_license(parts: Mapping[str, int]) -> Row:
    """What a card's metadata says of a set with so many rows under each licence: `license`, and where it is `other` also
    `license_name`.

    One licence for all rows is the set's. Several are `other`, for nobody but a lawyer can say what their sum is; a
    licence that the hub has no name for, or none stated, is no guess either.
    """
    names = sorted(parts)
    if len(names) == 1 and names[0].casefold() in KNOWN:
        return {"license": names[0].casefold()}
    if names == ["unstated"]:
        return {"license": "unknown"}
    return {"license": "other", "license_name": "by-row" if len(names) > 1 else "as-stated"}


def restrictions(parts: Mapping[str, int]) -> list[str]:
    """What the licences of some rows ask of the whole, as sentences."""
    said = []
    if rows := sum(count for name, count in parts.items() if forbids_commercial_use(name)):
        said.append(f"{rows} rows may not be used commercially, so the set as a whole may not either.")
    if rows := sum(count for name, count in parts.items() if "SA" in name.upper().split("-")):
        said.append(f"{rows} rows are under a share-alike licence.")
    if rows := parts.get("unstated", 0):
        said.append(f"{rows} rows come from sources that state no licence.")
    return said
