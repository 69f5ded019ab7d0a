"""Opting out: what an attacker who holds h predicts of a speaker's attribute, network by network.

    python -m experiments.main --dataset=demo --recipe=keep,posterior --export=all
    python -m experiments.opt_out out/demo --speaker=s03

The attacker of a fold has h and attribute of its training speakers, and of the held-out speaker h
alone: of a single utterance, or of all. Emotion, bound and verdict are those of the main table,
over all speakers.
"""

from experiments.start import parse_flags  # isort: skip  # before what takes time to import

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import app, flags

from experiments.config.lambdas import lambda_text, strengths
from experiments.config.settings import FIELDS, flag_name
from experiments.report.text_table import aligned
from experiments.results import parts
from experiments.results.columns import Row, name_of
from experiments.results.expected_rows import check_plan
from experiments.results.exported import check_export
from experiments.results.runs_csv import read_runs
from experiments.results.workdirs import result_directory
from privrep.formats.tables import Table, read_table
from privrep.formats.vectors import read_vectors
from privrep.program import end_with, errors_in_a_line

FLAGS = flags.FLAGS
flags.DEFINE_string("speaker", "", "speaker who opts out; the first by name if not given")
flags.DEFINE_string("attribute", "gender", "attribute that the speaker wants to keep private")
flags.DEFINE_integer("pack", 0, "number of the pack, as in runs.csv", lower_bound=0)
# What is sent, of the recipes that are put in words beside each other.
SENT = {
    "none": "The ordinary network sends all of h",
    "keep": "keep sends h relative to the person, which serves other tasks too",
    "posterior": "posterior sends only how likely each emotion is",
}
_WIDTH = 96
_LEGEND = (
    "emotion: UAR, of a regression CCC. one, all: how often the attribute of a test speaker is "
    "predicted from one utterance, and from all of the speaker, UAR. speakers: those of whom it "
    "is, from all. predicts, confidence: of {speaker}, from all. upper bound, verdict: of the UAR "
    "per utterance, over all speakers, as in the main table."
)
_NOWHERE: Mapping[str, int] = {}
_ALWAYS = ("recipe", "lambda")  # columns of the table, whatever varies
# The name of an exported file: see `export_h.file_names`. What varies beside these is numbers.
_NETWORK = re.compile(r"lambda=([^_]+)_recipe=(.+?)_seed=(\d+)((?:_[a-z_]+=[^_=]+)*)")


class Guess(NamedTuple):
    """The attacker's predictions for one speaker.

    Attributes:
      value: the predicted value, from all utterances.
      confidence: its probability.
      true: the true value.
      share: of the speaker's utterances, from which alone the true value is predicted.
      num_utterances: of the speaker.
    """

    value: str
    confidence: float
    true: str
    share: float
    num_utterances: int


def guesses(folder: Path, attribute: str) -> dict[str, dict[str, Guess]]:
    """{network: {speaker: Guess}} of the test speakers of all folds of an exported pack.

    Linear discriminant analysis on h of the fold's training speakers with equal priors; the
    log-probabilities of a speaker's utterances are averaged.

    Raises:
      ValueError: no such export or column, or the attribute is the speaker.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # it takes a second

    if attribute == "speaker":
        raise ValueError(
            "--attribute=speaker: no held-out speaker is one of the attacker's classes"
        )
    guess_of: dict[str, dict[str, Guess]] = {}
    for labels in sorted(folder.glob("fold_*/labels.csv")):
        value, speaker, part = _columns(read_table(labels), attribute, "speaker", "part")
        known = value != ""
        train = (part == "train") & known
        if not train.any():
            break
        for file in sorted(labels.parent.glob("lambda=*.npz")):
            h = read_vectors(file).h
            values = np.unique(value[train])
            even = np.full(len(values), 1 / len(values))
            attacker = LinearDiscriminantAnalysis("lsqr", shrinkage="auto", priors=even)
            attacker.fit(h[train], value[train])
            for name in np.unique(speaker[(part == "test") & known]):
                rows = (speaker == name) & (part == "test")
                of_each, true = attacker.predict_log_proba(h[rows]), str(value[rows][0])
                mean = of_each.clip(-50).mean(0)
                probability = np.exp(mean - np.logaddexp.reduce(mean))
                share = float((values[of_each.argmax(1)] == true).mean())
                predicted = str(values[probability.argmax()])
                guess = Guess(predicted, float(probability.max()), true, share, int(rows.sum()))
                guess_of.setdefault(file.stem, {})[str(name)] = guess
    if not guess_of:
        raise ValueError(
            f"{folder} holds no exported h with a training part; run experiments.main with the "
            "same flags, --resume and --export=all"
        )
    return guess_of


def _columns(table: Table, *names: str) -> list[np.ndarray]:
    """str[N] of each name, "" where a cell is empty."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ValueError(
            f"{table.path} has no column {missing[0]}: it has {', '.join(table.columns)}"
        )
    return [np.array([cell or "" for cell in table.columns[name]]) for name in names]


def report(
    guess_of: Mapping[str, Mapping[str, Guess]],
    rows: Sequence[Row],
    attribute: str,
    speaker: str,
    elsewhere: Mapping[str, int] = _NOWHERE,
) -> list[str]:
    """The lines to print: a table with a line per network, and what it says in words.

    A line names the settings that tell its network apart.

    Args:
      guess_of: see `guesses`.
      rows: of the pack, from runs.csv.
      speaker: who opts out; "" for the first by name.
      elsewhere: {recipe: a further pack that has it}.

    Raises:
      ValueError: there is no such speaker.
    """
    speakers = sorted({name for of_network in guess_of.values() for name in of_network})
    speaker = speaker or speakers[0]
    if speaker not in speakers:
        raise ValueError(f"--speaker={speaker}: choose one of {', '.join(speakers)}")
    settings_of = {network: _settings(network) for network in guess_of}
    names = list(next(iter(settings_of.values())))[len(_ALWAYS) :]
    varying = [n for n in names if len({settings[n] for settings in settings_of.values()}) > 1]
    header = [*_ALWAYS, *varying, "emotion", "one", "all", "speakers"]
    header += ["predicts", "confidence", "upper bound", "verdict"]
    lines = []
    for network, settings in sorted(settings_of.items(), key=lambda item: _in_order(item[1])):
        of_network = guess_of[network]
        guess = of_network.get(speaker)  # None where the network of its fold diverged
        prediction = [guess.value, f"{guess.confidence:.2f}"] if guess else ["", ""]
        single, whole = rightly([of_network])
        lines.append(
            [
                settings["recipe"],
                lambda_text(settings["lambda"]),
                *(settings[name] for name in varying),
                _emotion(_row_of(rows, settings, attribute)),
                f"{single:.2f}",
                f"{whole:.2f}",
                _named_speakers(of_network),
                *prediction,
                *_bound_and_verdict(_row_of(rows, settings, attribute), attribute),
            ]
        )
    truth = next(of[speaker].true for of in guess_of.values() if speaker in of)
    return [
        f"{speaker} ({attribute}: {truth}) has opted out. What an attacker who holds h predicts:",
        "",
        *aligned(header, lines),
        "",
        *textwrap.wrap(_LEGEND.format(speaker=speaker), _WIDTH),
        "",
        *in_words(guess_of, rows, attribute, elsewhere),
    ]


def rightly(networks: Sequence[Mapping[str, Guess]]) -> tuple[float, float]:
    """UAR over speakers of predictions from one utterance and from all, the mean over networks."""
    scores = []
    for of_network in networks:
        of_value: dict[str, list[tuple[float, bool]]] = {}
        for guess in of_network.values():
            of_value.setdefault(guess.true, []).append((guess.share, guess.value == guess.true))
        scores.append(np.mean([np.mean(speakers, 0) for speakers in of_value.values()], 0))
    single, whole = np.mean(scores, 0)
    return float(single), float(whole)


def in_words(
    guess_of: Mapping[str, Mapping[str, Guess]],
    rows: Sequence[Row],
    attribute: str,
    elsewhere: Mapping[str, int] = _NOWHERE,
) -> list[str]:
    """Lines on the networks of the recipes SENT, and on what all utterances of a speaker reveal."""
    everyone = [guess for of_network in guess_of.values() for guess in of_network.values()]
    chance = 1 / len({guess.true for guess in everyone})
    speakers = len({name for of_network in guess_of.values() for name in of_network})
    each = int(np.median([guess.num_utterances for guess in everyone]))
    spread = 1.96 * np.sqrt(chance * (1 - chance) / speakers)
    of_recipe = {name: [n for n in guess_of if _settings(n)["recipe"] == name] for name in SENT}
    sentences, read_of_all = [], []
    for recipe, networks in of_recipe.items():
        if not networks:
            continue
        single, whole = rightly([guess_of[n] for n in networks])
        if whole > chance + spread:
            read_of_all.append("the ordinary network" if recipe == "none" else recipe)
        emotion = {_emotion(_row_of(rows, _settings(n), attribute)) for n in networks} - {""}
        sentences.append(
            f"{SENT[recipe]}. Emotion {' and '.join(sorted(emotion)) or 'unknown'}; "
            f"the {attribute} is read from one utterance {single:.0%} of the time, from all of a "
            f"person {whole:.0%}."
        )
    if not sentences:
        return []
    sentences.append(
        "All utterances of a person reveal more: the little that is in each adds up, here of some "
        f"{each}. Guessing is right {chance:.0%} ± {spread:.0%} of the time with {speakers} "
        f"speakers, and more is read of {' and '.join(read_of_all) or 'none of these'}. Whoever "
        "gives all utterances away is protected as far as that, not as far as one utterance is."
    )
    absent = [name for name in ("keep", "posterior") if not of_recipe[name]]
    sentences += [
        f"{name} is in another pack of these results: --pack={elsewhere[name]} shows it."
        for name in absent
        if name in elsewhere
    ]
    if missing := [name for name in absent if name not in elsewhere]:
        sentences.append(f"Not in these results: --recipe={','.join(missing)}.")
    return [line for text in sentences for line in textwrap.wrap(text, _WIDTH)]


def _named_speakers(of_network: Mapping[str, Guess]) -> str:
    correct = sum(guess.value == guess.true for guess in of_network.values())
    return f"{correct} of {len(of_network)}"


def which_pack(rows: Sequence[Row], pack: int) -> list[str]:
    """A line on the settings in which a pack differs from others; [] if it is the only one.

    Args:
      rows: of runs.csv, of all packs.
    """
    runs = [row for row in rows if row["control"] is None]
    varying = [n for n in map(flag_name, FIELDS) if len({row.get(n) for row in runs}) > 1]
    values = {name: {row[name] for row in runs if row["pack"] == pack} for name in varying}
    settings = " ".join(f"{n}={next(iter(values[n]))}" for n in varying if len(values[n]) == 1)
    last = max(row["pack"] for row in rows)
    return [f"--pack={pack} of 0 to {last}: {settings}", ""] if last else []


def packs_of_recipes(rows: Sequence[Row], pack: int) -> dict[str, int]:
    """{recipe: the first other pack that has it}, from the rows of runs.csv of all packs."""
    others = [row for row in rows if row["control"] is None and row["pack"] != pack]
    others.sort(key=lambda row: row["pack"], reverse=True)
    return {row["recipe"]: row["pack"] for row in others}


def _settings(network: str) -> dict[str, str]:
    """{flag: value} of the settings in which a pack's networks differ.

    Raises:
      ValueError: no file of `export_h` has this name.
    """
    match = _NETWORK.fullmatch(network)
    if match is None:
        raise ValueError(f"{network}.npz is not named as experiments.main --export names files")
    lambda_, recipe, seed, others = match.groups()
    named = {"recipe": recipe, "lambda": lambda_, "seed": seed}
    return named | dict(re.findall(r"_([a-z_]+)=([^_=]+)", others))


def _in_order(settings: Mapping[str, str]) -> tuple:
    others = (float(value) for name, value in settings.items() if name not in _ALWAYS)
    return strengths(settings["lambda"]), settings["recipe"], *others


def _row_of(rows: Sequence[Row], settings: Mapping[str, str], attribute: str) -> Row:
    """A row of the network that has a verdict; {} if there is none."""
    verdict = name_of("<attribute>_pooled_verdict", attribute)
    for row in rows:
        if row["control"] is not None or not row.get(verdict):
            continue
        same = (str(row[name]) == settings[name] for name in settings if name != "lambda")
        if strengths(row["lambda"]) == strengths(settings["lambda"]) and all(same):
            return row
    return {}


def _emotion(row: Row) -> str:
    """The emotion score over all folds."""
    score = row.get("emotion_pooled_uar", row.get("emotion_pooled_ccc"))
    return "" if score is None else f"{score:.3f}"


def _bound_and_verdict(row: Row, attribute: str) -> list[str]:
    upper, verdict = (name_of(f"<attribute>_pooled_{n}", attribute) for n in ("upper", "verdict"))
    return [f"{row[upper]:.3f}", row[verdict].replace("_", " ")] if row else ["", ""]


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        end_with("error: name one result directory: python -m experiments.opt_out out/demo")
    workdir = result_directory(Path(argv[1]))
    with errors_in_a_line():
        parts.check(workdir, "runs")
        packs = read_runs(workdir / "runs.csv")
        check_plan(workdir, packs)
        rows = [row for row in packs if row["pack"] == FLAGS.pack]
        if not rows:
            raise ValueError(f"{workdir} is no result directory, or has no --pack={FLAGS.pack}")
        exported = workdir / "representations" / f"{FLAGS.pack:03d}"
        check_export(exported)
        guess_of = guesses(exported, FLAGS.attribute)
        elsewhere = packs_of_recipes(packs, FLAGS.pack)
        lines = report(guess_of, rows, FLAGS.attribute, FLAGS.speaker, elsewhere)
        print("\n".join([*which_pack(packs, FLAGS.pack), *lines]))


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
