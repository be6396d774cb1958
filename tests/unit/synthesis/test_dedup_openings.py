"""Which of several near-duplicate openings is kept, compared with a pairwise reference implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.synthesis.dedup_openings import (
    category,
    find_duplicate_openings,
    has_generated_opening,
)
from workflow_scripts.synthesis.recipe import TECHNIQUES

# Unit vectors whose products are exact in any order of summation. Squared distances are 0, 1, 2, 3, 4.
CORNERS = [np.array([a, b, c, d]) / 2 for a in (1, -1) for b in (1, -1) for c in (1, -1) for d in (1, -1)]
OPENING_TECHNIQUES = {name for name, technique in TECHNIQUES.items() if technique.source}
VECTORS = np.array([*CORNERS, *np.eye(4)], dtype=np.float32)
BY_CATEGORY = {"riddle": 1.0, "coding": 2.0, "post": 0.5}


def row(*steps, chars=10, kind="instruction"):
    """A conversation with these steps: names of techniques, or (name, other keys of the step)."""
    steps = [{"name": step} if isinstance(step, str) else {"name": step[0], **step[1]} for step in (*steps, "amplify")]
    names = [step["name"] for step in steps]
    opening = next((name for name in reversed(names) if name in OPENING_TECHNIQUES), "seed")
    provenance = {"kind": kind, "techniques": names, "steps": steps, "opening": opening}
    talk = [{"input": "Q" * 5, "output": "A" * (chars - 5)}, {"input": "More?", "output": "Z" * 999}]
    return {"conversation": talk, "provenance": provenance}


def judged(score=None, name="general", **more):
    return row(("airoboros", {"category": name, "score": score}), **more)


def same(rows, **more):
    """The duplicates if all openings have the same vector."""
    return find_duplicate_openings(rows, VECTORS[[0] * len(rows)], 0.1, more)


ROWS = st.lists(
    st.tuples(
        st.integers(0, len(VECTORS) - 1),
        st.one_of(
            st.builds(row, chars=st.integers(5, 8), kind=st.sampled_from(["instruction", "post"])),
            st.builds(row, st.sampled_from(sorted(OPENING_TECHNIQUES - {"airoboros"})), chars=st.integers(5, 8)),
            st.builds(row, st.just("orca"), chars=st.integers(5, 8)),
            st.builds(
                judged,
                st.sampled_from([None, 80, 90, 100]),
                st.sampled_from(["riddle", "coding", "general"]),
                chars=st.integers(5, 8),
            ),
        ),
    ),
    max_size=12,
)


def reference(rows, vectors, semantic):
    """Follow links from row to row; of a group with a generated opening, all generated ones but the best are duplicates."""

    def linked(one, other):
        later = rows[max(one, other)]
        most = BY_CATEGORY.get(category(later), semantic)
        return one != other and float(((vectors[one] - vectors[other]) ** 2).sum()) <= most

    left, duplicates = set(range(len(rows))), {}
    while left:
        group, reached = set(), {min(left)}
        while reached - group:
            member = min(reached - group)
            group.add(member)
            reached |= {other for other in left if linked(member, other)}
        left -= group

        def worth(member):
            own, first = rows[member], rows[member]["conversation"][0]
            score = next((step["score"] for step in own["provenance"]["steps"] if step.get("score") is not None), 100)
            return (has_generated_opening(own), -score, -len(first["input"] + first["output"]), member)

        best = min(group, key=worth)
        for member in group - {best}:
            if has_generated_opening(rows[member]):
                duplicates[member] = best, float(((vectors[member] - vectors[best]) ** 2).sum())
    return duplicates


@given(ROWS, st.sampled_from([0.0, 0.5, 1.0, 1.5]))
def test_results_equal_a_pairwise_comparison(drawn, semantic):
    rows, vectors = [one for _, one in drawn], VECTORS[[at for at, _ in drawn]].reshape(-1, 4)
    duplicates = find_duplicate_openings(rows, vectors, semantic, BY_CATEGORY)
    assert duplicates == reference(rows, vectors, semantic)
    assert all(has_generated_opening(rows[member]) for member in duplicates)
    assert not {kept for kept, _ in duplicates.values()} & set(duplicates)


@pytest.mark.parametrize("technique", sorted(OPENING_TECHNIQUES))
def test_techniques_that_generate_the_opening(technique):
    assert has_generated_opening(row(technique)) and has_generated_opening(row("orca", technique))
    assert not has_generated_opening(row()) and not has_generated_opening(row("orca"))


def test_a_category_is_that_of_airoboros_or_the_kind_of_the_opening():
    assert category(judged(name="riddle")) == "riddle"
    assert category(row(kind="post")) == "post"


def test_a_seeds_own_opening_is_never_removed():
    assert same([row(), row(), row("orca")]) == {}
    assert same([judged(100, chars=900), row(), row("flask", chars=900), row()]) == {0: (1, 0.0), 2: (1, 0.0)}


def test_the_best_score_is_kept_then_the_longest_then_the_first():
    assert same([judged(80, chars=99), judged(90), judged(85, chars=99)]) == {0: (1, 0.0), 2: (1, 0.0)}
    assert same([row("flask"), row("flask", chars=11)]) == {0: (1, 0.0)}
    assert same([row("flask")] * 3) == {1: (0, 0.0), 2: (0, 0.0)}
    # An opening that was not judged has the maximum score.
    assert same([judged(99, chars=99), judged(None), row("flask", chars=9)]) == {0: (1, 0.0), 2: (1, 0.0)}


def test_only_the_first_exchange_counts():
    rows = [row("flask"), row("flask")]
    rows[1]["conversation"].append({"input": "More?", "output": "Z" * 9999})
    assert same(rows) == {1: (0, 0.0)}


def test_a_chain_is_one_group():
    angles = np.arange(4) * 0.2
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    duplicates = find_duplicate_openings([row("flask", chars=10 + at) for at in range(4)], vectors, 0.05, {})
    assert {member: kept for member, (kept, _) in duplicates.items()} == {0: 3, 1: 3, 2: 3}
    assert duplicates[0][1] == pytest.approx(2 - 2 * np.cos(0.6), abs=1e-5)  # reported although it is above the limit


def test_the_distance_is_that_of_the_later_rows_category():
    vectors = VECTORS[[0, 1]]  # 1 apart
    rows = [judged(name="riddle"), judged(name="general")]
    assert find_duplicate_openings(rows, vectors, 0.5, BY_CATEGORY) == {}
    assert find_duplicate_openings(rows[::-1], vectors, 0.5, BY_CATEGORY) == {1: (0, 1.0)}


def test_a_distance_is_never_negative():
    """Rounding may put the product of equal vectors above 1."""
    vectors = np.full((2, 7), 1 / np.sqrt(7), np.float32) * np.float32(1.0000001)
    ((_, distance),) = find_duplicate_openings([row("flask"), row("flask")], vectors, 0.01, {}).values()
    assert distance == 0


def test_no_rows():
    assert find_duplicate_openings([], np.zeros((0, 4), np.float32), 0.1, {}) == {}
