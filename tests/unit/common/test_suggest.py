"""Hints for misspelt names."""

from workflow_scripts.common.suggest import LISTED_NAMES, suggest

STONES = ["granite", "basalt", "sandstone", "sandstones"]


def test_the_closest_name_is_suggested():
    assert suggest("granit", STONES) == "did you mean `granite`?"
    assert suggest("granit", iter(STONES)) == "did you mean `granite`?"


def test_several_close_names_are_suggested():
    assert suggest("sandstne", STONES, count=3) == "did you mean `sandstone` or `sandstones`?"


def test_without_a_close_name_all_names_are_listed():
    assert suggest("zzz", STONES) == "known here: granite, basalt, sandstone, sandstones."
    assert suggest("zzz", []) == "no known name is similar."


def test_a_list_that_is_too_long_is_left_out():
    names = [f"stone-{number}" for number in range(LISTED_NAMES + 1)]
    assert suggest("zzz", names) == "no known name is similar."
    assert suggest("zzz", names[1:]).startswith("known here: stone-1, ")
