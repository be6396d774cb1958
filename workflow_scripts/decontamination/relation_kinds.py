"""What a passage may be to a benchmark item, as the judge reads it. The kinds and their wording are ours."""

RELATIONS = {
    "verbatim": "the passage contains the item word for word",
    "edited": "the passage contains the item with a few words, signs or options changed, and the same answer",
    "rephrased": "the passage asks the same in other words, with the same answer",
    "translated": "the passage asks the same in another language",
    "other_numbers": "the same problem with other numbers or names, and so another answer",
    "same_subject": "the passage is about the same subject, or about another one, but asks something else",
}
