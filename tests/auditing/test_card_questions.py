"""What a privacy card says of the questions of data protection, and how the page is laid out."""

import math

import pytest

from privrep.auditing.card import card
from privrep.auditing.card_page import GLOSSARY, explained, table
from privrep.auditing.questions import Attributes
from privrep.leakage.attribute_matrix import Attribute
from tests.auditing.test_card import VERDICT, report, report_of_a_number
from tests.support.card_pages import EVIL, Page

LEAKS = VERDICT._replace(verdict="leaks", uar=0.83, lower=0.8, upper=0.88)


def rows(made):
    """{question: answer, figure, how} of the card."""
    said = Page(card(made)).text.partition("What data protection asks")[2].partition("Details")[0]
    lines = said.splitlines()
    places = [i for i, line in enumerate(lines) if "Linkability" in line or "Inference" in line]
    assert "Singling out" in said and len(places) == 3
    return [" ".join(lines[i : i + 4]) for i in places]


def with_attributes(*attributes, left_out=()):
    return report(attributes=Attributes(attributes, (), dict(left_out), 600))


def test_linkability_is_the_verification_of_speakers():
    made = with_attributes(
        Attribute("speaker", 2, 0.5, LEAKS), Attribute("speaker, all pairs", 2, 0.5, VERDICT)
    )
    linkability, inference, others = rows(made)
    assert (
        "It leaks 1 − equal error rate 0.830, bounds 0.800 to 0.880; guessing 0.50" in linkability
    )
    assert "can gender be deduced? It leaks UAR from one utterance 0.712" in inference
    assert "not measured" in others  # pairs of speakers are no further attribute


def test_what_was_not_measured_says_why():
    assert "not measured – The speakers were not compared." in rows(with_attributes())[0]
    why = {"speaker": "has 3 speakers, and 4 are needed"}
    said = rows(with_attributes(left_out=why.items()))[0]
    assert "not measured – Has 3 speakers, and 4 are needed." in said


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (("leaks", "cannot_tell"), "Some leaks 1 of 2 other columns: a"),
        (("no_leak_shown", "no_leak_shown"), "No leak shown 0 of 2 other columns"),
        (("no_leak_shown", "cannot_tell"), "Cannot tell 0 of 2 other columns"),
        (("not_judged", "not_judged"), "Not judged 0 of 2 other columns"),
    ],
)
def test_other_attributes_are_summed_up_by_the_worst(verdicts, words):
    names = zip("ab", verdicts)
    made = with_attributes(
        *(Attribute(name, 2, 0.5, VERDICT._replace(verdict=verdict)) for name, verdict in names)
    )
    assert words in rows(made)[2]


def test_a_number_is_inferred_by_its_correlation():
    assert "can age be deduced? It leaks correlation 0.731, bounds" in rows(report_of_a_number())[1]


def test_what_was_not_judged_has_no_figure():
    unjudged = VERDICT._replace(verdict="not_judged", upper=math.nan, lower=math.nan)
    made = with_attributes(Attribute("speaker", 2, 0.5, unjudged))
    assert "Not judged –" in rows(made)[0]


def test_all_but_headline_picture_and_questions_is_folded():
    """A table, list or plot of the details outside a fold would hide the next in a long page."""
    tags = [tag for tag, _ in Page(card(report())).tags]
    first = tags.index("details")
    assert tags[:first].count("table") == 2 and tags[:first].count("figure") == 1
    assert tags.count("details") == tags.count("summary") >= 10
    folds = [attributes for tag, attributes in Page(card(report())).tags if tag == "details"]
    assert not any("open" in attributes for attributes in folds)


def test_terms_explain_themselves_to_the_mouse_and_to_the_keyboard():
    terms = [a for tag, a in Page(card(report())).tags if tag == "abbr"]
    assert all(a["tabindex"] == "0" and a["title"] in GLOSSARY.values() for a in terms)
    assert {GLOSSARY[term] for term in ("uar", "attacker", "upper bound", "p")} <= {
        a["title"] for a in terms
    }
    assert explained("UAR, UAR and apps").count("<abbr") == 1
    assert Page(explained(f"UAR {EVIL}")).text == f"UAR {EVIL}"


def test_a_narrow_page_names_the_cells_that_it_lists():
    cells = Page(table(("attacker", EVIL), [("linear", EVIL)])).tags
    assert [a["data-name"] for tag, a in cells if tag == "td"] == [EVIL]
