"""A privacy card says what the report says, and nothing that a file smuggled in."""

import math
import re
from dataclasses import fields, is_dataclass, replace

import pytest

from privrep.auditing.card import card
from privrep.auditing.gate import limits_of
from privrep.auditing.questions import Attributes
from privrep.auditing.report import (
    AuditedData,
    AuditReport,
    ClassCount,
    InputRecord,
    PermutationTest,
    SessionResult,
    WorstProtectedSpeaker,
)
from privrep.auditing.terminal import table
from privrep.auditing.threats import OnlineCodeResult, ThreatResult
from privrep.leakage.alignment import Alignment
from privrep.leakage.attacker_results import AttackerResult, VictimResult
from privrep.leakage.attribute_matrix import Attribute
from privrep.leakage.conditional import Explained
from privrep.leakage.decensoring import Decensored
from privrep.leakage.learning_curve import CurvePoint
from privrep.leakage.number_measurement import (
    NumberAttackerResult,
    NumberAttribute,
    NumberMeasurement,
    VictimCorrelation,
)
from privrep.leakage.spike import Sensitivity
from privrep.messages import printable
from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.verdict import Verdict
from tests.support.card_pages import EVIL, Page


def attacker(name, uar, **changed):
    result = AttackerResult(
        name=name,
        uar=uar,
        lower=uar - 0.05,
        upper=uar + 0.05,
        p=0.01,
        minimum_detectable=0.6,
        recalls=(uar, uar),
        null_mean=0.5,
        null_sd=0.03,
        null=(0.45, 0.5, 0.52, 0.5),
        auc=0.7,
        equal_error_rate=0.35,
        tpr_at_1_percent=0.1,
        bits=0.1,
        entropy=1.0,
        chosen=("penalty 1", "penalty 0.1", "penalty 1"),
        deals=6,
    )
    return result._replace(**changed)


CORRELATION = CorrelationVerdict("leaks", 0.731, 0.5, 0.842, 0.01, 0.01, 0.41, 0.3, "As it is.")
VERDICT = Verdict("cannot_tell", 0.5, 0.4, 0.61, 0.4, 0.01, 0.62, 0.6, "So it is.")
REPORT = AuditReport(
    verdict="leaks",
    reason="More than permuted labels explain.",
    attribute="gender",
    score="uar",
    chance=0.5,
    uar=0.712,
    correlation=math.nan,
    lower=0.655,
    upper=0.777,
    limit=0.6,
    p=0.005,
    smallest_p=0.005,
    minimum_detectable=0.631,
    person=VERDICT._replace(uar=0.87),
    beyond_sessions=SessionResult(VERDICT._replace(uar=0.53), "whole sessions", ("iv",), "So."),
    worst_protected=WorstProtectedSpeaker("anna", 0.95, 20),
    strongest="kernel",
    strongest_quick="kernel",
    threats=tuple(
        ThreatResult(threat, "kernel", uar, uar - 0.1, uar + 0.1)
        for threat, uar in (("ignorant", 0.6), ("informed", 0.712), ("5 utterances", 0.81))
    ),
    online_code=OnlineCodeResult("kernel", 0.9, 1.0, 1.0, 1.11, (8, 16)),
    attackers=(attacker("linear", 0.61), attacker("kernel", 0.712)),
    untested={"trees": 0.701},
    victims=(VictimResult(5, 0.81, 0.7, 0.9),),
    leak_by_speakers=tuple(CurvePoint(n, 0.5 + n / 400, 0.01) for n in (8, 16, 32, 60)),
    given=(
        Explained(
            "emotion", 4, 1.0, VERDICT, VERDICT, VERDICT, 0.2, "kernel", "emotion explains it."
        ),
    ),
    attributes=Attributes(
        (Attribute("accent", 3, 1 / 3, VERDICT),),
        (NumberAttribute("height", 31, CORRELATION),),
        {"note": "has 600 values"},
        600,
    ),
    decensoring=Decensored(VERDICT, 0.4, (0.1,)),
    number=None,
    bins=None,
    data=AuditedData(
        classes=tuple(ClassCount(name, 300, 30) for name in ("f", "m")),
        utterances=600,
        speakers=60,
        shape=(600, 16),
        notes=("Something was left out.",),
        inputs=(InputRecord("labels", "labels.csv", "ab" * 32),),
    ),
    test=PermutationTest(0.05, 0.1, 0.3, 200, 10**18, "speakers", 5, 6, 0.25, False, 0),
    not_tested=("Other attributes.",),
    versions={"numpy": "2.4.6"},
    command="privrep audit h.npy labels.csv --attribute=gender --output=out",
    alignment=Alignment("column", "emotion", {"emotion": 0.002}, 0.01, "Emotion is read.", "But."),
    sensitivity=Sensitivity(0.66, (0.631, 0.66)),
    correlation_sensitivity=None,
    limits=limits_of(fail_above=0.6),
    date="2026-01-02T03:04:05+00:00",
)


NUMBER = NumberMeasurement(
    verdict=CORRELATION,
    strongest="ridge",
    attackers={
        name: NumberAttackerResult(name, r, r - 0.1, r + 0.1, 0.01, 0.4, (0.0, 0.1), ("penalty 1",))
        for name, r in (("ridge", 0.731), ("kernel_ridge", 0.7))
    },
    pearson=0.744,
    victims=(VictimCorrelation(5, 0.69, 0.55, 0.8),),
    num_utterances=600,
    num_speakers=60,
    lowest=18.0,
    highest=77.0,
    share_within=0.0,
    num_folds=5,
    num_deals=3,
    permuted_between="speakers",
    num_permutations=200,
    distinct_permutations=10**18,
)


def report(**changed):
    return replace(REPORT, **changed)


def report_of_a_number():
    """Of an age: the headline is the correlation, and its bins are beside it."""
    names = [name for name in CorrelationVerdict._fields if name not in ("correlation", "verdict")]
    headline = {name: getattr(CORRELATION, name) for name in names}
    numbers = {"number": NUMBER, "bins": VERDICT, "score": "correlation", "correlation": 0.731}
    return report(attribute="age", chance=0.0, uar=math.nan, **headline, **numbers)


def everywhere(value, text):
    """`value` with every string in it replaced, but those that are names of ours."""
    kept = ("verdict", "strongest", "strongest_quick", "name", "attacker", "limits")
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in kept]
        return replace(value, **{n: everywhere(getattr(value, n), text) for n in names})
    if hasattr(value, "_asdict"):
        parts = {n: v for n, v in value._asdict().items() if n not in kept or n == "verdict"}
        parts = {
            n: v if isinstance(v, str) and n in kept else everywhere(v, text)
            for n, v in parts.items()
        }
        return value._replace(**parts)
    if isinstance(value, dict):
        return {k: everywhere(v, text) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(everywhere(part, text) for part in value)
    return text if isinstance(value, str) else value


def lines_after_the_headline(text):
    """The lines of a terminal's text from the first table on."""
    return text.partition("\n\n")[2].splitlines()


def test_it_says_what_the_report_says():
    page = Page(card(report()))
    said = " ".join(page.text.split())
    for text in ("It leaks", "0.712", "0.777", "0.655", "0.631", "10^18 or more", "kernel"):
        assert text in said
    for text in ("0.870", "0.530", "0.950", "anna", "0.701", "0.250"):
        assert text in said
    for text in ("failed, exit status 1: gender leaks.", "Made 2026-01-02T03:04:05+00:00"):
        assert text in said
    for text in ("Emotion is read. But.", "UAR 0.631 to 0.660) 0.660 is the smallest that was"):
        assert text in said
    for text in ("Something was left out.", "Other attributes.", "ab" * 32, "numpy 2.4.6"):
        assert text in said
    assert "privrep audit h.npy labels.csv --attribute=gender" in said
    assert "penalty 1; penalty 0.1" in said and page.open == []
    assert sum(attributes.get("role") == "img" for _, attributes in page.tags) == 3


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("leaks", "It leaks"), ("no_leak_shown", "No leak shown"), ("cannot_tell", "Cannot tell")],
)
def test_every_verdict_is_told_by_words_and_shape(verdict, words):
    assert words in Page(card(report(verdict=verdict))).text


def test_what_was_not_judged_has_no_bound():
    unknown = Alignment("nothing", "", {"gender": 0.4}, 0.01, "No column is read.")
    made = report(verdict="not_judged", upper=math.nan, lower=math.nan, alignment=unknown)
    said = " ".join(Page(card(made)).text.split())
    assert "◇ Not judged" in said and "No column is read." in made.headline.sentence
    assert "failed, exit status 4: gender was not judged." in said
    assert "not more than" not in table(made).partition("\n\n")[0]


def test_the_headline_is_the_first_thing_of_card_and_terminal():
    """The headline itself is tested beside its module."""
    made = report()
    said = " ".join(Page(card(made)).text.split())
    headline = made.headline
    parts = [headline.question, headline.word, headline.sentence, *headline.further]
    parts += [part for _, part in headline.parts]
    begin = said.index(headline.question)
    assert begin <= len("Privacy card: gender")
    places = [said.index(part, begin) for part in parts]
    assert places == sorted(places) and places[-1] < said.index("The numbers")
    top, _, rest = table(made).partition("\n\n")
    question, answer, *others = top.splitlines()
    assert (question, answer) == (headline.question, "▲ It leaks")
    assert all(line.startswith("  ") for line in others) and rest.startswith("attacker")
    assert [" ".join(top.split()).count(part) for part in parts] == [1] * len(parts)
    assert "rightly 71 times in 100 from one utterance; guessing 50; with 95% confidence" in said
    assert "not more than 78." in said and "A leak of 64 times in 100 would have been" in said
    assert "From all utterances of a person together: rightly 87 times" in said
    assert "such as a room: rightly 53 times in 100, with 95% confidence not more than 61" in said


def test_the_bound_is_of_these_attackers_and_one_utterance():
    assert (
        "these attackers predict no better from one utterance, at 95% over"
        in Page(card(report())).text
    )


def test_numbers_that_do_not_exist_are_dashes():
    none = {"auc": math.nan, "bits": math.nan, "null": ()}
    changed = report(
        minimum_detectable=math.inf,
        attackers=(attacker("kernel", 0.5, **none),),
        victims=(),
        leak_by_speakers=(CurvePoint(8, 0.5, 0.0),),
    )
    text = Page(card(changed)).text
    assert "–" in text and "None" not in text and "nan" not in text.casefold()
    assert "no leak, however large" in text


def test_it_loads_nothing_runs_nothing_and_is_closed_properly():
    for changed in (report(), everywhere(report(), EVIL)):
        html = card(changed)
        page = Page(html)
        assert page.open == [] and {tag for tag, _ in page.tags} <= {
            *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "div", "b"),
            *("i", "abbr", "code", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"),
            *("details", "summary", "figure", "figcaption"),
            *("svg", "line", "text", "rect", "circle", "path"),
        }
        names = {name for _, attributes in page.tags for name in attributes}
        assert not [n for n in names if n.startswith("on") or n in ("href", "src", "xlink:href")]
        assert not re.search(r"url\(|@import|javascript:", html)
        assert "default-src 'none'" in page.tags[3][1]["content"]
    assert "<script>alert(1)</script>" in Page(html).text  # as text, where it was put


def test_the_terminal_is_steered_by_nothing():
    text = table(everywhere(report(), EVIL))
    assert "\x1b" not in text and "=cmd" in text
    assert printable("a\x9b\u202eb\r\n") == "a\N{REPLACEMENT CHARACTER}" + (
        "\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}\n"
    )


def test_the_terminal_table_has_every_attacker_the_strongest_first():
    lines = lines_after_the_headline(table(report()))
    assert [line.split()[0] for line in lines[:4]] == ["attacker", "kernel", "linear", "trees"]
    assert lines[4].startswith("strongest,") and lines[5].startswith("all of a person")
    assert lines[4].split()[-4:] == ["0.712", "0.655", "0.777", "0.005"]
    assert "gender: leaks. More than permuted labels explain." in lines[-1]
    assert "classes of gender: f (30 speakers), m (30)" in lines


def test_the_terminal_says_who_the_attacker_of_a_threat_is():
    assert "All threats are by kernel. informed: trained on representations" in table(report())
    *others, several = REPORT.threats
    said = table(report(threats=(*others, several._replace(attacker="mlp"))))
    assert "5 utterances by mlp; the other threats by kernel, which is quickly trained." in said


def test_the_headline_is_of_whoever_reads_most():
    for reads, words in ((0.701, "attacker names"), (0.83, "attacker (trees, an attacker outside")):
        sentence = report(untested={"trees": reads}).headline.sentence
        assert words in sentence and ("rightly 83 times" in sentence) == (reads > 0.712)


def test_the_terminal_names_a_dozen_classes_and_none_begins_a_line():
    names = ["x" * 80, "gender: no leak shown. " * 4, *"abcdefghijkl"]
    classes = tuple(ClassCount(name, 9, 3) for name in names)
    lines = table(report(data=replace(REPORT.data, classes=classes))).splitlines()
    assert " ".join(" ".join(lines).split()).count("j (3) and 2 more") == 1
    assert [line for line in lines if line.startswith("gender: ")] == lines[-1:]


def test_a_number_has_a_correlation_first_and_its_bins_beside():
    page = Page(card(report_of_a_number()))
    said = " ".join(page.text.split())
    for text in ("Strongest attacker's correlation", "0.731", "0.842", "0.744", "18 to 77"):
        assert text in said
    assert "In bins: Cannot tell. So it is." in said
    assert "All that follows is about the bins f, m." in said
    lines = lines_after_the_headline(table(report_of_a_number()))
    assert [line.split()[0] for line in lines[:3]] == ["attacker", "ridge", "kernel_ridge"]
    assert "all of a person (up to 5)" in lines[6] and "attacker of classes" in lines[8]
    assert "in bins, f, m: cannot_tell. So it is." in lines
    assert lines[-1] == "age: leaks. As it is."


def test_the_card_of_a_number_is_steered_by_nothing():
    page = Page(card(everywhere(report_of_a_number(), EVIL)))
    assert not page.open and "script" not in {tag for tag, _ in page.tags}
