"""Texts that are classified as foreign, and texts that are not."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.seeds.cleaning.language import HEAD_CHARS, foreign, surely_english

GRANITE = {
    "GERMAN": "Der Granit verwittert sehr langsam, weil seine Kristalle fest ineinander greifen und kaum Wasser eindringt.",
    "FRENCH": "Le granite se dégrade très lentement, parce que ses cristaux sont imbriqués et que l'eau y pénètre difficilement.",
    "SPANISH": "El granito se desgasta muy lentamente, porque sus cristales están entrelazados y apenas puede entrar agua en la roca.",
    "DUTCH": "Graniet verweert heel langzaam, omdat de kristallen stevig in elkaar grijpen en er nauwelijks water binnen kan komen.",
    "ITALIAN": "Il granito si consuma molto lentamente, perché i suoi cristalli sono intrecciati e l'acqua vi penetra a fatica.",
    "PORTUGUESE": "O granito desgasta-se muito lentamente, porque os seus cristais estão entrelaçados e a água mal consegue entrar na rocha.",
    "POLISH": "Granit wietrzeje bardzo powoli, ponieważ jego kryształy ściśle się zazębiają i woda prawie nie może wniknąć do środka.",
    "SWEDISH": "Granit vittrar mycket långsamt, eftersom kristallerna griper in i varandra och vatten knappt kan tränga in i berget.",
    "RUSSIAN": "Гранит разрушается очень медленно, потому что его кристаллы плотно сцеплены и вода почти не проникает внутрь.",
    "GREEK": "Ο γρανίτης διαβρώνεται πολύ αργά, επειδή οι κρύσταλλοί του είναι συμπλεγμένοι και το νερό δύσκολα εισχωρεί.",
    # Scripts with few or no spaces: letters are counted, not words.
    "CHINESE": "北京是中国的首都，也是全国的政治和文化中心。这座城市有三千多年的历史，保存了许多宫殿和寺庙。",
    "JAPANESE": "花崗岩は結晶が互いに噛み合っていて、水がほとんど入らないため、非常にゆっくりと風化します。",
    "KOREAN": "화강암은 결정이 서로 맞물려 있어 물이 거의 스며들지 않기 때문에 매우 천천히 풍화됩니다.",
    "THAI": "หินแกรนิตผุพังช้ามากเพราะผลึกของมันเกาะเกี่ยวกันแน่นและน้ำแทบจะซึมเข้าไปไม่ได้เลย",
}
ENGLISH = {
    "prose": "Granite wears away very slowly, because its crystals interlock and hardly any water can find a way inside it.",
    "capitals": "GRANITE WEARS AWAY VERY SLOWLY, BECAUSE ITS CRYSTALS INTERLOCK AND HARDLY ANY WATER CAN FIND A WAY INSIDE IT.",
    "code": "The function below adds two numbers and prints what comes out:\n\n```python\ndef addiere(erste, zweite):\n"
    "    summe = erste + zweite\n    drucke(summe)\n    return summe\n```\n\nCall it with the numbers that you have.",
    "code alone": "```python\ndef fibonacci(number):\n    if number < 2:\n        return number\n"
    "    return fibonacci(number - 1) + fibonacci(number - 2)\n\nfor index in range(10):\n    print(fibonacci(index))\n```",
    "open code": "```\nlorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore",
    "C++": "#include <iostream>\n#include <vector>\nusing namespace std;\nint main() {\n  vector<int> values = {3, 1, 2};\n"
    "  sort(values.begin(), values.end());\n  for (auto value : values) cout << value << endl;\n  return 0;\n}",
    "formula": r"We find the value of \int_0^\infty e^{-x^2} dx = \frac{\sqrt{\pi}}{2} by squaring it and changing to polar coordinates.",
    "Greek letters": "If α + β = γ and γ = 2δ, what is the ratio of α to δ? Assume that β is half of δ, and that ε is small.",
    "quotation": 'The French motto "Liberté, égalité, fraternité" means liberty, equality and fraternity, and is as old as the revolution.',
    "few glue words": "Roses red, violets blue, sugar sweet, honey too, stars shine bright, moon glows white, dreams come true tonight.",
    "recipe": "2 cups flour\n1 cup sugar\n3 eggs\n1 tsp vanilla\nPreheat oven. Mix flour, sugar, eggs, vanilla, butter. Bake 30 minutes.",
    "names": "Albert Einstein, Niels Bohr, Werner Heisenberg, Erwin Schrödinger, Max Planck, Wolfgang Pauli, Enrico Fermi",
    "emoji": "Here is the plan for the day: " + "🪨❤️👍🏽 " * 12 + "and that is all there is to it.",
    "a later quotation": "The text that follows is what you should translate into English. " * 10
    + GRANITE["GERMAN"] * 3,
}
SHORT = {
    "German": "Guten Morgen, wie geht es Ihnen?",
    "Chinese": "北京是中国的首都",
    "formulas": "f(x) = 3x + 2; g(x) = x**2; 12 13 14 15 16 17 18 19 20 21 22 23",
    "one letters": "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "Latin letters with marks": "Ä ö ü äöüß äöüß éèàç éèàç íñóú íñóú šžčř",
    "word": "Schadenfreude",
    "numbers": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
    "spaces": " \n\t ",
    "nothing": "",
}


def language(text):
    (unfit,), (name,) = foreign(pa.array([text]))
    assert unfit == (name is not None)
    return name


@pytest.mark.parametrize("name", GRANITE)
def test_another_language_is_named(name):
    assert language(GRANITE[name]) == name


@pytest.mark.parametrize("text", ENGLISH.values(), ids=ENGLISH)
def test_english_passes(text):
    assert language(text) is None


@pytest.mark.parametrize("text", SHORT.values(), ids=SHORT)
def test_a_text_too_short_for_detection_passes(text):
    assert language(text) is None


@pytest.mark.parametrize(
    "text",
    [
        GRANITE["GERMAN"] + " Granite is hard.",
        "OK: " + GRANITE["FRENCH"] + " That is why.",
        "Granite weathering explained: " + GRANITE["CHINESE"],
        "What does this mean, and how would you say it? " + GRANITE["CHINESE"],
        GRANITE["RUSSIAN"] + " (Granite, OK)",
        GRANITE["SPANISH"] + " ```print(1)```",
        "```print(1)```\n" + GRANITE["DUTCH"],
    ],
)
def test_a_few_english_words_do_not_change_the_language(text):
    assert language(text)


def test_the_beginning_decides():
    """A text may quote another language later, and a foreign text may end in English."""
    english = "Granite is hard, and the water that runs over it takes very little of it away. "
    german = GRANITE["GERMAN"] + " "
    assert language((english * 10)[:HEAD_CHARS] + german * 10) is None
    assert language((german * 10)[:HEAD_CHARS] + english * 10) == "GERMAN"


def test_each_text_is_judged_the_same_alone_and_in_a_batch():
    texts = [*SHORT.values(), *GRANITE.values(), *ENGLISH.values()]
    unfit, names = foreign(pa.array(texts))
    assert names == [language(text) for text in texts]
    assert unfit.tolist() == [name is not None for name in names]


def test_no_text_at_all():
    unfit, names = foreign(pa.array([], pa.string()))
    assert (unfit.tolist(), names) == ([], [])
    assert unfit.dtype == bool


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            ["the", "and", "with", "you", "granite", "Wetter", "12", "—", "’s", "ab1cd", ".\n,", "```x```", "é", "北"]
        ),
        max_size=60,
    )
)
def test_a_text_that_is_surely_english_is_not_foreign(words):
    """The cheap test of one text agrees with the test of many."""
    text = " ".join(words)
    if surely_english(text):
        assert foreign(pa.array([text])) == (np.array([False]), [None])


def test_english_answers_need_no_detector():
    assert surely_english("Granite domes keep their shape because the crystals interlock — that’s “all” there is.")
    assert not surely_english(GRANITE["GERMAN"])
