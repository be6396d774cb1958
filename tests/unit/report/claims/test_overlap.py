"""Old words of a text: n-grams that occur in a seed."""

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.report.claims.overlap import WORD, SeedWords, seed_texts

SEED = "the quick brown fox jumps over the lazy dog and then it sleeps until the sun is up again"


def test_a_copy_is_old_and_a_new_text_is_new():
    seeds = SeedWords([SEED], 8)
    assert seeds.count(SEED.upper() + "!") == (19, 19)
    assert seeds.count("nothing of this was ever written down in any seed before today") == (12, 0)


def test_words_around_a_copied_sequence_are_new():
    text = f"I once read that {' '.join(SEED.split()[3:12])}, which surprised me"
    assert SeedWords([SEED], 8).count(text) == (16, 9)


def test_a_shorter_sequence_is_new():
    assert SeedWords([SEED], 8).count("the quick brown fox jumps over the dog") == (8, 0)


def test_short_texts_are_compared_as_a_whole():
    seeds = SeedWords(["Why is that so?", SEED], 8)
    assert seeds.count("why is that so") == (4, 4)
    assert seeds.count("why is that") == (3, 0)
    assert seeds.count("") == (0, 0)
    assert SeedWords([], 8).count(SEED) == (19, 0)


WORDS = st.lists(st.sampled_from("abcde"), max_size=30)


@given(st.lists(WORDS, max_size=4), WORDS)
def test_the_count_equals_a_direct_comparison(seeds, text):
    gram = 3
    known = {tuple(seed[at : at + gram]) for seed in seeds for at in range(len(seed) - gram + 1)}
    old = {
        at + step for at in range(len(text) - gram + 1) if tuple(text[at : at + gram]) in known for step in range(gram)
    }
    if len(text) < gram:
        old = set(range(len(text))) if text in seeds else set()
    assert SeedWords(map(" ".join, seeds), gram).count(" ".join(text)) == (len(text), len(old))


def test_all_texts_of_a_seed():
    seed = {
        "instruction": "a",
        "context": None,
        "response": "",
        "meta": {"conversation": [{"input": "b", "output": "c"}]},
    }
    assert seed_texts(seed) == ["a", "b", "c"]
    assert WORD.findall("don't_stop 3.5") == ["don", "t", "stop", "3", "5"]
