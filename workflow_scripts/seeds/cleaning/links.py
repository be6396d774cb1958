"""Links that an answer states on its own. In answers they are mostly invented."""

import re

from workflow_scripts.seeds.cleaning.spans import without_code

LINK = r"\b(?:https?://|www\.)\S+"
COMPILED = re.compile(LINK, re.IGNORECASE)
HOST = re.compile(r"^(?:https?://)?(?:[^\s/@]*@)?(\[[^\]\s]*\]|[^\s/:?#]*)", re.IGNORECASE)
TRAILING = ".,;:!?)]}>'\"*`’”"
# Reserved names and addresses (RFC 2606, 6761, 1918), and what authors write for "your own site".
PLACEHOLDER = re.compile(
    r"""^(?:127(?:\.\d+){3}|0\.0\.0\.0|10(?:\.\d+){3}|192\.168(?:\.\d+){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d+){2})$
    |\.(?:test|example|invalid|local|localhost|internal|lan|corp|home)$
    |(?:^|[.-])examples?(?:[.-]|$)|^(?:www\.)?example|example\.\w+$
    |(?:^|[.-])(?:your|my|our|some|any|the)[-_]?\w{0,63}(?:site|domain|host|server|company|business|brand|blog|store|shop|app|api|page|url|name|link|organi[sz]ation|school)
    |^(?:www\.)?(?:company|website|site|domain|url|link|page|placeholder|host|hostname|server|sample|dummy|test|foo|bar|abc|xyz)\w?\.\w+$
    |^(?:www\.)?\w*(?:placeholder|lorem|acme)\w*\.
    |^(?:www\.)?w3\.org$|^schemas?\.\w+|[<>\[\]{}…]|\.\.\.|^(?:www\.)?x+\.""",
    re.VERBOSE | re.IGNORECASE,
)


def own_link(text: str, asked: str) -> str | None:
    """The first link in an answer that no user named and that is neither a placeholder, a local address, nor code."""
    known = asked.casefold()
    for match in COMPILED.finditer(without_code(text)):
        link = match[0].rstrip(TRAILING)
        host_match = HOST.match(link)
        host = host_match[1].casefold().rstrip(TRAILING) if host_match else ""
        site = host.removeprefix("www.")
        if "." not in site or PLACEHOLDER.search(host) or site in known:
            continue
        return link
    return None
