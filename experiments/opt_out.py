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

from experiments.report import aligned
from experiments.results import read_rows
from experiments.summary import lambda_text, strengths
from privrep.representations import read_representations
from privrep.tables import Table, read_table

FLAGS = flags.FLAGS
flags.DEFINE_string("speaker", "", "who opts out; the first by name if not given")
flags.DEFINE_string("attribute", "gender", "of what")
flags.DEFINE_integer("pack", 0, "which of the directory's packs, as in runs.csv", lower_bound=0)
_NETWORK = re.compile(r"lambda=(?P<lambda>[^_]+)_recipe=(?P<recipe>.+?)_seed=(?P<seed>\d+)")


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
            h = read_representations(file).h
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
    """The lines to print, a line per network.

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
    header = ["recipe", "lambda", "says", "sure", "read rightly", "at most", "verdict"]
    lines = []
    for network, of in sorted(found.items(), key=lambda one: _settings(one[0])):
        settings = _settings(network)
        guess = of[person]
        right = sum(g.value == g.true for g in of.values())
        lines.append(
            [
                str(settings[1]),
                lambda_text(_NETWORK.match(network)["lambda"]),
                guess.value,
                f"{guess.sure:.2f}",
                f"{right} of {len(of)}",
                *_judged(rows, settings, attribute),
            ]
        )
    truth = next(of[person].true for of in found.values())
    return [
        f"{person} ({attribute}: {truth}) has opted out. What an attacker says who holds h:",
        "",
        *aligned(header, lines),
        "",
        f"says, sure: of {person}, from all utterances. read rightly: of so many people, each from "
        "all utterances.",
        "at most, verdict: of one utterance's UAR, over all speakers, as in the main table.",
    ]


def _settings(network: str) -> tuple[tuple[float, ...], str, int]:
    named = _NETWORK.match(network)
    return strengths(named["lambda"]), named["recipe"], int(named["seed"])


def _judged(rows, settings, attribute: str) -> list[str]:
    for row in rows:
        if row["control"] is not None or not row.get(f"{attribute}_pooled_verdict"):
            continue
        if (strengths(row["lambda"]), row["recipe"], row["seed"]) == settings:
            upper, verdict = (row[f"{attribute}_pooled_{c}"] for c in ("upper", "verdict"))
            return [f"{upper:.3f}", verdict.replace("_", " ")]
    return ["", ""]


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        sys.exit("error: name one result directory: python -m experiments.opt_out out/demo")
    workdir = Path(argv[1])
    try:
        rows = [row for row in read_rows(workdir / "runs.csv") if row["pack"] == FLAGS.pack]
        if not rows:
            raise ValueError(f"{workdir} is no result directory, or has no --pack={FLAGS.pack}")
        found = guesses(workdir / "representations" / f"{FLAGS.pack:03d}", FLAGS.attribute)
        print("\n".join(told(found, rows, FLAGS.attribute, FLAGS.speaker)))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
