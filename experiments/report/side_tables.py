"""The short tables below the main one, about all speakers together, from a summary."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.results.seeds import READ, RECOGNISED
from experiments.results.selected import network_name
from experiments.results.summary import Entry, attributes, blocks, varying
from privrep.types import ALPHA

_DISAGREE = "†"


class SideTable(NamedTuple):
    """A table with its explanation.

    Attributes:
      title: as a heading.
      header: names of the columns.
      lines: as many cells each, or none for an empty line.
      note: how to read it; an empty line stands between its paragraphs.
    """

    title: str
    header: list[str]
    lines: list[list[str]]
    note: str


def side_tables(summary: Sequence[Entry]) -> list[SideTable]:
    """The tables that have a line: scores of emotion, tasks read from h, health of the training,
    change over speakers, what attackers know, several utterances of a person, attributes that are
    numbers, what sessions and the emotion label explain, other attributes that h reveals,
    membership."""
    made = (_recognised, _reads, _health, _changes, _knowledge, _victims, _numbers)
    tables = [of(summary) for of in (*made, _beyond_sessions, _given, _others, _membership)]
    return [table for table in tables if table.lines]


def _recognised(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        scores = entry["recognised"]
        if scores:
            pair = [_with_interval(scores.get(name, {})) for name in RECOGNISED]
            recalls = [
                f"{name} {scores[f'recall_{name}']['score']:.2f}"
                for name in entry["confusion"]  # in the order of the classes
                if f"recall_{name}" in scores
            ]
            lines.append([*cells, *pair, ", ".join(recalls), *_gap(entry["gaps"])])
    return SideTable(
        "Emotion recognition: further scores",
        [*_columns(summary), "macro-F1", "weighted accuracy", "recall by class", "gap", "95 %"],
        lines,
        "On all test speakers, the predictions of all folds and seeds together; in brackets 95 % "
        "intervals over speakers. weighted accuracy: share of utterances recognised, whatever "
        "their class. gap: UAR of emotion among the speakers of the value named less that among "
        "the others. Where its interval holds 0, no difference between the groups is shown.",
    )


def _with_interval(result: Mapping[str, float]) -> str:
    return f"{result['score']:.3f} ({result['lower']:.2f}-{result['upper']:.2f})" if result else "-"


def _gap(gaps: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The largest gap between groups of speakers, and its interval."""
    if not gaps:
        return ["", ""]
    group = max(gaps, key=lambda name: abs(gaps[name]["difference"]))
    gap = gaps[group]
    value = f"{group.partition('=')[2]} {gap['difference']:+.3f}"
    return [value, f"{gap['lower']:+.3f} to {gap['upper']:+.3f}"]


def _reads(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for task, read in entry["reads"].items():
            name = "ccc" if "ccc" in read else "uar"
            change = entry["over_speakers"].get(f"{task}{READ}", {})
            scores = [name.upper(), score(read[name]), ends(read)]
            scores += [score(read["chance"]), f"{change['difference']:+.3f}" if change else ""]
            interval = f"{change['lower']:+.3f} to {change['upper']:+.3f}" if change else ""
            lines.append([*cells, task, *scores, interval])
    header = ["task read", "score", "read", "95 %", "chance", "change", "95 % of it"]
    return SideTable(
        "Tasks read from h by a linear reader",
        [*_columns(summary), *header],
        lines,
        "How well a freshly trained linear reader reads each task of the corpus from h, whatever h "
        "was trained for; on test speakers, held out from the network and the reader, all "
        "folds and seeds together, with intervals over speakers. change: from the ordinary "
        "network, paired over speakers.",
    )


def _health(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        health = entry["health"]
        for a in attributes(entry) if health.get("chosen_step") else ():
            in_training = [
                score(health.get(f"train_{a}_adversary_{name}")) for name in ("uar", "constant")
            ]
            kept = [score(read.get("uar", read.get("ccc"))) for read in entry["reads"].values()]
            lines.append(
                [
                    *cells,
                    a,
                    f"{health['chosen_step']:.0f}",
                    f"{health['chosen_utterances']:,.0f}",
                    *in_training,
                    score(health.get("h_rank")),
                    " ".join(kept) or "-",
                    score(entry["own"].get(a, {}).get("floor")),
                    f"{entry['lagging']} of {entry['n']}" if entry["lagging"] else "",
                ]
            )
    header = ["attribute", "step", "utterances", "adversary", "constant", "rank of h", "tasks read"]
    return SideTable(
        "Health of the training",
        [*_columns(summary), *header, "floor", "lagging"],
        lines,
        "step, utterances: until the chosen epoch, means over runs. adversary, constant: the UAR "
        "of the training adversary on its own training utterances, and the share of its most "
        "frequent answer: at chance it has found nothing, and nothing was unlearned by it. rank "
        "of h: participation ratio. tasks read: from h, as in the table of these. floor: what the "
        "own attackers read on permuted labels, mean of the highest: a leak begins above it. "
        "lagging: runs whose resisted adversary was at chance in training.",
    )


def _changes(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for measure, test in entry["over_speakers"].items():
            known = measure.removesuffix("_membership")
            name = "emotion" if measure == "emotion" else f"{measure} attacker"
            name = name if known == measure else f"membership by {known}, AUC"
            if measure.endswith(READ):
                name = f"{measure.removesuffix(READ)}, read"
            difference, lower, upper = (f"{test[c]:+.3f}" for c in ("difference", "lower", "upper"))
            p = f"{test['p']:.3f}{_DISAGREE if _disagree(test) else ''}"
            lines.append([*cells, name, difference, f"{lower} to {upper}", p])
    disagreeing = any(line[-1].endswith(_DISAGREE) for line in lines)
    return SideTable(
        "Change against the ordinary network, over speakers",
        [*_columns(summary), "score of", "change", "95 %", "p"],
        lines,
        "Both networks on the same speakers, with the predictions of all folds and seeds together. "
        "p: permutation test that swaps the two networks' predictions of random speakers. The "
        "attacker is the strongest on each network."
        + (f" {_DISAGREE} test and interval disagree: no change is shown." if disagreeing else ""),
    )


def _disagree(test: Mapping[str, float]) -> bool:
    """Whether p is small and 0 lies in the interval, or the other way round."""
    return (test["p"] < ALPHA) == (test["lower"] <= 0 <= test["upper"])


def _knowledge(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a in [a for a in entry["verdicts"] if a in entry["own"] and a in entry["seen"]]:
            of_kinds = [_scored(entry[kind][a]) for kind in ("seen", "own")]
            lines.append([*cells, a, *of_kinds[0], *of_kinds[1]])
    kinds = [f"{kind}: {name}" for kind in ("seen", "own") for name in ("UAR", "upper bound", "p")]
    return SideTable(
        "Speakers that the attacker knows",
        [*_columns(summary), "attribute", *kinds],
        lines,
        "seen: the attacker learns from h of the speakers that the network was trained and chosen "
        "on. own: also from h of speakers that it has not seen, all but the one who is attacked "
        "and one of each other class. A network may hide an attribute of its training speakers "
        "alone: then only own finds it. Each kind is tested by itself here.",
    )


def _victims(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a, of_all in entry["all_utterances"].items():
            # Of one utterance, of 20 and of all; there are no 20 where few have as many.
            of_kinds = (entry["verdicts"].get(a), entry["twenty_utterances"].get(a), of_all)
            bounds = [_scored(of_kind)[:2] if of_kind else ["-", "-"] for of_kind in of_kinds]
            lines.append([*cells, a, *itertools.chain(*bounds), *_tested(of_all)[1:]])
    kinds = [f"{n}: {name}" for n in ("1", "20", "all") for name in ("UAR", "upper bound")]
    return SideTable(
        "Several utterances of a person",
        [*_columns(summary), "attribute", *kinds, "p", "verdict"],
        lines,
        "The strongest attacker, seen or own, that guesses from 1 utterance, from 20 or from all "
        "scored utterances of a person together: the guess most often made of them. p and verdict "
        "are of all utterances. Few persons give wide bounds.",
    )


def _beyond_sessions(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a, beyond in entry["beyond_sessions"].items():
            total = score(entry["verdicts"].get(a, {}).get("uar"))
            lines.append([*cells, a, total, score(beyond["uar"]), *_tested(beyond)])
    return SideTable(
        "What sessions explain",
        [*_columns(summary), "attribute", "h", "beyond", "upper bound", "p", "verdict"],
        lines,
        "h: UAR of the strongest attacker on all speakers. beyond: by how much it exceeds the mean "
        "over labels that were permuted within sessions, or between sessions of one class as "
        "wholes, added to chance; upper bound, p and verdict are of this. What h reveals only "
        "through the session may be the room or the device.",
    )


def _scored(verdict: Mapping[str, Any]) -> list[str]:
    return [score(verdict[name]) for name in ("uar", "upper", "p")]


def _numbers(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for attribute, verdict in entry["numbers"].items():
            correlation = score(verdict["correlation"])
            upper, *rest = _tested(verdict)
            lines.append([*cells, attribute, correlation, upper, detectable(verdict), *rest])
    header = ["attribute", "correlation", "upper bound", "minimum detectable", "p", "verdict"]
    return SideTable(
        "Private attributes that are numbers",
        [*_columns(summary), *header],
        lines,
        "Rank correlation between the number of a held-out speaker and its prediction from all "
        "utterances, by the stronger of linear and kernel ridge regression; 0 is no information. "
        "The other tables are about the bins of the number.",
    )


def _given(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a in [a for a in attributes(entry) if a in entry["given"]]:
            beyond = entry["given"][a]
            verdicts = [entry["verdicts"].get(a, {}), entry["alone"].get(a, {}), beyond]
            uars = [score(verdict.get("uar")) for verdict in verdicts]
            lines.append([*cells, a, *uars, *_tested(beyond)])
    return SideTable(
        "What the emotion label explains",
        [*_columns(summary), "attribute", "h", "label", "beyond", "upper bound", "p", "verdict"],
        lines,
        "h: UAR of the strongest attacker on all speakers. label: UAR of "
        "predicting the attribute from the emotion label alone. beyond: UAR of a linear attacker "
        "within utterances of one emotion label; upper bound, p and verdict are of this. What h "
        "reveals only through the emotion label cannot be unlearned without losing emotion.",
    )


def _others(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a in [a for a in entry["verdicts"] if a not in attributes(entry)]:
            verdict = entry["verdicts"][a]
            lines.append([*cells, a, score(verdict["uar"]), *_tested(verdict)])
    return SideTable(
        "Other attributes that h reveals",
        [*_columns(summary), "attribute", "UAR", "upper bound", "p", "verdict"],
        lines,
        "Private attributes of the corpus that were not unlearned, by linear attackers; speaker "
        "by verification of held-out speakers, 1 - equal error rate. Each is tested by itself, "
        "without correction for their number.",
    )


_OF_INPUTS = (
    " inputs: AUC of the same attack on the features that the networks are given, where nobody is "
    "trained on in one fold and tested in another, as in an official split: test speakers may have "
    "been recorded differently, and a leak is called only where h gives away more."
)


def _membership(summary: Sequence[Entry]) -> SideTable:
    lines = []
    all_scores = [scores for entry in summary for scores in entry["membership"].values()]
    with_inputs = any(scores.get("inputs_auc") is not None for scores in all_scores)
    inputs = ["inputs_auc"] if with_inputs else []
    for cells, entry in _placed(summary):
        for known, scores in entry["membership"].items():
            names = ("auc", "loss_auc", "shuffled", *inputs, "accuracy")
            measures = [score(scores.get(name)) for name in names]
            upper, *rest = _tested(scores)
            lines.append([*cells, known, *measures, upper, detectable(scores), *rest])
    header = [
        "attacker has",
        "AUC",
        "loss alone",
        "shuffled",
        *(["inputs"] if with_inputs else []),
        "accuracy",
    ]
    header += ["upper bound", "minimum detectable", "p", "verdict"]
    return SideTable(
        "Was this speaker in the training set?",
        [*_columns(summary), *header],
        lines,
        "AUC: probability that a training speaker scores higher than a test speaker, neither of "
        "whom the attacker learned from; the two groups are matched and equally large, chance 0.5. "
        "attacker has h: h alone. attacker has labels: h, the emotion head and the true emotions; "
        "the strongest of three attackers, which use h with the loss, the loss alone, and the loss "
        "less that in the networks of the other folds. loss alone: AUC of the second. shuffled: "
        "mean AUC of the same attack after a permutation of the speakers' places in training and "
        "test, which p is computed from. accuracy: balanced. The untrained network was trained on "
        "nobody: an AUC above chance there comes from differences between the speakers themselves."
        + (_OF_INPUTS if with_inputs else ""),
    )


def _placed(summary: Sequence[Entry]) -> list[tuple[list[str], Entry]]:
    """Entries in the order of the table, each with the cells that distinguish it from others."""
    columns = varying(summary)
    return [(placed(entry, columns), entry) for _, entries in blocks(summary) for entry in entries]


def _columns(summary: Sequence[Entry]) -> list[str]:
    return header_of(varying(summary))


def header_of(columns: Sequence[str]) -> list[str]:
    """The names of the cells of `placed`."""
    return [*(name for name in columns if name != "recipe"), "network"]


def placed(entry: Entry, columns: Sequence[str]) -> list[str]:
    """The first cells of a line: settings of these names, and the network's name.

    The recipe is part of that name, which a control has, too.
    """
    values = [entry["settings"][name] for name in columns if name != "recipe"]
    return [*("" if value is None else str(value) for value in values), network_name(entry)]


def score(value: float | None) -> str:
    """Three decimal places; "-" where there is none."""
    return "-" if value is None else f"{value:.3f}"


def ends(interval: Mapping[str, float]) -> str:
    """Of an interval, such as 0.55-0.61; "" where there is none."""
    return f"{interval['lower']:.2f}-{interval['upper']:.2f}" if interval else ""


def detectable(verdict: Mapping[str, Any]) -> str:
    """The minimum detectable score of a test; "none" where not even 1 would be detected."""
    least = verdict["minimum_detectable"]
    return "none" if least is None else score(min(least, 1))


def _tested(verdict: Mapping[str, Any]) -> list[str]:
    """Upper bound, p and verdict."""
    words = verdict["verdict"].replace("_", " ")
    return [score(verdict["upper"]), score(verdict["p"]), words]
