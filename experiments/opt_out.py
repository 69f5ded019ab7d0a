"""Opting out: what an attacker who holds h predicts of a speaker's attribute, network by network.

    python -m experiments.main --dataset=demo --export=all
    python -m experiments.opt_out out/demo --speaker=s03

The attacker of a fold has h and attribute of its training speakers, and of the held-out speaker h
alone. Bound and verdict are those of the main table, over all speakers.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what takes time to import

import re
import sys
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
from privrep.formats.tables import Table, read_table
from privrep.formats.vectors import read_vectors
from privrep.program import errors_in_a_line

FLAGS = flags.FLAGS
flags.DEFINE_string("speaker", "", "speaker who opts out; the first by name if not given")
flags.DEFINE_string("attribute", "gender", "attribute that the speaker wants to keep private")
flags.DEFINE_integer("pack", 0, "number of the pack, as in runs.csv", lower_bound=0)
_ALWAYS = ("recipe", "lambda")  # columns of the table, whatever varies
# The name of an exported file: see `export_h.file_names`. What varies beside these is numbers.
_NETWORK = re.compile(r"lambda=([^_]+)_recipe=(.+?)_seed=(\d+)((?:_[a-z_]+=[^_=]+)*)")


class Guess(NamedTuple):
    """The attacker's prediction for one speaker.

    Attributes:
      value: the predicted value.
      confidence: its probability.
      true: the true value.
    """

    value: str
    confidence: float
    true: str


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
                mean = attacker.predict_log_proba(h[rows]).clip(-50).mean(0)
                probability = np.exp(mean - np.logaddexp.reduce(mean))
                guess = Guess(
                    str(values[probability.argmax()]), float(probability.max()), value[rows][0]
                )
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
) -> list[str]:
    """The lines to print: a table with a line per network and the settings that tell it apart.

    Args:
      guess_of: see `guesses`.
      rows: of the pack, from runs.csv.
      speaker: who opts out; "" for the first by name.

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
    header = [*_ALWAYS, *varying, "predicts", "confidence", "correct", "upper bound", "verdict"]
    lines = []
    for network, settings in sorted(settings_of.items(), key=lambda item: _in_order(item[1])):
        of_network = guess_of[network]
        guess = of_network.get(speaker)  # None where the network of its fold diverged
        correct = sum(g.value == g.true for g in of_network.values())
        prediction = [guess.value, f"{guess.confidence:.2f}"] if guess else ["", ""]
        lines.append(
            [
                settings["recipe"],
                lambda_text(settings["lambda"]),
                *(settings[name] for name in varying),
                *prediction,
                f"{correct} of {len(of_network)}",
                *_bound_and_verdict(rows, settings, attribute),
            ]
        )
    truth = next(of[speaker].true for of in guess_of.values() if speaker in of)
    return [
        f"{speaker} ({attribute}: {truth}) has opted out. What an attacker who holds h predicts:",
        "",
        *aligned(header, lines),
        "",
        f"predicts, confidence: for {speaker}, from all utterances. correct: test speakers who are",
        "predicted correctly, each from all utterances. upper bound, verdict: of the UAR per",
        "utterance, over all speakers, as in the main table.",
    ]


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


def _bound_and_verdict(
    rows: Sequence[Row], settings: Mapping[str, str], attribute: str
) -> list[str]:
    upper, verdict = (name_of(f"<attribute>_pooled_{n}", attribute) for n in ("upper", "verdict"))
    for row in rows:
        if row["control"] is not None or not row.get(verdict):
            continue
        same = (str(row[name]) == settings[name] for name in settings if name != "lambda")
        if strengths(row["lambda"]) == strengths(settings["lambda"]) and all(same):
            return [f"{row[upper]:.3f}", row[verdict].replace("_", " ")]
    return ["", ""]


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        sys.exit("error: name one result directory: python -m experiments.opt_out out/demo")
    workdir = Path(argv[1])
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
        lines = report(guess_of, rows, FLAGS.attribute, FLAGS.speaker)
        print("\n".join([*which_pack(packs, FLAGS.pack), *lines]))


if __name__ == "__main__":
    app.run(main)
