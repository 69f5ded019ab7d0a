"""A privacy card says what the report says, and nothing that a file smuggled in."""

import json
import re

import pytest

from privrep.auditing.card import card
from privrep.cli import printable, table
from tests.support.card_pages import EVIL, Page


def attacker(name, uar, **changed):
    return {
        "name": name,
        "uar": uar,
        "lower": uar - 0.05,
        "upper": uar + 0.05,
        "p": 0.01,
        "detectable": 0.6,
        "null": [0.45, 0.5, 0.52, 0.5],
        "auc": 0.7,
        "bits": 0.1,
        "chosen": ["penalty 1", "penalty 0.1", "penalty 1"],
    } | changed


VERDICT = {"verdict": "cannot_tell", "uar": 0.5, "upper": 0.61, "p": 0.4}


def explained(name):
    told = {"name": name, "says": f"{name} explains it.", "shared": 0.2, "share": 1.0}
    return told | {"total": VERDICT, "alone": VERDICT, "given": VERDICT}


def report(**changed):
    return {
        "verdict": "leaks",
        "reason": "More than exchanged labels explain.",
        "attribute": "gender",
        "chance": 0.5,
        "uar": 0.712,
        "lower_bound": 0.655,
        "upper_bound": 0.777,
        "limit": 0.6,
        "p": 0.005,
        "smallest_p": 0.005,
        "minimum_detectable": 0.631,
        "strongest": "kernel",
        "strongest_quick": "kernel",
        "threats": [
            {"threat": t, "attacker": "kernel", "uar": u, "lower": u - 0.1, "upper": u + 0.1}
            for t, u in (("ignorant", 0.6), ("informed", 0.712), ("5 utterances", 0.81))
        ],
        "online_code": {"bits": 0.9, "uniform": 1.0, "compression": 1.11, "attacker": "kernel"},
        "attackers": [attacker("linear", 0.61), attacker("kernel", 0.712)],
        "victims": [{"k": 5, "uar": 0.81, "lower": 0.7, "upper": 0.9}],
        "leak_by_speakers": [{"speakers": n, "uar": 0.5 + n / 400} for n in (8, 16, 32, 60)],
        "given": [explained("emotion")],
        "attributes": {
            "found": [{"name": "accent", "classes": 3, "chance": 1 / 3, "verdict": VERDICT}],
            "left_out": {"note": "has 600 values"},
            "utterances": 600,
        },
        "decensoring": {"verdict": VERDICT, "explained": 0.4, "ridges": [0.1]},
        "data": {
            "classes": [{"name": c, "utterances": 300, "speakers": 30} for c in ("f", "m")],
            "utterances": 600,
            "speakers": 60,
            "shape": [600, 16],
            "notes": ["Something was left out."],
            "inputs": [{"role": "labels", "name": "labels.csv", "sha256": "ab" * 32}],
        },
        "test": {
            "alpha": 0.05,
            "limit": 0.1,
            "permutations": 200,
            "possible_permutations": 10**18,
            "exchanged": "speakers",
            "folds": 5,
            "seed": 0,
        },
        "not_tested": ["Other attributes."],
        "versions": {"numpy": "2.4.6"},
        "command": "privrep audit h.npy labels.csv --attribute=gender --output=out",
    } | changed


def everywhere(value, text):
    """`value` with every string in it replaced, but those that are names of ours."""
    if isinstance(value, dict):
        kept = ("verdict", "strongest", "strongest_quick", "name", "attacker")
        return {k: v if k in kept else everywhere(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [everywhere(one, text) for one in value]
    return text if isinstance(value, str) else value


def test_it_says_what_the_report_says():
    page = Page(card(report()))
    said = " ".join(page.text.split())
    for text in ("It leaks", "0.712", "0.777", "0.655", "0.631", "10^18 or more", "kernel"):
        assert text in said
    for text in ("Something was left out.", "Other attributes.", "ab" * 32, "numpy 2.4.6"):
        assert text in said
    assert "privrep audit h.npy labels.csv --attribute=gender" in said
    assert "penalty 1; penalty 0.1" in said and page.open == []
    assert sum(tag == "svg" for tag, _ in page.tags) == 3


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("leaks", "It leaks"), ("no_leak_shown", "No leak shown"), ("cannot_tell", "Cannot tell")],
)
def test_every_verdict_is_told_by_words_and_shape(verdict, words):
    assert words in Page(card(report(verdict=verdict))).text


def test_the_bound_is_of_these_attackers_and_one_utterance():
    assert "these attackers find no more in one utterance, at 95% over" in Page(card(report())).text


def test_numbers_that_do_not_exist_are_dashes():
    none = {"auc": None, "bits": None, "null": []}
    changed = report(
        minimum_detectable=None,
        attackers=[attacker("kernel", 0.5, **none)],
        victims=[],
        leak_by_speakers=[{"speakers": 8, "uar": 0.5}],
    )
    text = Page(card(changed)).text
    assert "–" in text and "None" not in text and "nan" not in text.casefold()
    assert "no leak, however large" in text


def test_it_loads_nothing_runs_nothing_and_is_closed_properly():
    for changed in (report(), everywhere(report(), EVIL)):
        html = card(changed)
        page = Page(html)
        assert page.open == [] and {tag for tag, _ in page.tags} <= {
            *("html", "head", "meta", "title", "style", "body", "h1", "h2", "div", "b", "br", "i"),
            *("code", "p", "table", "tr", "th", "td", "ul", "li", "figure", "figcaption"),
            *("svg", "line", "text", "rect", "circle", "path", "polyline"),
        }
        names = {name for _, attributes in page.tags for name in attributes}
        assert not [n for n in names if n.startswith("on") or n in ("href", "src", "xlink:href")]
        assert not re.search(r"url\(|@import|javascript:", html)
        assert "default-src 'none'" in page.tags[3][1]["content"]
        assert json.dumps(changed)  # the report itself is plain
    assert "<script>alert(1)</script>" in Page(html).text  # as text, where it was put


def test_the_terminal_is_steered_by_nothing():
    text = table(everywhere(report(), EVIL))
    assert "\x1b" not in text and "=cmd" in text
    assert printable("a\x9b\u202eb\r\n") == "a\N{REPLACEMENT CHARACTER}" + (
        "\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}\n"
    )


def test_the_terminal_table_has_every_attacker_the_strongest_first():
    lines = table(report()).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["attacker", "kernel", "linear", "strongest,"]
    assert lines[3].split()[-4:] == ["0.712", "0.655", "0.777", "0.005"]
    assert "gender: leaks. More than exchanged labels explain." in lines[-1]
    assert "classes of gender: f (30 speakers), m (30)" in lines


def test_the_terminal_says_who_the_attacker_of_a_threat_is():
    assert "All threats are by kernel.\n" in table(report())
    said = table(report(strongest="mlp", attackers=[attacker("mlp", 0.8)]))
    assert "k utterances are by mlp, the other threats by kernel, which is quickly trained." in said


def test_the_terminal_names_a_dozen_classes_and_none_begins_a_line():
    data = report()["data"]
    names = ["x" * 80, "gender: no leak shown. " * 4, *"abcdefghijkl"]
    classes = [{"name": name, "utterances": 9, "speakers": 3} for name in names]
    lines = table(report(data=data | {"classes": classes})).splitlines()
    assert " ".join(" ".join(lines).split()).count("j (3) and 2 more") == 1
    assert [line for line in lines if line.startswith("gender: ")] == lines[-1:]
