"""The notes below the tables of all settings: how to read them, and what was wrong with runs."""

from collections.abc import Iterator, Sequence

from experiments.results.selected import named, network_name
from experiments.results.summary import (
    MEMORISED,
    Entry,
    attributes,
    blocks,
    emotion_name,
    is_transductive,
    varying,
)

TRANSDUCTIVE = (
    "transductive: the state of a person (mean, covariance) is of the very utterances that are "
    "scored. No device knows them beforehand: these rows are no results to quote and are never "
    "chosen. --enrolment=20 takes the state from utterances that are not scored."
)


def fixed_settings(summary: Sequence[Entry]) -> str:
    """The settings that are the same everywhere, name=value; "" where there is none."""
    changing = [*varying(summary), "lambda"]
    first = summary[0]["settings"] if summary else {}
    return " ".join(
        f"{n}={v}" for n, v in first.items() if n not in changing and v not in (None, "")
    )


def notes_of_all(summary: Sequence[Entry]) -> Iterator[str]:
    """Of the table of all speakers together."""
    yield "On all test speakers together, the predictions of all folds and seeds."
    if any(entry["interval"] for entry in summary):
        yield f"95 %: confidence interval of {emotion_name(summary)} over test speakers."
    if any(entry["verdicts"] for entry in summary):
        yield (
            "attacker: the highest UAR of several freshly trained ones; by: which one. Those "
            "called seen know h of the network's own training and validation speakers, those "
            "called own also of other speakers, whom the network has not seen. upper bound: of the "
            "attacker's UAR, at 95 % confidence."
        )
        yield (
            "verdict: permutation test (up to 10,000 utterances), with linear and kernel attackers "
            "that are trained afresh for every permutation of the labels over speakers. With "
            "several seeds the bounds are the widest of theirs, and it leaks where twice the "
            "median p is 0.05 or less."
        )
        yield (
            "minimum detectable: the smallest UAR that this test detects with 80 % power; none "
            "where not even UAR 1 would be detected, because with so few speakers p cannot reach "
            "0.05."
        )


def notes_of_means(summary: Sequence[Entry]) -> Iterator[str]:
    """Of the table of means over folds and seeds."""
    yield (
        "UAR on test speakers, mean±standard deviation over n runs (folds x seeds). The deviation "
        "is no confidence interval: the sample is the speakers, not the runs. attacker: the one "
        "that is best on validation in each run. privacy = 1 - attacker."
    )
    if any(entry["change"] for entry in summary):
        yield "change: mean difference from the ordinary network, paired by fold and seed."


def notes_of_both(summary: Sequence[Entry]) -> Iterator[str]:
    """Of what was measured and went wrong, whatever the table."""
    if "CCC" in emotion_name(summary):
        yield (
            "CCC: concordance correlation coefficient of the predicted ratings, 1 where all are "
            "right and 0 for a constant or for guessing; a regression has it in place of UAR."
        )
    if any("speaker" in attributes(entry) for entry in summary):
        yield (
            "speaker: the attacker verifies held-out speakers, and scores 1 - equal error rate "
            "(chance 0.5). The adversary has no score, because its classes are the training "
            "speakers."
        )
    if any(map(is_transductive, summary)):
        yield TRANSDUCTIVE
    for title, entries in blocks(summary):
        yield from _notes_of_block(title, entries)


def _notes_of_block(title: str, entries: Sequence[Entry]) -> list[str]:
    """What was wrong with runs of a block: a note per kind, with the networks and their counts."""
    notes = []
    if diverged := _counted(entries, "diverged"):
        notes.append(f"{title}: runs that diverged are left out ({diverged}).")
    if collapsed := _counted(entries, "collapsed"):
        notes.append(
            f"* {title}: runs that collapsed (emotion at chance on validation, or h of one "
            f"direction; {collapsed}) are left out of privacy, because an h without information is "
            "not private; a starred mean is over the other runs, that of the attacker over all."
        )
    if lagging := _counted(entries, "lagging"):
        notes.append(
            f"{title}: runs whose adversary stood at chance on the very utterances that it was "
            f"trained on ({lagging}). It did not find what it should have taken away, and such a "
            "reversal can raise the leak: these networks are chosen after all others, and no "
            "privacy is marked as better. An adversary that leads: --recipe=strong."
        )
    memorised = [e for e in entries if e["memorised"] and not e["control"]]
    if memorised:
        runs = _counted(memorised, "memorised")
        score = emotion_name(memorised)
        least = " or ".join(f"{MEMORISED[name]}" for name in MEMORISED if name in score)
        notes.append(
            f"{title}: networks know their training utterances by heart ({score} of {least} or "
            f"more on them; {runs}). h of training utterances then looks unlike h of new ones, and "
            "attackers who learn from training speakers (seen) are weaker than the leak: read "
            "those called own."
        )
    closed = [e for e in entries if e["closed_set"] and "speaker" in attributes(e)]
    if closed:
        accuracies = ", ".join(f"{named(e)} {e['closed_set']['accuracy']:.3f}" for e in closed)
        notes.append(
            f"{title}: accuracy of an attacker who identifies which training speaker spoke: "
            f"{accuracies} (chance {closed[0]['closed_set']['chance']:.3f}). This is a "
            "closed set of speakers; verification of held-out speakers is the harder test of "
            "privacy."
        )
    return notes


def _counted(entries: Sequence[Entry], kind: str) -> str:
    """Such as "paper, λ 1: 2 of 3 runs": the networks of which runs are of this kind."""
    return "; ".join(
        f"{network_name(e)}: {e[kind]} of {e['n'] + e['diverged'] * (kind == 'diverged')} runs"
        for e in entries
        if e[kind] and not e["control"]
    )
