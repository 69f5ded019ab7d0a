"""Summary of runs.csv: means and spreads, the only numbers that tables and figures show.

A row is one run on one fold, or one control; `columns` says what its cells mean. A run that
`diverged` counts for nothing, one that `collapsed` for nothing in privacy: what h does not hold at
all needs no protection. What the networks of all folds show together stands in each of their rows.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.config.recipes import TRANSDUCTIVE
from experiments.results.columns import (
    FIRST,
    PROTECTION,
    Row,
    attacker_uar,
    emotion_ccc,
    emotion_uar,
    is_privacy,
    is_score,
    members,
)
from experiments.results.seeds import (
    among,
    changed,
    confusion,
    emotion_interval,
    gaps,
    number,
    of_all,
    read_tasks,
    recognised,
    strongest,
    verdicts,
)
from privrep.training.selection import SELECTIONS

Entry = Mapping[str, Any]

CONTROLS = ("chance", "majority", "shuffled", "decision", "untrained", "raw")
_REPEATS = ("fold", "seed")  # what the mean is over
MEMBERSHIP = (
    *("auc", "loss_auc", "shuffled", "inputs_auc", "accuracy"),
    *("lower", "upper", "minimum_detectable"),
)
# Keys of an entry, and the columns of their verdicts.
_PLACES = {
    "verdicts": "<attribute>_pooled",
    "seen": "<attribute>_pooled_seen",
    "own": "<attribute>_pooled_own",
    "twenty_utterances": "<attribute>_pooled_20_utterances",
    "all_utterances": "<attribute>_pooled_all_utterances",
    "beyond_sessions": "<attribute>_pooled_beyond_sessions",
    "given": "<attribute>_given_emotion",
    "alone": "<attribute>_from_emotion",
}
_HEALTH = ("chosen_step", "chosen_utterances", "h_rank")
CORRELATION = ("correlation", "lower", "upper", "minimum_detectable")
PAPER, LEAK_AWARE = "paper", "emotion_within_leak"  # names in SELECTIONS
MEMORISED = {"UAR": 0.99, "CCC": 0.98}  # from here on a training score is of rows known by heart
NOTHING = {"mean": None, "sd": None, "n": 0, "lower": 0, "higher": 0}


def summarise(rows: Iterable[Row], settings: Sequence[str]) -> list[dict]:
    """One entry per combination of settings: mean and spread over folds and seeds.

    Args:
      rows: as above.
      settings: the columns that say how a run was made, modality, task, private and lambda among
        them.

    Returns:
      [{settings: {name: value}, control, n, diverged, collapsed, lagging, memorised,
        chance: {"emotion" or attribute: float}, scores: {column: {mean, sd, n}},
        health: {chosen_step, chosen_utterances, h_rank, train_<a>_adversary_{uar, constant}: mean},
        change: {column: {mean, sd, n, lower, higher}},
        interval: {uar, or ccc of a regression, lower, upper},
        among: {"attribute=value": the same of these speakers},
        gaps: {"attribute=value": {difference, lower, upper} of these speakers less the others},
        recognised: {"macro_f1", "weighted_accuracy" or "recall_<class>": {score, lower, upper}},
        confusion: {class: {recognised class: utterances}},
        reads: {task: {uar or ccc, lower, upper, chance}} of a linear reader of h,
        over_speakers: {"emotion" or attribute: {difference, lower, upper, p}}, closed_set:
        {accuracy, chance} among the training speakers, verdicts: {attribute: {verdict, uar, lower,
        upper, minimum_detectable, p}}, seen, own: the same of attackers who know the network's
        training speakers, or others too, twenty_utterances, all_utterances: of all attackers from
        so many utterances of a person, strongest: {attribute: name of the attacker},
        beyond_sessions, given, alone: the same beyond sessions, beyond the emotion label and of the
        label alone, numbers: the same of attributes that are numbers, of their correlation,
        membership: {"h" or "labels": {verdict, p, MEMBERSHIP}}}, ...]
      in the order of the table: modality, task, private attributes, other settings, then lambda 0,
      the recipes and their lambdas; after these come the controls of a combination, of the least
      protected network of every fold and seed. `sd` is the sample standard deviation, None of a
      single run. `n` counts neither diverged runs nor, in a score, NaN, nor, in privacy, collapsed
      runs. `change` is the mean of the differences to lambda = 0 at the same fold and seed, with
      how many of them are below and above 0; {} for lambda = 0 itself, for controls, and where
      lambda = 0 was not run. Verdicts and bounds are those of all seeds (`seeds.verdicts`); there
      is none where a network collapsed. Where seeds were run apart, intervals and differences over
      speakers are means of theirs (as wide as one of them, which the mean's own interval is not),
      and p is the largest.
    """
    names = [*FIRST, *(s for s in settings if s not in (*FIRST, *_REPEATS, *PROTECTION))]
    protections = ["lambda", "recipe"] if "recipe" in settings else ["lambda"]
    groups: dict[tuple, list[Row]] = {}
    baselines: dict[tuple, dict[tuple, Row]] = {}
    for row in rows:
        values = tuple(row.get(name) for name in names)
        control = row.get("control") or ""
        protection = tuple(None if control else row.get(name) for name in protections)
        groups.setdefault((values, control, protection), []).append(row)
        if not control and is_zero(row["lambda"]) and not row.get("diverged"):
            baselines.setdefault(values, {})[_repeat(row)] = row
    summary = []
    for values, control, protection in sorted(groups, key=_in_order):
        runs = groups[values, control, protection]
        if control:
            runs = _least_protected(runs)
        is_compared = not control and not is_zero(protection[0])
        entry = {
            "settings": dict(zip(names, values)) | dict(zip(protections, protection)),
            "control": control,
        }
        summary.append(entry | _scores(runs, baselines.get(values, {}) if is_compared else {}))
    return summary


def _scores(runs: Sequence[Row], baseline: Mapping[tuple, Row]) -> dict[str, Any]:
    """The rest of an entry, from its rows and {fold and seed: the row at lambda 0}."""
    counted = [row for row in runs if not row.get("diverged")]
    whole = [row for row in counted if not row.get("collapsed")]
    is_whole = len(whole) == len(counted)
    # Columns that other runs brought into the table are empty here.
    columns = dict.fromkeys(c for row in runs for c in row if row[c] not in (None, ""))
    scores = [column for column in columns if is_score(column)]
    pairs = [(r, baseline[_repeat(r)]) for r in counted if _repeat(r) in baseline]
    entry = {
        "n": len(counted),
        "diverged": len(runs) - len(counted),
        "collapsed": len(counted) - len(whole),
        "lagging": sum(bool(row.get("lagging")) for row in counted),
        "memorised": sum(map(_memorised, counted)),
        "chance": {
            subject: _spread(number(row.get(c)) for row in runs)["mean"]
            for subject, c in members("<subject>_chance", columns).items()
        },
        "scores": {
            c: _spread(number(row.get(c)) for row in (whole if is_privacy(c) else counted))
            for c in scores
        },
        "health": {
            c: _spread(number(row.get(c)) for row in counted)["mean"]
            for c in columns
            if c in _HEALTH or (c.startswith("train_") and "_adversary_" in c)
        },
        "change": {c: _differences(c, pairs) for c in scores} if pairs else {},
        "interval": emotion_interval(counted, "emotion_pooled"),
        "among": among(counted),
        "gaps": gaps(counted),
        "recognised": recognised(counted),
        "confusion": confusion(counted),
        "reads": read_tasks(counted),
        "over_speakers": changed(counted, whole=is_whole),
        "closed_set": of_all(counted, "speaker_closed_set", ("accuracy", "chance")),
    }
    for name, place in _PLACES.items():
        entry[name] = verdicts(counted, place) if is_whole else {}
    further = {
        "strongest": strongest(counted),
        "numbers": verdicts(counted, "<attribute>_number", CORRELATION),
        "membership": verdicts(counted, "<known>_membership", MEMBERSHIP),
    }
    return entry | {name: joined if is_whole else {} for name, joined in further.items()}


def _least_protected(controls: Sequence[Row]) -> list[Row]:
    """One row per fold and seed: every pack has controls, some from networks without protection."""
    kept: dict[tuple, Row] = {}
    for row in sorted(controls, key=lambda row: strengths(row.get("control_lambda") or 0)):
        kept.setdefault(_repeat(row), row)
    return list(kept.values())


def _memorised(row: Row) -> bool:
    """Whether the network recognises the emotion of nearly all of its training utterances."""
    uar, ccc = (number(row.get(column)) for column in (emotion_uar("train"), emotion_ccc("train")))
    return uar >= MEMORISED["UAR"] or ccc >= MEMORISED["CCC"]


def _repeat(row: Row) -> tuple:
    return tuple(row.get(name) for name in _REPEATS)


def _spread(values: Iterable[float]) -> dict[str, Any]:
    known = [value for value in values if math.isfinite(value)]
    return {
        "mean": fmean(known) if known else None,
        "sd": stdev(known) if len(known) > 1 else None,
        "n": len(known),
    }


def _differences(column: str, pairs: Sequence[tuple[Row, Row]]) -> dict[str, Any]:
    if is_privacy(column):
        pairs = [pair for pair in pairs if not any(row.get("collapsed") for row in pair)]
    values = [number(row.get(column)) - number(zero.get(column)) for row, zero in pairs]
    sides = {"lower": sum(v < 0 for v in values), "higher": sum(v > 0 for v in values)}
    return _spread(values) | sides


def _in_order(key: tuple) -> tuple:
    """Numbers by size, before words by spelling; lambda 0 first, the controls last."""
    values, control, (lambda_, *kept) = key
    numeric = [isinstance(value, int | float) for value in values]
    order = [(0, v, "") if n else (1, 0, str(v)) for v, n in zip(values, numeric)]
    rank = CONTROLS.index(control) if control in CONTROLS else len(CONTROLS)
    if control:
        return order, True, rank, control
    return order, False, not is_zero(lambda_), [str(name) for name in kept], strengths(lambda_)


def attributes(entry: Entry) -> list[str]:
    """The private attributes of an entry: "gender+speaker" -> ["gender", "speaker"]."""
    private = entry["settings"]["private"]
    return private.split("+") if private else []


def label(entry: Entry) -> str:
    """The name of its control, or its lambda."""
    return entry["control"] or lambda_text(entry["settings"]["lambda"])


def recipe_of(entry: Entry) -> str:
    """The recipe; "" at lambda 0."""
    settings = entry["settings"]
    if entry["control"] or is_zero(settings["lambda"]):
        return ""
    return settings.get("recipe") or ""


def is_transductive(entry: Entry) -> bool:
    """Whether states of persons are of the very utterances that are scored: no result to quote."""
    return recipe_of(entry).endswith(TRANSDUCTIVE)


def sound(entry: Entry) -> bool:
    """Whether no run of it collapsed, diverged or had a lagging adversary.

    It is chosen before others of which a run did.
    """
    return not (entry["collapsed"] or entry["diverged"] or entry["lagging"])


def series(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """{recipe: the runs of a block at lambda 0, then those with the recipe}."""
    runs = [entry for entry in entries if not entry["control"]]
    zero = [entry for entry in runs if is_zero(entry["settings"]["lambda"])]
    names = dict.fromkeys(recipe_of(entry) for entry in runs if entry not in zero) or {"": None}
    rest = [entry for entry in runs if entry not in zero]
    return {name: [*zero, *(e for e in rest if recipe_of(e) == name)] for name in names}


def emotion_column(entry: Entry, part: str) -> str:
    """The column of the score of emotion: its UAR, or of a regression its CCC."""
    is_regression = any(emotion_ccc(p) in entry["scores"] for p in ("val", "test"))
    return emotion_ccc(part) if is_regression else emotion_uar(part)


def emotion_name(entries: Iterable[Entry]) -> str:
    """What the score of emotion is called where these entries stand: emotion UAR, or CCC."""
    columns = {c for entry in entries if (c := emotion_column(entry, "test")) in entry["scores"]}
    names = {"CCC" if column == emotion_ccc("test") else "UAR" for column in columns} or {"UAR"}
    return f"emotion {' or '.join(sorted(names, reverse=True))}"


def emotion_mean(entry: Entry, part: str) -> float:
    """The mean score of emotion on a part, NaN where there is none."""
    return mean(entry, emotion_column(entry, part))


def emotion_pooled(entry: Entry) -> float:
    """The score of emotion on all test speakers together; where that is not known, the mean."""
    interval = entry["interval"]
    return number(interval.get("uar", interval.get("ccc", emotion_mean(entry, "test"))))


def mean(entry: Entry, column: str) -> float:
    """Mean score, NaN where there is none."""
    return number(entry["scores"].get(column, NOTHING)["mean"])


def varying(summary: Sequence[Entry]) -> list[str]:
    """The settings, lambda aside, that are not the same in all entries that have them."""
    names = dict.fromkeys(n for entry in summary for n in entry["settings"] if n != "lambda")
    values_of = {n: {entry["settings"].get(n) for entry in summary} for n in names}
    unset = {n: {None} if n in PROTECTION else set() for n in names}  # of controls
    return [n for n, values in values_of.items() if len(values - unset[n]) > 1]


def blocks(summary: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Entries that differ in PROTECTION or control only, each block after its title.

    The title has the settings that are not the same in all blocks.
    """
    others = [name for name in varying(summary) if name not in (*FIRST, *PROTECTION)]
    block_of: dict[tuple, list[Entry]] = {}
    for entry in summary:
        values = tuple(v for n, v in entry["settings"].items() if n not in PROTECTION)
        block_of.setdefault(values, []).append(entry)
    titled = []
    for entries in block_of.values():
        settings = entries[0]["settings"]
        first = [str(settings[name]) for name in FIRST if settings[name]]
        titled.append((", ".join([*first, *(f"{n}={settings[n]}" for n in others)]), entries))
    return titled


def selected(entry: Entry) -> float:
    """The selection score of an entry by the paper's rule: emotion less the leak, on mean val_*
    scores; or by emotion alone where that chose the epochs.

    The leak is that of a freshly trained attacker on validation speakers, who also chose it. The
    tables and conclusions in the paper's layout are by this rule, whatever chose the epochs.
    """
    rule = entry["settings"].get("selection") or PAPER
    return _by_rule(entry, PAPER if rule == LEAK_AWARE else rule)


def selected_within_leak(entry: Entry) -> float:
    """The selection score of an entry by the leak-aware rule, `selection.emotion_within_leak`."""
    return _by_rule(entry, LEAK_AWARE)


def _by_rule(entry: Entry, rule: str) -> float:
    uars = {a: mean(entry, attacker_uar("val", a)) for a in attributes(entry)}
    return float(SELECTIONS[rule](emotion_mean(entry, "val"), uars, entry["chance"]))
