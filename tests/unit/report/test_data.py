"""The data section, compared with counts by hand."""

import pytest

from workflow_scripts.report import data


def talk(source="Dove", exchanges=1, user="ab", answer="cdef", **provenance):
    return {
        "source": source,
        "conversation": [{"input": user, "output": answer}] * exchanges,
        "provenance": {"license": "MIT", "techniques": [], **provenance},
    }


@pytest.fixture
def measured():
    moves = [{"name": "evol_instruct"}, {"name": "amplify", "moves": ["deepen", "compare"]}]
    return data.Measured(
        [
            talk(exchanges=2),
            talk(domain=None),
            talk(
                "Airoboros", 3, answer="x" * 400, techniques=["evol_instruct", "amplify"], steps=moves, domain="Math",
                skills=["Factuality", "Conciseness", "Readability"], difficulty="expert level", license="Apache-2.0",
            ),
            talk("Airoboros", 12),
        ]
    )  # fmt: skip


def test_counts(measured):
    assert (measured.conversations, measured.multi_turn) == (4, 3)
    assert measured.ordered("domains") == {data.NOT_LABELLED: 3, "Math": 1}
    assert measured.ordered("skills")["Factuality"] == 1
    assert measured.ordered("paths") == {"unchanged": 3, "evol_instruct > amplify": 1}
    assert measured.ordered("moves") == {"compare": 1, "deepen": 1}
    assert measured.ordered("licences") == {"MIT": 3, "Apache-2.0": 1}


def test_every_number_of_exchanges_and_length_has_a_bar(measured):
    assert data.exchanges(measured) == {
        **{str(number): 0 for number in range(1, 9)}, "1": 1, "2": 1, "3": 1, "more than 8": 1
    }  # fmt: skip
    lengths = data.lengths(measured)
    assert lengths["0 to 500"] == 3 and lengths["1,000 to 2,000"] == 1 and list(lengths)[-1] == "16,000 or more"


def test_each_source_is_compared_with_the_released_file(measured):
    rows = {row["source"]: row for row in data.composition(measured)}
    assert rows["Airoboros"]["share"] == 50 and rows["Airoboros"]["published"] == 3516
    assert rows["Airoboros"]["published_share"] == pytest.approx(100 * 3516 / 16006)
    assert rows["Airoboros"]["means"] == {"exchanges": 7.5, "user_chars": 2, "answer_chars": round((1200 + 48) / 15)}
    assert rows["Airoboros"]["published_means"]["exchanges"] == 3.39
    assert rows["GOAT"]["conversations"] == 0 and rows["GOAT"]["means"] == {}


def test_a_source_that_is_not_in_the_released_file():
    row = data.composition(data.Measured([talk("Mine")]))[0]
    assert (row["source"], row["published"], row["published_share"]) == ("Mine", None, None)


def test_every_figure_has_its_data(measured):
    figures = {figure.alt: figure for figure in data.data_figures(measured, data.composition(measured))}
    assert figures["Conversations by domain"].rows == [[data.NOT_LABELLED, "3"], ["Math", "1"]]
    assert figures["Share of each source in this run and in the released file"].rows[0] == ["Dove", "50.0 %", "23.1 %"]


def test_further_sources_share_a_row_and_a_bar():
    measured = data.Measured(
        [talk(f"source {number}", domain=f"domain {number}") for number in range(100)] + [talk("Mine")] * 2
    )
    rows = data.composition(measured)
    assert (rows[0]["source"], rows[0]["conversations"]) == ("61 other sources", 61)
    assert sum(row["conversations"] for row in rows) == 102 and rows[1]["source"] == "Mine"
    domains = next(figure for figure in data.data_figures(measured, rows) if figure.alt == "Conversations by domain")
    assert len(domains.rows) == 31 and domains.rows[-1] == ["71 others", "71"]
