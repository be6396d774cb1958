"""The licence of a dataset, computed from the licences of its rows."""

from collections.abc import Mapping

from workflow_scripts.common.licenses import forbids_commercial_use
from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Row

# SPDX identifiers, in lower case, that the Hub accepts as `license` (hub-docs, repositories-licenses).
HUB_LICENSES = {
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc-by-nd-4.0", "odc-by",
    "pddl", "odbl", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0",
}  # fmt: skip


def card_license(parts: Mapping[str, int]) -> Row:
    """The `license` metadata of a card, with `license_name` if it is `other`; `parts` is {licence: rows}.

    A single licence that the Hub knows is returned. Several licences are `other` (`by-row`), because the licence of
    their combination is a legal question. One licence without a name on the Hub is `other` (`as-stated`); if no row
    states a licence, the result is `unknown`.
    """
    names = sorted(parts)
    if len(names) == 1 and names[0].casefold() in HUB_LICENSES:
        return {"license": names[0].casefold()}
    if names == ["unstated"]:
        return {"license": "unknown"}
    return {"license": "other", "license_name": "by-row" if len(names) > 1 else "as-stated"}


def restrictions(parts: Mapping[str, int]) -> list[str]:
    """The restrictions that the licences of some rows impose on the whole dataset, one sentence each."""
    sentences = []
    if rows := sum(count for name, count in parts.items() if forbids_commercial_use(name)):
        sentences.append(f"{counted(rows, 'row')} may not be used commercially, so the whole dataset may not either.")
    if rows := sum(count for name, count in parts.items() if "SA" in name.upper().split("-")):
        sentences.append(f"{counted(rows, 'row')} {'is' if rows == 1 else 'are'} under a share-alike licence.")
    if rows := parts.get("unstated", 0):
        sentences.append(
            f"{counted(rows, 'row')} {'comes' if rows == 1 else 'come'} from sources that state no licence."
        )
    return sentences
