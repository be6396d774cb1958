"""Replies of the scripted teacher: a function of the request's content alone, plausible for Amplify-Instruct.

The last messages of a request determine the kind of reply. There is no language model: sentences are composed from the
word lists below.
"""

import functools
import hashlib
import json
import random
import re
from typing import Any

from tests.support import scripted_turns

Body = dict[str, Any]

MODEL = "scripted"
# Requests with equal values of these are the same request. A client may send more, such as vLLM's `continue_final_message`.
CONTENT = ("model", "messages", "seed", "temperature", "top_p", "max_tokens", "response_format")
ANSWER_CHARS = (1220, 1760)  # the last sentence exceeds the drawn length
FOLLOW_UP_CHARS = (120, 195)
CHARS_A_TOKEN = 4.5


def _words(text: str, mark: str = " ") -> list[str]:
    return text.replace("\n", " ").split(mark)


NOUNS = _words("""archive balance bridge canal catalyst climate colony compass contract crystal currency current debate engine
estuary experiment fabric forest glacier grammar harbour harvest horizon instrument kernel ladder lattice ledger lens
machine magnet market melody membrane method mineral mountain network nucleus orbit orchard paradox pendulum planet
pressure protein proof rhythm river rumour sediment signal spectrum statute surface symbol theorem threshold tide timber
tradition treaty turbine valley vessel village vocabulary voltage volume voyage""")  # fmt: skip
ADJECTIVES = _words("""ancient brittle careful central common curious delicate distant early familiar fragile gradual hidden
indirect narrow natural obvious ordinary patient peculiar practical private quiet rapid regular remote severe shallow
simple slender stable steady strange subtle sudden uneven unusual visible western wooden""")  # fmt: skip
VERBS = _words("""absorbs alters balances carries changes collects connects controls corrects delays describes divides drives
explains follows governs guides holds imitates joins limits measures moves outlasts predicts preserves protects reaches
records reflects releases repeats replaces resists reveals separates shapes slows stores strengthens supports transforms
weakens""")  # fmt: skip
OPENERS = _words("""|In practice |By contrast |As a result |Over time |For this reason |In most cases |At first sight |More often
than not |Seen from nearby |In the long run |Without much notice |On a small scale |In the laboratory |Historically """, "|")  # fmt: skip
TAILS = _words("""before anyone has time to notice|as long as the supply of water lasts|in a way that early observers could not
measure|although the opposite was believed for decades|and the difference grows with every step|which is why careful
records were kept|even where the two were never compared|until the outer layer gives way|by roughly a third in dry
years|because heat has to leave somewhere|and that is what the first surveys missed|once the smaller parts begin to
agree|without any change of the total|just as a clock keeps its own time|so that errors cancel in pairs|though only at
low temperatures|and no one had expected so strong an effect|when both ends are held fixed|with a delay of several
weeks|as the workshops of the north had found long before""", "|")  # fmt: skip
ABOUT = _words("""you describe|in your answer|you mention|from your explanation|as you present it""", "|")
CLAUSES = _words("""when the {noun} around it turns out to be far more {adjective} than the textbooks admit|if one looks at a
{adjective} {noun} rather than at the usual one|once somebody has taken away the {adjective} {noun} on which all of it
seems to rest|given that a {noun} rarely stays {adjective} for as long as that|in a place where the {noun} is both
{adjective} and {other}""", "|")  # fmt: skip

NAMES = _words("Ada Boris Clara Deniz Edith Farid Greta Hugo Ines Jonas Karin Lukas")

# The kinds of prompts, recognised by their words. The patterns are loose, so that they also match reworded prompts.
BEGUN = re.compile(r"(?:begin|start|open)s?(?:ning|ing)?\b[^\"“”\n]{0,60}[\"“]([^\"“”\n]{2,80})[\"”]", re.IGNORECASE)
FINAL_ANSWER = re.compile(r"[\"“]Answer:[\"”]")
LIST = re.compile(r"\bnumbered list\b.*?\bto (\d+)|\blist of (\d+)\b", re.IGNORECASE | re.DOTALL)
HARDER = re.compile(r"\b(?:harder|more complex|evolve)\b", re.IGNORECASE)
DATA = re.compile(r"\bdata\b")
PUZZLE = re.compile(r"\b(?:logic problem|puzzle|riddle)\b", re.IGNORECASE)
REQUEST = re.compile(
    r"\b(?:rewrite|write|invent|compose|create|make)\b[^.\n]{0,80}"
    r"\b(?:instructions?|requests?|questions?|problems?|tasks?|prompts?|message)\b",
    re.IGNORECASE,
)
GIVEN = re.compile(r"<request>\s*(.*?)\s*</request>", re.DOTALL)
LONG_WORD = re.compile(r"[^\W\d_]{5,}")
BAD_SIGN = re.compile(
    r"^(?!no_|not_)(?:.*_)?(?:disclaimer|invent|same|wrong|refus|copy|error|fault)", re.IGNORECASE
)  # names of properties in a judgement that are bad when true or high


def fingerprint(body: Body) -> str:
    """16 hex digits of a request's content, equal for the body that was sent and the one in the cache."""
    content = {key: body[key] for key in CONTENT if body.get(key) is not None}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def sentences() -> list[str]:
    rng = random.Random(20230925)
    return [
        f"{rng.choice(OPENERS)}the {rng.choice(ADJECTIVES)} {noun} {rng.choice(VERBS)} "
        f"{rng.choice(['the', 'every', 'its', 'another', 'some'])} {rng.choice(ADJECTIVES)} {other}, {rng.choice(TAILS)}."
        for _ in range(40_000)
        for noun, other in [rng.sample(NOUNS, 2)]
    ]


def _sentence(rng: random.Random) -> str:
    text = sentences()[int(rng.random() * 40_000)]
    return text[0].upper() + text[1:]


def _long_word(messages: list[dict[str, str]], rng: random.Random) -> str:
    """A word of at least 5 letters from the turns before the last one."""
    said = [message["content"] for message in messages if message["role"] != "system"]
    words = LONG_WORD.findall(" ".join(said[:-1] or said)[-4000:])
    return rng.choice(words).lower() if words else "matter"


def _answer(rng: random.Random, word: str) -> str:
    wanted = rng.randint(*ANSWER_CHARS)
    text = f"What matters about {word} is easily missed."
    while len(text) < wanted:
        text += ("\n\n" if rng.random() < 0.2 else " ") + _sentence(rng)
    return text


def _follow_up(rng: random.Random, opening: str, word: str, mark: str = "?") -> str:
    low, high = FOLLOW_UP_CHARS
    begun = f"{opening} the idea of {word} {rng.choice(ABOUT)}"
    text = begun
    for _ in range(20):
        noun, (adjective, other) = rng.choice(NOUNS), rng.sample(ADJECTIVES, 2)
        text = f"{text} {rng.choice(CLAUSES).format(noun=noun, adjective=adjective, other=other)}"
        if low <= len(text) < high:
            return text + mark
        if len(text) >= high:
            text = begun
    return begun + mark


def _mark(prompt: str) -> str:
    """How the follow-up ends: a request is an imperative."""
    return "." if "follow-up request" in prompt else "?"


def _request(rng: random.Random, word: str) -> str:
    """A new instruction."""
    noun, other = rng.sample(NOUNS, 2)
    first, second = rng.sample(ADJECTIVES, 2)
    return rng.choice(
        [
            f"Explain how a {first} {noun} and the idea of {word} depend on each other, and give one example where a {second} {other} decides.",
            f"Describe what happens to {word} when the {first} {noun} is replaced by a {second} {other}, and justify each step of your reasoning.",
            f"Compare {word} with a {first} {noun} for a reader who knows only the {second} {other}, and name two limits of the comparison.",
            f"A {first} {noun} holds three parts of {word} and a {second} {other} takes one of them away each day: how long does it last, and why?",
        ]
    )


def _harder(rng: random.Random, prompt: str) -> str:
    """The request in the prompt with one more condition, and with a table if the prompt mentions data."""
    given = GIVEN.search(prompt)
    noun, adjective = rng.choice(NOUNS), rng.choice(ADJECTIVES)
    more = rng.choice(
        [
            f"Take into account that the {noun} stays {adjective}, and say which of your steps depends on it.",
            f"Justify every step, and show for a {adjective} {noun} where the usual reasoning would break down.",
            f"Answer for the particular case of a {adjective} {noun} that is observed over seven years in Bergen.",
        ]
    )
    rows = [f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} | {rng.randint(2, 900)}" for _ in range(5)]
    table = "\n\nUse these figures:\nkind | number\n" + "\n".join(rows) if DATA.search(GIVEN.sub("", prompt)) else ""
    return f"{given[1] if given else 'Explain this.'} {more}{table}"


def _puzzle(rng: random.Random) -> str:
    first, second, third = rng.sample(NAMES, 3)
    noun, other = rng.sample(NOUNS, 2)
    return (
        f"{first}, {second} and {third} each keep one {rng.choice(ADJECTIVES)} thing: a {noun}, a {other} or an old map. "
        f"{first} does not keep the {noun}. {second} has never owned a map or a {other}. "
        f"The map does not belong to {third}, who visited {first} {rng.randint(2, 9)} times last year. "
        f"Who keeps the {rng.choice([noun, other])}?"
    )


def _solution(rng: random.Random, problem: str) -> str:
    """Steps and a result. The result depends only on the problem's first 200 characters, so repeated samples agree."""
    result = NAMES[int(hashlib.sha256(problem[:200].encode()).hexdigest(), 16) % len(NAMES)]
    steps = [f"{place}. {_sentence(rng)} {_sentence(rng)}" for place in range(1, rng.randint(5, 7))]
    return "\n".join([*steps, f"Answer: {result}"])


def instance(schema: Any, rng: random.Random, name: str = "") -> Any:
    """A minimal value of a JSON schema: random choices, high scores, and in 95 % of the cases no fault."""
    if not isinstance(schema, dict):
        return "some text"
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return instance(rng.choice(schema[key]), rng, name)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object":
        parts = schema.get("properties", {})
        return {each: instance(parts.get(each, {}), rng, each) for each in schema.get("required", parts)}
    if kind == "array":
        least, items = max(schema.get("minItems", 1), 1), schema.get("items", {})
        if schema.get("uniqueItems") and isinstance(items, dict) and "enum" in items:
            return rng.sample(items["enum"], least)
        return [instance(items, rng) for _ in range(least)]
    bad = bool(BAD_SIGN.search(name)) != (rng.random() < 0.05)
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        high = schema.get("maximum", low + 10)
        value = low if bad else rng.uniform(high - (high - low) * 0.2, high)
        return round(value) if kind == "integer" else float(value)
    if kind == "boolean":
        return not bad
    return None if kind == "null" else _sentence(rng)


def reply_text(body: Body, digest: str, careless: bool = False) -> str:
    """The text of the reply. It depends only on the arguments; `digest` is the fingerprint of the body.

    A `careless` teacher ignores what Amplify-Instruct's prompts ask for.
    """
    rng = random.Random(int(digest, 16))
    messages = body["messages"]
    last, system = messages[-1]["content"], messages[0]["content"] if messages[0]["role"] == "system" else None
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(instance(form["json_schema"].get("schema", {}), rng))
    if messages[-1]["role"] == "assistant":  # the client sent the beginning of the reply
        return _follow_up(rng, last, _long_word(messages[:-1], rng), _mark(messages[-2]["content"]))
    if scripted_turns.USER_TURN.search(last):
        earlier = [message["content"] for message in messages[-2:-4:-1]]  # the last answer, its question
        if careless:
            return scripted_turns.careless_follow_up(earlier, rng)
        return scripted_turns.follow_up(last, earlier, rng, NOUNS, ADJECTIVES)
    if FINAL_ANSWER.search(system or last[-400:]):
        return _solution(rng, last)
    if system is not None:  # only the prompts for answers have a system message
        word = _long_word(messages, rng)
        if careless:
            return scripted_turns.careless_answer(word, rng, _sentence)
        shaped = scripted_turns.SHAPE.search(system)
        return scripted_turns.answer(system, word, rng, _sentence) if shaped else _answer(rng, word)
    asked = last if len(last) < 1200 else f"{last[:500]}\n{last[-700:]}"  # the task is at the beginning or the end
    if opening := BEGUN.search(asked):
        return _follow_up(rng, opening[1], _long_word(messages, rng), _mark(asked))
    if count := LIST.search(asked):
        lines = [f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}" for _ in range(int(count[1] or count[2]))]
        return "\n".join(f"{place}. {line.capitalize()}" for place, line in enumerate(lines, 1))
    if REQUEST.search(asked):
        if HARDER.search(asked) and GIVEN.search(last):
            return _harder(rng, last)
        return _puzzle(rng) if PUZZLE.search(asked[:200]) else _request(rng, rng.choice(NOUNS))
    return _answer(rng, _long_word(messages, rng))


def completion(body: Body, digest: str) -> Body:
    """A complete chat completion; a text longer than `max_tokens` is truncated, as servers do."""
    text, finish_reason = reply_text(body, digest), "stop"
    limit = int((body.get("max_tokens") or body.get("max_completion_tokens") or 10**6) * CHARS_A_TOKEN)
    if len(text) > limit:
        text, finish_reason = text[:limit], "length"
    asked = round(sum(len(message["content"]) for message in body["messages"]) / CHARS_A_TOKEN)
    written = max(round(len(text) / CHARS_A_TOKEN), 1)
    return {
        "id": f"chatcmpl-{digest}",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", MODEL),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
    }
