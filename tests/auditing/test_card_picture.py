"""The plots of a privacy card are complete and legible on a page 400 pixels wide."""

import itertools
import math
from dataclasses import replace

import pytest

from privrep.auditing.card import card, summary
from privrep.auditing.card_svg import ORANGE, Mark, Zone, curve, histogram, strips
from tests.auditing.test_card import attacker, report, report_of_a_number
from tests.support.card_pages import Page

WIDTH = 368  # of a plot on a page of 400 pixels
LETTER, TALL = 7.6, 13  # pixels of a letter, at most, and of a line


class Drawing(Page):
    """The places of the texts of a plot: (left, right, baseline, text) in pixels."""

    def __init__(self, svg):
        self.texts, self._text = [], None
        super().__init__(svg)

    def handle_starttag(self, tag, attributes):
        super().handle_starttag(tag, attributes)
        self._text = dict(attributes) if tag == "text" else self._text

    def handle_data(self, data):
        if self._text is None:
            return
        x = float(self._text["x"].rstrip("%")) / 100 * WIDTH + float(self._text["dx"])
        width = LETTER * len(data)
        left = x - {"start": 0, "middle": width / 2, "end": width}[self._text["text-anchor"]]
        self.texts.append((left, left + width, float(self._text["y"]), data))
        self._text = None


def is_legible(svg):
    drawing = Drawing(svg)
    height = float(drawing.tags[0][1]["height"])
    for left, right, y, text in drawing.texts:
        assert left > -6 and right < WIDTH + 6 and y + 4 >= TALL and y <= height, text
    for (a, b, y, text), (c, d, z, other) in itertools.combinations(drawing.texts, 2):
        assert b <= c or d <= a or abs(y - z) >= TALL, (text, other)
    return bool(drawing.texts)


@pytest.mark.parametrize(
    ("chance", "limit"), [(0.5, 0.6), (0.5, 0.99), (0.25, 0.35), (0.02, 0.12), (0.0, 0.3)]
)
def test_nothing_in_the_picture_overlaps_or_is_clipped(chance, limit):
    left = max(chance - 0.35 * (1 - chance), 0) if chance else -0.35
    zones = [
        Zone(f"guessing, up to {chance:.2f}", left, "currentColor", 0.05),
        Zone(f"below the limit of {limit:.2f}", chance, "currentColor", 0.2),
        Zone(f"leak, above {limit:.2f}", limit, ORANGE, 0.3),
    ]
    marks = [
        Mark("From one utterance", "kernel_ranks (strongest): 0.712", 0.712, 0.6, 0.8, "diamond"),
        Mark("", "linear: 0.612", 0.612, 0.5, 0.7, "dot"),
        Mark("From all utterances of a person together", "so: 1", 1.0, math.nan, math.nan, "ring"),
    ]
    assert is_legible(strips("", zones, marks, 1.0))


@pytest.mark.parametrize("chance", [0.05, 0.5])
def test_nothing_in_the_other_plots_overlaps_or_is_clipped(chance):
    sizes = (8, 16, 32, 64, 128, 256, 512, 1_024, 1_030)
    for last in range(2, len(sizes) + 1):
        points = [(n, chance + i / 50) for i, n in enumerate(sizes[:last])]
        assert is_legible(curve("", points, chance, "training speakers"))
    for observed in (chance - 0.04, chance, chance + 0.01, 1.0):
        null = [chance + i / 500 for i in range(-9, 9)]
        assert is_legible(histogram("", null, observed=observed, chance=chance))


def alt_texts(html):
    return [attributes["aria-label"] for tag, attributes in Page(html).tags if "role" in attributes]


def test_the_picture_holds_every_number_in_words_too():
    alt = alt_texts(card(report()))[0]
    for text in ("Guessing is 0.50", "a leak is above 0.60", "trees (outside the test): 0.701"):
        assert text in alt
    for text in (
        "kernel (strongest tested): 0.712, bounds 0.655 to 0.777",
        "linear: 0.610, bounds",
    ):
        assert text in alt  # the strongest by the bounds of the verdict
    assert "From all utterances of a person together: strongest attacker: 0.870, bounds" in alt


def test_the_picture_of_a_number_is_of_correlations():
    alt = alt_texts(card(report_of_a_number()))[0]
    assert "correlation of each attacker. Guessing is 0.00" in alt and "UAR" not in alt
    assert "ridge (strongest tested): 0.731, bounds 0.500 to 0.842; kernel_ridge: 0.700" in alt


def test_the_picture_of_four_classes_has_their_chance():
    alt = alt_texts(card(report(chance=0.25, limit=0.35)))[0]
    assert "Guessing is 0.25, and a leak is above 0.35" in alt


def test_where_nothing_is_judged_no_score_is_drawn():
    for shown in (card(report(verdict="not_judged")), summary(report(verdict="not_judged"))):
        assert "There is no picture of the attackers" in Page(shown).text
    assert len(alt_texts(card(report(verdict="not_judged")))) == len(alt_texts(card(report()))) - 1
    assert not alt_texts(summary(report(verdict="not_judged")))


def test_a_score_below_the_left_end_widens_the_scale():
    low = replace(report(), attackers=(attacker("linear", 0.1), attacker("kernel", 0.712)))
    place = Page(card(low)).tags
    circles = [float(a["cx"].rstrip("%")) for tag, a in place if tag == "circle"]
    assert 0 < circles[0] < 10 and not any(x < 0 for x in circles)
