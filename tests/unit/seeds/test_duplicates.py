"""Exact and near duplicates in any order of the rows, compared with plain Python sets."""

import itertools
import json
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.seeds.duplicates import Collection, comparison_texts, jaccards, shingles

WORDS = ["granite", "erodes", "slowly", "water", "crystals", "why", "river", "sand", "stone", "北京", "🪨"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
TEXTS = st.lists(SENTENCES, max_size=12)
LETTERS = st.text(st.sampled_from("ab1é𝔄🪨 ."), max_size=14)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=14)
TALK = [{"input": "Hi", "output": "Granite is an igneous rock."}]
LONG = "Explain in detail why granite erodes so much more slowly than limestone does in a wet climate"


def grams(text):
    return {text[place : place + 5] for place in range(max(len(text) - 4, 1))}


def similarity(one, other):
    one, other = grams(one), grams(other)
    return len(one & other) / len(one | other)


def judge(table, threshold, parts=()):
    """(seeds, Duplicates) of a table that is added in parts, which end at the given rows."""
    collection = Collection()
    for start, end in itertools.pairwise([0, *parts, table.num_rows]):
        collection.add(table[start:end])
    return table.to_pylist(), collection.duplicates(threshold)


def survivors(rows, found):
    return [row for row, kept in zip(rows, found.survivor, strict=True) if kept < 0]


def counts(found):
    """(survivors, exact duplicates, near duplicates)."""
    gone = found.survivor >= 0
    return int((~gone).sum()), int(found.exact.sum()), int((gone & ~found.exact).sum())


def ids(rows):
    return [row["id"] for row in rows]


def greedy(rows, threshold):
    """{id: (survivor's id, Jaccard similarity)} of the duplicates, each row compared with all earlier survivors by id.

    A row with an earlier row's text is not compared again: it has the same result as that row.
    """
    kept, gone, first = [], {}, {}
    for row in sorted(rows, key=lambda row: row["id"]):
        text = comparison(row)
        if text in first:
            leader = first[text]
            gone[row["id"]] = gone.get(leader["id"], (leader["id"], 1.0))
            continue
        first[text] = row
        near = [(similarity(text, comparison(other)), -number) for number, other in enumerate(kept)]
        best = max(near, default=(0, 0))
        if best[0] >= threshold:
            gone[row["id"]] = kept[-best[1]]["id"], best[0]
        else:
            kept.append(row)
    return gone


def comparison(row):
    return " ".join(f"{row['instruction']} {row['context']}".lower().split())


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "instruction": st.sampled_from(
                ["why granite", "WHY granite", "why  granite", LONG, f"{LONG}!", "a", "b", ""]
            ),
            "response": st.sampled_from("xy"),
            "source": st.sampled_from("AB"),
            "revision": st.sampled_from(["1", "2"]),
            "reference": st.sampled_from([None, "1", "2"]),
            "category": st.sampled_from([None, "coding"]),
            "task": st.sampled_from([None, "argument"]),
            "meta": st.sampled_from([{}, {"title": "T"}]),
        }
    )
    | st.fixed_dictionaries({"instruction": SENTENCES}),
    max_size=12,
)


@given(ROWS, st.randoms(use_true_random=False), st.data(), st.sampled_from([None, 0.5, 0.8, 1.0]))
def test_survivors_do_not_depend_on_the_order_nor_on_the_batches(make_table, rows, rng, data, threshold):
    """Nor do the reported survivors, even if ids are equal and rows differ only in other columns."""

    def outcome(rows, found):
        results = [
            (row, rows[kept] if kept >= 0 else None, round(float(value), 12), bool(exact))
            for row, kept, value, exact in zip(rows, found.survivor, found.jaccard, found.exact, strict=True)
        ]
        return sorted(json.dumps(entry) for entry in results)

    cuts = st.lists(st.integers(0, len(rows)), max_size=4).map(sorted)
    before = outcome(*judge(make_table(rows), threshold, data.draw(cuts)))
    rng.shuffle(rows)
    assert outcome(*judge(make_table(rows), threshold, data.draw(cuts))) == before


@pytest.mark.parametrize(
    "fields",
    [
        [{"source": "A"}, {"source": "B"}],
        [{"dataset": "a/b"}, {"dataset": "c/d"}],
        [{"revision": "1"}, {"revision": "2"}],
        [{"meta": {"title": "A"}}, {"meta": {"title": "B"}}],
        [{"category": "coding"}, {"category": None}],
        [{"reference": "1"}, {"reference": "2"}, {"reference": None}],
    ],
    ids=lambda fields: next(iter(fields[0])),
)
def test_the_survivor_of_rows_with_one_id_is_deterministic(make_table, fields):
    kept = []
    for order in itertools.permutations(fields):
        rows, found = judge(make_table(order), 0.8)
        assert len(set(ids(rows))) == 1
        assert counts(found) == (1, len(rows) - 1, 0)
        kept += survivors(rows, found)
    assert all(row == kept[0] for row in kept)


@given(TEXTS | st.lists(LETTERS, max_size=12), st.sampled_from([0.5, 0.8, 1.0]))
def test_rejected_rows_have_the_reported_similarity(make_table, instructions, threshold):
    rows, found = judge(make_table([{"instruction": text, "context": "x"} for text in instructions]), threshold)
    for row, kept, value, exact in zip(rows, found.survivor, found.jaccard, found.exact, strict=True):
        if kept < 0:
            assert (value, exact) == (1, False)
            continue
        assert found.survivor[kept] < 0  # the reported survivor survives
        assert rows[kept]["id"] <= row["id"]
        one, other = comparison(row), comparison(rows[kept])
        assert exact == (one == other)
        assert value == similarity(one, other) >= threshold
    texts = [comparison(row) for row in survivors(rows, found)]
    assert len(set(texts)) == len(texts)


@st.composite
def near_texts(draw):
    """Texts of 10 to 25 words and variants that differ in one or two words: many pairs have a similarity near 0.8."""
    texts = []
    for _ in range(draw(st.integers(1, 3))):
        base = draw(st.lists(st.sampled_from(WORDS), min_size=10, max_size=25))
        texts.append(base)
        for _ in range(draw(st.integers(0, 4))):
            variant = list(draw(st.sampled_from([base, texts[-1]])))
            place = draw(st.integers(0, len(variant) - 1))
            variant[place : place + draw(st.integers(0, 2))] = draw(st.lists(st.sampled_from(WORDS), max_size=2))
            texts.append(variant)
    return [" ".join(words) for words in texts]


@given(near_texts())
def test_no_near_duplicate_is_missed(make_table, instructions):
    """The same survivors as a comparison of all pairs.

    The method is probabilistic: LSH proposes a pair at 0.8 with probability 1 - 5e-8, and the estimate that filters
    candidates deviates by four standard deviations in 3 of 100,000 cases. Hashes and examples are the same in every run,
    so the test is not flaky.
    """
    _like_greedy(*judge(make_table([{"instruction": text} for text in instructions]), 0.8))


def test_no_near_duplicate_is_missed_among_many(make_table):
    rng = random.Random(0)
    texts = []
    for _ in range(40):
        words = rng.choices(WORDS, k=rng.randint(12, 40))
        for _ in range(6):
            texts.append(" ".join(words))
            words[rng.randrange(len(words))] = rng.choice(WORDS)
    rng.shuffle(texts)
    rows, found = judge(make_table([{"instruction": text} for text in texts]), 0.8, parts=[50, 51, 200])
    _like_greedy(rows, found)
    assert min(counts(found)[0], counts(found)[2]) > 50  # both happen often


def _like_greedy(rows, found):
    gone = greedy({row["id"]: row for row in rows}.values(), 0.8)
    assert {row["id"] for row in survivors(rows, found)} == {row["id"] for row in rows} - set(gone)
    for row, kept, value in zip(rows, found.survivor, found.jaccard, strict=True):
        if row["id"] in gone:
            assert (rows[kept]["id"], value) == gone[row["id"]]  # the closest; the first of equally close ones


def test_near_duplicates_are_removed_and_others_kept(make_table):
    near, other = f"{LONG}, please.", "Explain why the sea is salty although rivers carry fresh water into it"
    rows, found = judge(make_table([{"instruction": text} for text in (LONG, near, other)]), 0.8)
    assert counts(found) == (2, 0, 1)
    assert "Explain why the sea" in str(survivors(rows, found))
    alike = similarity(LONG.lower(), near.lower())
    assert found.jaccard[found.survivor >= 0].tolist() == [alike]
    # With a threshold above the pair's similarity both survive.
    pair = make_table([{"instruction": LONG}, {"instruction": near}])
    assert counts(judge(pair, alike)[1]) == (1, 0, 1)
    assert counts(judge(pair, alike + 1e-9)[1]) == (2, 0, 0)


def test_similarity_is_not_transitive(make_table):
    """A row that is similar to a removed row, but not to a survivor, is kept."""
    steps = [" ".join(f"{'new' if number < moved else 'word'}{number}" for number in range(40)) for moved in (0, 3, 6)]
    assert similarity(steps[0], steps[1]) >= 0.8 > similarity(steps[0], steps[2])
    table = make_table([{"id": str(number), "instruction": text} for number, text in enumerate(steps)])
    rows, found = judge(table, 0.8)
    assert ids(survivors(rows, found)) == ["0", "2"]
    # If the middle row is first, both others are similar to it.
    table = make_table([{"id": str(id_), "instruction": text} for id_, text in zip((1, 0, 2), steps, strict=True)])
    rows, found = judge(table, 0.8)
    assert ids(survivors(rows, found)) == ["0"]


def test_a_copy_of_a_near_duplicate_is_removed_with_it(make_table):
    texts = [LONG, f"{LONG}!", f"{LONG.upper()}!"]
    table = make_table([{"id": str(number), "instruction": text} for number, text in enumerate(texts)])
    _, found = judge(table, 0.8)
    assert found.survivor.tolist() == [-1, 0, 0]
    assert found.exact.tolist() == [False, False, False]
    assert found.jaccard[1] == found.jaccard[2] < 1


def test_without_a_threshold_only_equal_texts_are_removed(make_table):
    texts = [LONG, f"{LONG}!", LONG.upper(), "aaaaaaa", "aaaaaaaa"]
    table = make_table([{"id": str(number), "instruction": text} for number, text in enumerate(texts)])
    _, found = judge(table, None)
    assert found.survivor.tolist() == [-1, -1, 0, -1, -1]
    assert found.exact.tolist() == [False, False, True, False, False]
    assert counts(judge(table, 1.0)[1]) == (3, 1, 1)  # two texts of the same 5-grams


SPACES = " \t\n\v\f\r\x85\xa0\u2003\u2028\u3000"


@given(SENTENCES, st.data())
def test_case_and_white_space_are_ignored(make_table, text, data):
    gaps = st.text(st.sampled_from(SPACES), min_size=1, max_size=3)
    words = [data.draw(st.sampled_from([word, word.upper(), word.title()])) for word in text.split()]
    other = "".join(word + data.draw(gaps) for word in words)
    table = make_table([{"instruction": text}, {"instruction": data.draw(gaps) + other}])
    assert comparison_texts(table).to_pylist() == [text, text]
    assert counts(judge(table, 0.8)[1]) == (1, 1, 0)


def test_unicode_forms_of_a_letter_are_ignored(make_table):
    table = make_table([{"instruction": text} for text in ("cafe\u0301 ﬁne ＡＢ", "CAF\xc9 fine ab")])
    assert comparison_texts(table).to_pylist() == ["café fine ab"] * 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Solve x^2-5x+6=0", "Solve x^2+5x-6=0"),
        ("What is 3 < 4?", "What is 3 > 4?"),
        ("a b", "ab"),
        ("ab", "ac"),
        ("", "a"),
        ("🪨", "🗿"),
        ("𝔄𝔅 🪨🪨🪨🪨🪨", "𝔄𝔅 🗿🗿🗿🗿🗿"),
    ],
)
def test_punctuation_is_compared(make_table, one, other):
    assert counts(judge(make_table([{"instruction": one}, {"instruction": other}]), 0.8)[1]) == (2, 0, 0)


def test_the_context_counts_and_the_answer_does_not(make_table):
    rows = [{"instruction": "Sum it up.", "context": text} for text in ("Granite is hard.", "The sea is salty.")]
    assert counts(judge(make_table(rows), 0.8)[1]) == (2, 0, 0)
    rows = [{"response": text} for text in ("Granite is hard.", "The sea is salty.")]
    assert counts(judge(make_table(rows), 0.8)[1]) == (1, 1, 0)
    assert comparison_texts(make_table([{"instruction": "A", "context": "B"}])).to_pylist() == ["a b"]


def test_two_dialogues_may_open_alike(make_table):
    talks = [
        [{"input": "Hi", "output": text}] for text in ("Granite is an igneous rock.", "The tide follows the moon.")
    ]
    rows = [{"kind": "conversation", "instruction": "Hi", "conversation": talk} for talk in talks]
    assert counts(judge(make_table(rows), 0.8)[1]) == (2, 0, 0)


def test_dialogues_are_compared_in_all_their_turns(make_table):
    turn = {"input": LONG, "output": "Because its crystals interlock."}
    # Only the turns are compared; instruction and response repeat some of them.
    rows = [
        {"kind": "conversation", "conversation": TALK},
        {"kind": "instruction"},
        {"kind": "conversation", "instruction": "x", "conversation": [*TALK, turn]},
        {"kind": "conversation", "instruction": "y", "conversation": [*TALK, {**turn, "input": f"{LONG}!"}]},
        {"kind": "conversation", "conversation": []},
    ]
    table = make_table(rows)
    talk = "hi granite is an igneous rock."
    assert comparison_texts(table).to_pylist() == [
        talk,
        "why does granite erode so slowly?",
        f"{talk} {LONG.lower()} because its crystals interlock.",
        f"{talk} {LONG.lower()}! because its crystals interlock.",
        "",
    ]
    for start in range(6):  # also of a slice
        assert comparison_texts(table[start:]).to_pylist() == comparison_texts(table).to_pylist()[start:]
    rows, found = judge(table, 0.8)
    assert counts(found) == (4, 0, 1)
    assert {rows[place]["instruction"] for place in (2, 3)} == {"x", "y"}
    assert sorted(found.survivor[2:4].tolist())[0] == -1


def test_two_tasks_on_one_post_are_no_duplicates(make_table):
    post = {"kind": "post", "context": LONG}
    tasks = [{**post, "task": task, "instruction": "Go on."} for task in ("argument", "complex_summary")]
    assert counts(judge(make_table(tasks), 0.8)[1]) == (2, 0, 0)
    # Nor is a request with the same words that is not a task about a post.
    assert counts(judge(make_table([*tasks, {"instruction": LONG}]), 0.8)[1]) == (3, 0, 0)


def test_one_task_on_two_near_posts_is_one(make_table):
    """With any instruction: the instruction of a task is drawn by the text of the post."""
    posts = [
        {"kind": "post", "task": "argument", "instruction": asked, "context": text}
        for asked, text in (
            ("What does the author of this essay hold?", LONG),
            ("Name the strongest point.", f"{LONG}!"),
            ("Name the weakest point.", LONG),
        )
    ]
    table = make_table(posts)
    assert comparison_texts(table).to_pylist() == [LONG.lower(), f"{LONG.lower()}!", LONG.lower()]
    assert counts(judge(table, 0.8)[1])[0] == 1
    assert counts(judge(table, None)[1]) == (2, 1, 0)


def test_no_seeds_at_all(make_table):
    for collection in (Collection(), Collection()):
        assert len(collection.duplicates(0.8).survivor) == 0
        collection.add(make_table([]))
        for threshold in (0.8, None):
            found = collection.duplicates(threshold)
            assert len(found.survivor) == len(found.jaccard) == len(found.exact) == 0


def test_a_single_seed_and_unrelated_seeds(make_table):
    assert counts(judge(make_table([{}]), 0.8)[1]) == (1, 0, 0)
    rows = [{"instruction": text} for text in (LONG, "The tide follows the moon.", "北京是中国的首都")]
    assert counts(judge(make_table(rows), 0.8, parts=[0, 1, 1])[1]) == (3, 0, 0)


@given(st.lists(LETTERS | ANY, max_size=6))
def test_shingles_are_the_texts_character_5_grams(texts):
    hashes, offsets = shingles(pa.array(texts, pa.large_string()), np.zeros(len(texts), dtype=np.uint64))
    assert offsets[0] == 0 and offsets[-1] == len(hashes)
    of_gram = {}
    for text, start, end in zip(texts, offsets, offsets[1:], strict=False):
        found = [text[place : place + 5] for place in range(max(len(text) - 4, 1))]
        assert end - start == len(found)
        for gram, value in zip(found, hashes[start:end].tolist(), strict=True):
            assert of_gram.setdefault(gram, value) == value  # equal 5-grams have equal hashes in every text
    assert len(set(of_gram.values())) == len(of_gram)  # and different ones differ


@given(st.lists(LETTERS, min_size=1, max_size=4))
def test_texts_of_different_salts_share_no_shingle(texts):
    array = pa.array(texts, pa.large_string())
    one, other = (shingles(array, np.full(len(texts), salt, dtype=np.uint64))[0] for salt in (1, 2**63 + 5))
    assert not set(one.tolist()) & set(other.tolist())


def test_a_short_text_is_its_own_only_shingle():
    hashes, offsets = shingles(pa.array(["abc", "", "abcd", "abc", "abcde", "ab🪨"]), np.zeros(6, dtype=np.uint64))
    assert offsets.tolist() == list(range(7))
    assert hashes[0] == hashes[3]
    assert len(set(hashes.tolist())) == 5


@given(LETTERS, LETTERS)
def test_jaccard_is_that_of_sets(one, other):
    salts = np.zeros(1, dtype=np.uint64)
    sets = [np.unique(shingles(pa.array([text]), salts)[0]) for text in (one, other)]
    assert jaccards(sets[0], [sets[1]])[0] == pytest.approx(similarity(one, other))


def test_jaccards():
    others = [np.array([2, 3]), np.array([7]), np.array([1, 2]), np.array([0, 1, 2, 9])]
    assert jaccards(np.array([1, 2]), others) == pytest.approx([1 / 3, 0, 1, 1 / 2])


def test_shingles_of_a_template_are_ignored(make_table):
    """With its template, all rows of a large source would be near duplicates; in a small source they are."""
    template = "You may search the web, run code and ask the weather service. Answer as briefly as you can. Question: "
    words = ["granite", "tide", "lantern", "harbour", "violin", "copper", "meadow", "glacier", "saffron", "kettle"]
    questions = [f"How do {a}, {b} and {c} differ?" for a in words for b in words for c in words]
    rows = [{"instruction": f"{template}{question}", "response": "x"} for question in questions]
    few = judge(make_table(rows[:50]), 0.8)[1]
    assert (few.survivor >= 0).sum() >= 45
    many = judge(make_table(rows), 0.8)[1]
    kept = {questions[row] for row in np.flatnonzero(many.survivor < 0)}
    assert len(kept) >= 500
    assert ((many.survivor >= 0) <= (many.jaccard >= 0.8)).all()
