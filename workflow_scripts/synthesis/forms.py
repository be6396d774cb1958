"""Form of a generated text: question or imperative, recap clause, content words, layout of an answer.

The classes are those by which follow-ups of released conversations were counted (docs/amplify-instruct.md). They are
recognised by patterns, so shares have a small error: a sentence that begins with a noun such as "Plan" counts as an imperative.
"""

import re
from typing import Final

FORMS: Final = ("question", "imperative", "mixed")
# Verbs with which a request begins, as a pattern.
VERBS: Final = (
    "act|adapt|add|address|adjust|advise|analy[sz]e|answer|apply|argue|arrange|assess|assume|break|brainstorm|build|calculate"
    "|categori[sz]e|characteri[sz]e|check|choose|cite|clarify|classify|combine|come|comment|compare|complete|compose|compute"
    "|condense|connect|consider|construct|contextuali[sz]e|continue|contrast|convert|correct|count|create|critique|debug|decide"
    "|deduce|define|delve|demonstrate|derive|describe|design|detail|determine|develop|devise|differentiate|discuss|dissect"
    "|distinguish|draft|draw|edit|elaborate|enumerate|estimate|evaluate|examine|exemplify|expand|explain|explore|express|extend"
    "|extract|fill|find|fix|focus|formulate|generali[sz]e|generate|give|go|guide|help|highlight|identify|illustrate|imagine"
    "|implement|improve|include|infer|integrate|interpret|introduce|invent|investigate|justify|lay|let|list|look|make|map|match"
    "|measure|model|modify|name|narrate|offer|optimi[sz]e|organi[sz]e|outline|paraphrase|pick|place|plan|play|point|portray|pose"
    "|predict|prepare|present|propose|prove|provide|quantify|quote|rank|read|recommend|reconcile|reconstruct|refactor|refine"
    "|reflect|relate|rephrase|replace|report|respond|restate|rethink|retell|review|revise|rewrite|select|share|show|simplify"
    "|simulate|sketch|solve|sort|specify|speculate|state|suggest|sum|summari[sz]e|support|suppose|take|talk|teach|tell|test|think"
    "|trace|transform|translate|turn|unpack|use|verify|walk|weigh|work|write"
)
# At the beginning of a sentence, or after the recap clause with which it begins.
IMPERATIVE = re.compile(
    rf"(?:^\W*|[.!?:;]\s+\W{{0,9}})(?:now,?\s+|then,?\s+|please,?\s+|also,?\s+)*(?:{VERBS})\b(?!\w*['’])", re.IGNORECASE
)
RECAP = re.compile(
    r"^\W*(?:considering|given|reflecting (?:up)?on|drawing (?:from|(?:up)?on)|building (?:up)?on|based on|starting from|in (?:light|view)"
    r" of|against the background of|bearing [^,]{2,80} in mind|keeping [^,]{2,80} in mind|with [^,]{2,80} in mind|returning to"
    r"|turning to|taking up|looking (?:at|back)|thinking (?:about|of)|having (?:seen|read|established|described))\b",
    re.IGNORECASE,
)
AFTER_RECAP = re.compile(rf",\s*(?:please\s+|now\s+|then\s+)?(?:{VERBS})\b", re.IGNORECASE)
NARROWING = re.compile(
    r",?\s(?:particularly|especially|specifically|taking (?:[^.?]{2,80} )?into account|with (?:a |special |particular )*(?:focus|emphasis|attention"
    r"|regard|respect)|in particular|in terms of|focusing on|including|paying attention|when it comes to)\b",
    re.IGNORECASE,
)
JOINED = re.compile(
    rf"\b(?:and|or)\s+(?:(?:then|also)\s+)?(?:how|what|why|which|where|when|who|whether|in what|to what|(?:{VERBS}))\b",
    re.IGNORECASE,
)
PRAISE = re.compile(
    r"^\W*(?:(?:many )?thank|(?:ok(?:ay)?|great|good|excellent|wonderful|amazing|awesome|fantastic|brilliant|perfect|nice|wow|impressive"
    r"|interesting|fascinating|helpful|got it|i see|well done)\b\W*(?:$|[,.!:;—–-]|(?:answer|explanation|point|question|insight|work|job)\b)"
    r"|(?:that|this|it)(?:['’]s| is| was) (?:a |an |so |very |really |such )*(?:great|good|fascinating|interesting|helpful|excellent|clear|wonderful"
    r"|insightful|amazing)\b|what an? (?:great|good|fascinating|interesting|helpful|excellent|clear|wonderful|insightful|amazing)\b"
    r"|i (?:really )?(?:appreciate|love|like|enjoyed)\b)"
    r"|\bthank(?:s| you)\b|\bappreciate (?:the|your|it)\b",
    re.IGNORECASE,
)
PRONOUN = re.compile(r"\b(?:it|its|this|that one|these|those|they|them|their|he|she|him|her|his)\b", re.IGNORECASE)
FIRST_PERSON = re.compile(r"\b(?:I|I['’](?:m|ve|d|ll)|me|my|mine|myself)\b")
SENTENCE = re.compile(r"(?<![.!?])[.!?]++[\"')\]]*(?:\s+(?=[\"'(]?[A-Z])|\s*$)")

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d[\d.,/]*", re.UNICODE)
MIN_CONTENT_LETTERS = 4
STEM_LETTERS = 6  # words count as the same if their first letters agree: weathers, weathering
# Words of requests in general and frequent words: sharing one of them refers to nothing in particular.
GENERIC: Final = frozenset(
    re.findall(
        r"\w+",
        """about above according across actually affect after again aiming along already also although always another answer answers anyone
    anything approach around aspect aspects because become been before being below between both briefly called case cases cause certain
    change changes clear closely common compare come concept consider considering context could describe described detail detailed details
    difference different differently discuss does doing done down during each effect either else enough even ever every everything
    example examples exact exactly expand explain explained explanation feel first follow following from further general generally
    give given gives goes good great happen happens have having help here high higher idea ideas impact important include including
    information instead interesting into involved issue itself just keep kind kinds know known large later least less like likely
    little long look made main mainly make makes making many matter mean means mention mentioned might more moreover most much must
    name named need needs never nevertheless next none nothing once only other others otherwise over overall part particular particularly
    people perhaps place please point points possible previous process provide question questions quite rather reason reasons really
    related role same second seem shall short should show similar simply since some someone something specific specifically still such
    take taken tell than that their them themselves then there therefore these they thing things think this those though thought three
    through thus time times together topic toward towards true type types under understand until upon used useful user using usually
    various very want well went were what when where whereas whether which while whole whom whose will with within without word words
    work works would years your yours yourself analyse analyze assess calculate clarify contrast delve detailing drawing elaborate examine
    explore illustrate light outline reflect reflecting view""",
    )
)


def normalise(text: str) -> str:
    """A text in one case, without punctuation, for comparisons."""
    return " ".join(WORD.findall(text.casefold()))


def sentences(text: str) -> int:
    """Number of sentences: ends of sentences that a capital letter or the end of the text follows, at least 1."""
    return max(len(SENTENCE.findall(text.strip())), 1)


def form(text: str) -> str | None:
    """`question`, `imperative`, `mixed` (both), or None for a text that requests nothing."""
    imperative = IMPERATIVE.search(text) is not None or (
        has_recap(text) and AFTER_RECAP.search(text) is not None and "?" not in text
    )
    if "?" in text:
        return "mixed" if imperative else "question"
    return "imperative" if imperative else None


def has_recap(text: str) -> bool:
    """Whether a follow-up begins with a clause that recalls the conversation, such as "Considering …,"."""
    return RECAP.search(text) is not None


def has_narrowing(text: str) -> bool:
    """Whether a follow-up ends with a phrase that narrows it, such as "particularly …": after its first third."""
    return NARROWING.search(text, len(text) // 3) is not None


def first_words(text: str, count: int = 3) -> str:
    """The first words of a text, in one case."""
    return " ".join(normalise(text).split()[:count])


def content_words(text: str) -> set[str]:
    """Stems of the words that carry the subject: long words that are not generic, numbers, and abbreviations."""
    found = set()
    for word in WORD.findall(text):
        folded = word.casefold().removesuffix("'s").removesuffix("’s")
        if word[0].isdigit() or (len(word) > 1 and word.isupper()):
            found.add(folded.rstrip(".,"))
        elif len(folded) >= MIN_CONTENT_LETTERS and folded not in GENERIC:
            found.add(folded[:STEM_LETTERS])
    return found


def has_anchor(text: str, earlier: str) -> bool:
    """Whether a follow-up names something of an earlier text: the two share a content word."""
    return bool(content_words(text) & content_words(earlier))


LIST_ITEM = re.compile(r"^\s{0,6}(?:\d{1,2}[.)]|[-*•–])\s+\S|(?<=[.:;!?]) \d{1,2}[.)] [A-Z]", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+\S", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]{1,200}\*\*|__[^_\n]{1,200}__")
FENCE = re.compile(r"```")
FORMULA = re.compile(r"[\w)\]²³]\s*=\s*[-−]?[\w(\[\\$√π]|\\\[|\\\(|\$\$")
VERSE_CHARS = 60  # longest line of verse
SERVILE = re.compile(r"^\W*(?:sure|certainly|of course|absolutely|definitely|great question)\b", re.IGNORECASE)
RECAP_END = re.compile(
    r"^\W*(?:in (?:summary|conclusion|short|essence|sum)|overall|ultimately|to (?:sum|summari[sz]e|conclude)|thus|therefore|hence|altogether"
    r"|taken together)\b",
    re.IGNORECASE,
)
CAVEAT_END = re.compile(
    r"\b(?:however|it(?:['’]s| is) (?:important|worth|essential|crucial) (?:to|noting)|keep in mind|bear in mind|it should be noted|note that"
    r"|depends? on|may vary|not (?:all|every)|although|caution)\b",
    re.IGNORECASE,
)
LAYOUTS: Final = ("code", "list", "mathematics", "verse", "prose")


def layout(answer: str) -> str:
    """Layout of an answer: `code` (a fenced block), `list` (3 items or more), `mathematics`, `verse`, or `prose`."""
    if len(FENCE.findall(answer)) >= 2:
        return "code"
    if len(FORMULA.findall(answer)) >= 3:
        return "mathematics"
    if len(LIST_ITEM.findall(answer)) >= 3:
        return "list"
    lines = [line for line in answer.splitlines() if line.strip()]
    short = sum(len(line) <= VERSE_CHARS for line in lines)
    return "verse" if len(lines) >= 6 and short >= 0.8 * len(lines) else "prose"


def last_part(answer: str) -> str:
    """The last paragraph of an answer, or its last sentence if it has one paragraph."""
    paragraphs = [part for part in re.split(r"\n\s*\n", answer.strip()) if part.strip()]
    if len(paragraphs) > 1:
        return paragraphs[-1]
    return re.split(r"(?<=[.!?])\s+", answer.strip())[-1]


def ends_mid_sentence(answer: str) -> bool:
    """Whether an answer in prose stops without a closing mark."""
    return layout(answer) in ("prose", "list") and re.search(r"[.!?:\"')\]*”’…]\s*$", answer) is None
