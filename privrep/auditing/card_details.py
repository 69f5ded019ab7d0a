"""The folded sections of a privacy card that hold the measurement: every number, plotted (host)."""

import math
from html import escape

from privrep.auditing.answer_tables import interval, number, worded
from privrep.auditing.card_page import folded, table
from privrep.auditing.card_svg import curve, histogram
from privrep.auditing.report import AuditReport
from privrep.auditing.threats import of_victims
from privrep.leakage.headline import ANSWERS
from privrep.statistics.permutation_test import MAX_DISTINCT
from privrep.statistics.verdict import Verdict
from privrep.types import NOT_JUDGED


def details(report: AuditReport) -> str:
    """The sections, each folded; those of which nothing was measured are left out."""
    return "".join(
        folded(title, content)
        for title, content in (
            ("The numbers", _numbers(report)),
            (f"{report.attribute} as a number", _as_a_number(report)),
            ("Threat model", _threat_model(report)),
            ("Attackers", _attackers(report)),
            ("Leak against the number of training speakers", _learning_curve(report)),
            ("Null distribution", _null(report)),
        )
    )


def _numbers(report: AuditReport) -> str:
    test, level = report.test, f"{1 - report.test.alpha:.0%}"
    score, strongest, victim = "UAR", report.strongest, "one utterance"
    tried, possible = test.permutations, test.possible_permutations
    if report.number is not None and report.score == "correlation":
        score, strongest, victim = (
            "correlation",
            report.number.strongest,
            "all utterances of a speaker",
        )
        tried, possible = report.number.num_permutations, report.number.distinct_permutations
    value = report.correlation if score == "correlation" else report.uar
    if report.verdict == NOT_JUDGED:
        detectable = "nothing is judged"
    elif number(report.minimum_detectable) == "–":
        detectable = "no leak, however large, could be shown: p cannot be small enough"
    else:
        detectable = (
            f"the smallest {score} that is detected with 80 % power; lower ones may be missed"
        )
    rows = [
        (f"Strongest attacker's {score}", number(value), strongest),
        ("Chance", number(report.chance), f"{score} of guessing"),
        (
            "Upper bound",
            number(report.upper),
            f"these attackers predict no better from {victim}, at {level} over speakers; "
            "this is the number to read",
        ),
        ("Lower bound", number(report.lower), f"nor worse than this, at {level}"),
        ("Minimum detectable", number(report.minimum_detectable), detectable),
        (
            "p",
            number(report.p),
            f"labels permuted over speakers {tried:,} times of {_count(possible)} possible, the "
            "attackers trained anew each time; the smallest possible p is "
            f"{number(report.smallest_p, 4)}",
        ),
        ("Limit", number(report.limit), f"the {score} above which a leak counts"),
    ]
    return table((), rows + _further_numbers(report), text_columns=3)


def _further_numbers(report: AuditReport) -> list[tuple[str, str, str]]:
    """What else was measured of the attribute, in the form of the rows of `_numbers`."""
    person, sessions, worst = report.person, report.beyond_sessions, report.worst_protected
    several = [
        ("From all utterances of a person", number(person.uar), _tested(person)),
        (
            "Worst-protected speaker",
            number(worst.recall),
            f"share of the {worst.utterances} utterances of {worst.speaker} named rightly",
        ),
    ]
    certain = report.strongest_attacker.tpr_at_1_percent
    if math.isfinite(certain):
        meaning = "true positive rate at 1 % false positives"
        several.append(("Certain identifications", number(certain), meaning))
    if report.beyond is not None and sessions is not None:
        several.append(
            (
                "Beyond sessions",
                number(report.beyond.uar),
                f"{_tested(report.beyond)}. {sessions.note}",
            )
        )
    several += [
        (f"{name} (outside the test)", number(reads), "UAR; trained for the true labels only")
        for name, reads in report.untested.items()
    ]
    if report.test.deals > 1 and math.isfinite(report.test.turned):
        meaning = (
            f"share of the {report.test.deals} deals of folds that by themselves would have given "
            "another verdict"
        )
        several.append(("Turned verdicts", number(report.test.turned), meaning))
    return several


def _tested(verdict: Verdict) -> str:
    if verdict.verdict == NOT_JUDGED:
        return worded(verdict.verdict)
    bounds = interval(verdict.lower, verdict.upper)
    return f"{worded(verdict.verdict)}; bounds {bounds}, p {number(verdict.p)}"


def _as_a_number(report: AuditReport) -> str:
    """The attackers of an attribute that is a number, and what the other sections are about."""
    measured = report.number
    if measured is None or report.bins is None:
        return ""
    rows = [
        (
            result.name + (" (strongest)" if result.name == measured.strongest else ""),
            number(result.correlation),
            interval(result.lower, result.upper),
            number(result.p),
        )
        for result in sorted(measured.attackers.values(), key=lambda r: -r.correlation)
    ]
    names = of_victims([victim.utterances for victim in measured.victims])
    rows += [
        (
            f"{measured.strongest}, {name}",
            number(victim.correlation),
            interval(victim.lower, victim.upper),
            "–",
        )
        for name, victim in zip(names, measured.victims)
    ]
    bins = ", ".join(c.name for c in report.data.classes)
    verdict = report.bins if report.score == "correlation" else measured.verdict
    beside = "In bins" if report.score == "correlation" else "As a number"
    return (
        table(("attacker", "correlation", "bounds", "p"), rows)
        + f'<p class="small">Spearman\'s rank correlation between the number of a held-out speaker '
        f"({measured.lowest:g} to {measured.highest:g}) and its prediction, the mean over the "
        f"speaker's utterances; 0 is no information. Pearson's is {number(measured.pearson)}. "
        f"Speakers were dealt into {measured.num_folds} folds {measured.num_deals} times.</p>"
        f"<p>{beside}: <b>{escape(ANSWERS[verdict.verdict].word)}</b>. {escape(verdict.reason)}</p>"
        f"<p>All that follows is about the bins {escape(bins)}.</p>"
    )


def _count(count: int) -> str:
    return "10^18 or more" if count >= MAX_DISTINCT else f"{count:,}"


def _chance(report: AuditReport) -> float:
    """The UAR of guessing the classes, which are bins where the attribute is a number."""
    return 1 / len(report.data.classes)


def _threat_model(report: AuditReport) -> str:
    data, attribute = report.data, escape(report.attribute)
    return (
        "<p>The attacker holds representations like these of other speakers, "
        f"whose {attribute} is known (an <i>informed</i> attacker), trains on them, and predicts "
        f"the {attribute} of held-out speakers from the representations alone. All "
        f"{data.speakers:,} speakers are tested once in each of {report.test.deals} deals of "
        f"{report.test.folds} folds; each attacker "
        "is tuned on validation speakers. The sampling unit is the speaker, not the "
        f"utterance ({data.utterances:,}): bounds and p come from permuting {attribute} between "
        f"{escape(report.test.permuted_between)}.</p><p class='small'>UAR is the mean recall over "
        "the classes. A UAR below chance is a leak too if it is lower than permuted labels "
        "explain.</p>"
    )


def _attackers(report: AuditReport) -> str:
    rows = []
    for result in sorted(report.attackers, key=lambda result: -result.uar):
        is_strongest = result.name == report.strongest
        rows.append(
            (
                result.name + (" (strongest)" if is_strongest else ""),
                "; ".join(dict.fromkeys(result.chosen)),
                number(result.uar),
                interval(result.lower, result.upper),
                number(result.p),
                number(result.auc),
                number(result.bits),
            )
        )
    header = ("attacker", "selected on validation speakers", "UAR", "bounds", "p", "AUC", "bits")
    return (
        table(header, rows, text_columns=2)
        + '<p class="small">Bounds and p of an attacker are for this attacker alone; those above '
        "are corrected for having selected the strongest. Bits are V-information per utterance."
        "</p>"
    )


def _learning_curve(report: AuditReport) -> str:
    points = [(point.speakers, point.uar) for point in report.leak_by_speakers]
    if len(points) < 2:
        return ""
    scores = "; ".join(f"{score:.3f} with {speakers:g} speakers" for speakers, score in points)
    return (
        "<figure>"
        + curve(
            f"UAR of {report.strongest_quick}, chance {_chance(report):.3f}. {scores}.",
            points,
            _chance(report),
            "training speakers",
        )
        + f"<figcaption>The attacker {escape(report.strongest_quick)}, trained on fewer speakers. "
        "If the curve still rises at its right end, an attacker with more speakers has a higher "
        "UAR than this card shows.</figcaption></figure>"
    )


def _null(report: AuditReport) -> str:
    strongest = report.strongest_attacker
    if not strongest.null:
        return ""
    return (
        "<figure>"
        + histogram(
            f"UAR {strongest.uar:.3f} observed, {min(strongest.null):.3f} to "
            f"{max(strongest.null):.3f} under {len(strongest.null):,} permuted labellings, chance "
            f"{_chance(report):.3f}.",
            strongest.null,
            observed=strongest.uar,
            chance=_chance(report),
        )
        + "<figcaption>UAR of the strongest attacker after the labels have been permuted between "
        "speakers, so that nothing can be learned: the random variation with this many speakers."
        "</figcaption></figure>"
    )
