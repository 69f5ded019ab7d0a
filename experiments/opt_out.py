"""A person opts out: what whoever holds h says of the attribute all the same, with and without.

    python -m experiments.main --dataset=demo --export=all
    python -m experiments.opt_out out/demo --speaker=s03

The attacker of a fold has h and attribute of its training speakers, and of the person h alone.
Bound and verdict are those of the main table, over all speakers.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import app, flags
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from experiments.config.lambdas import lambda_text, strengths
from experiments.config.settings import FIELDS, flag_name
from experiments.report.text_table import aligned
from experiments.results.runs_csv import read_rows
from privrep.formats.tables import Table, read_table
from privrep.formats.vectors import read_vectors

FLAGS = flags.FLAGS
flags.DEFINE_string("speaker", "", "who opts out; the first by name if not given")
flags.DEFINE_string("attribute", "gender", "of what")
flags.DEFINE_integer("pack", 0, "which of the directory's packs, as in runs.csv", lower_bound=0)
_ALWAYS = ("recipe", "lambda")  # columns of the table, whatever varies
# The name of an exported file: see `export_h.file_names`. What varies beside these is numbers.
_NETWORK = re.compile(r"lambda=([^_]+)_recipe=(.+?)_seed=(\d+)((?:_[a-z_]+=[^_=]+)*)")


class Guess(NamedTuple):
    """What the attacker says of one person: the value and how sure he is, and the truth."""

    value: str
    sure: float
    true: str


def guesses(folder: Path, attribute: str) -> dict[str, dict[str, Guess]]:
    """{network: {speaker: Guess}} of the test speakers of all folds of an exported pack.

    Linear discriminant analysis on h of the fold's training speakers, all values alike; of a
    person's utterances the log-probabilities are averaged.

    Raises:
      ValueError: no such export or column, or the attribute is who speaks.
    """
    if attribute == "speaker":
        raise ValueError("--attribute=speaker: who speaks is nobody's whom the attacker has met")
    found: dict[str, dict[str, Guess]] = {}
    for labels in sorted(folder.glob("fold_*/labels.csv")):
        of, speaker, part = _columns(read_table(labels), attribute, "speaker", "part")
        known = of != ""
        taught = (part == "train") & known
        if not taught.any():
            break
        for file in sorted(labels.parent.glob("lambda=*.npz")):
            h = read_vectors(file).h
            values = np.unique(of[taught])
            even = np.full(len(values), 1 / len(values))
            attacker = LinearDiscriminantAnalysis("lsqr", shrinkage="auto", priors=even)
            attacker.fit(h[taught], of[taught])
            for person in np.unique(speaker[(part == "test") & known]):
                one = (speaker == person) & (part == "test")
                mean = attacker.predict_log_proba(h[one]).clip(-50).mean(0)
                chance = np.exp(mean - np.logaddexp.reduce(mean))
                guess = Guess(str(values[chance.argmax()]), float(chance.max()), of[one][0])
                found.setdefault(file.stem, {})[str(person)] = guess
    if not found:
        raise ValueError(
            f"{folder} holds no exported h with a training part; run experiments.main with the "
            "same flags, --resume and --export=all"
        )
    return found


def _columns(table: Table, *names: str) -> list[np.ndarray]:
    """str[N] of each name, "" where a cell is empty."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ValueError(
            f"{table.path} has no column {missing[0]}: it has {', '.join(table.columns)}"
        )
    return [np.array([cell or "" for cell in table.columns[name]]) for name in names]


def told(
    found: Mapping[str, Mapping[str, Guess]],
    rows: Sequence[Mapping[str, Any]],
    attribute: str,
    person: str,
) -> list[str]:
    """The lines to print, a line per network, which says what it does not share with the others.

    Args:
      found: see `guesses`.
      rows: of the pack, from runs.csv.

    Raises:
      ValueError: there is no such person.
    """
    people = sorted({name for of in found.values() for name in of})
    person = person or people[0]
    if person not in people:
        raise ValueError(f"--speaker={person}: choose one of {', '.join(people)}")
    settings_of = {network: _settings(network) for network in found}
    names = list(next(iter(settings_of.values())))[len(_ALWAYS) :]
    varying = [n for n in names if len({one[n] for one in settings_of.values()}) > 1]
    header = [*_ALWAYS, *varying, "says", "sure", "read rightly", "at most", "verdict"]
    lines = []
    for network, settings in sorted(settings_of.items(), key=lambda one: _in_order(one[1])):
        of = found[network]
        guess = of.get(person)  # None where the network of its fold diverged
        right = sum(g.value == g.true for g in of.values())
        says = [guess.value, f"{guess.sure:.2f}"] if guess else ["", ""]
        lines.append(
            [
                settings["recipe"],
                lambda_text(settings["lambda"]),
                *(settings[name] for name in varying),
                *says,
                f"{right} of {len(of)}",
                *_judged(rows, settings, attribute),
            ]
        )
    truth = next(of[person].true for of in found.values() if person in of)
    return [
        f"{person} ({attribute}: {truth}) has opted out. What an attacker says who holds h:",
        "",
        *aligned(header, lines),
        "",
        f"says, sure: of {person}, from all utterances. read rightly: of so many people, each from "
        "all utterances.",
        "at most, verdict: of one utterance's UAR, over all speakers, as in the main table.",
    ]


def which_pack(rows: Sequence[Mapping[str, Any]], pack: int) -> list[str]:
    """A line on what tells one pack from the others of its directory; [] if it is the only one.

    Args:
      rows: of runs.csv, of all packs.
    """
    runs = [row for row in rows if row["control"] is None]
    told = [n for n in map(flag_name, FIELDS) if len({row.get(n) for row in runs}) > 1]
    of = {name: {row[name] for row in runs if row["pack"] == pack} for name in told}
    said = " ".join(f"{name}={next(iter(of[name]))}" for name in told if len(of[name]) == 1)
    last = max(row["pack"] for row in rows)
    return [f"--pack={pack} of 0 to {last}: {said}", ""] if last else []


def _settings(network: str) -> dict[str, str]:
    """{flag: value} of what tells a pack's networks apart."""
    lambda_, recipe, seed, others = _NETWORK.fullmatch(network).groups()
    named = {"recipe": recipe, "lambda": lambda_, "seed": seed}
    return named | dict(re.findall(r"_([a-z_]+)=([^_=]+)", others))


def _in_order(settings: Mapping[str, str]) -> tuple:
    others = (float(value) for name, value in settings.items() if name not in _ALWAYS)
    return strengths(settings["lambda"]), settings["recipe"], *others


def _judged(rows, settings: Mapping[str, str], attribute: str) -> list[str]:
    for row in rows:
        if row["control"] is not None or not row.get(f"{attribute}_pooled_verdict"):
            continue
        same = (str(row[name]) == settings[name] for name in settings if name != "lambda")
        if strengths(row["lambda"]) == strengths(settings["lambda"]) and all(same):
            upper, verdict = (row[f"{attribute}_pooled_{c}"] for c in ("upper", "verdict"))
            return [f"{upper:.3f}", verdict.replace("_", " ")]
    return ["", ""]


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        sys.exit("error: name one result directory: python -m experiments.opt_out out/demo")
    workdir = Path(argv[1])
    try:
        packs = read_rows(workdir / "runs.csv")
        rows = [row for row in packs if row["pack"] == FLAGS.pack]
        if not rows:
            raise ValueError(f"{workdir} is no result directory, or has no --pack={FLAGS.pack}")
        found = guesses(workdir / "representations" / f"{FLAGS.pack:03d}", FLAGS.attribute)
        lines = told(found, rows, FLAGS.attribute, FLAGS.speaker)
        print("\n".join([*which_pack(packs, FLAGS.pack), *lines]))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
