"""The choice of a recipe by a rule that was written before the comparison.

    python -m experiments.report.choice out/rule/*

Each directory holds the results of `experiments.main --validation_scores=on`, whose columns
validation_... are all that is read: the figures of test speakers are then of a recipe that they did
not choose. The rule: among the recipes that lose at most 0.02 of emotion and at most 0.03 of every
other task read from h against lambda 0, the one that leaves least leak. All three are means over
the networks compared, each a corpus, modality and task; the leak is the UAR less chance of the
strongest attacker, seen or own, from one utterance or from 20 of a person, whichever is more. A
recipe with a run that diverged, collapsed or lagged is not chosen. Recipes that are no candidates,
such as `whitened`, which trains nothing, stand in the table for comparison.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what may fail

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from experiments.config.lambdas import is_zero
from experiments.results.columns import Row, members, name_of
from experiments.results.runs_csv import read_rows
from experiments.results.workdirs import result_directory

CANDIDATES = ("keep", "leads", "posterior", "strong", "paper")  # others stand beside them
MOST_EMOTION, MOST_OTHER = 0.02, 0.03  # that a recipe may lose
LAST_RESORT = "posterior"  # where no recipe passes
_VALIDATION = "validation_<column>"
_UNSOUND = ("diverged", "collapsed", "lagging")
_NETWORK = ("dataset", "modality", "task", "private")

Network = tuple[str, ...]


class RecipeCandidate(NamedTuple):
    """A recipe over all networks; changes are against lambda 0.

    Attributes:
      recipe: its name, and lambda where it is not 1.
      emotion: mean change of the UAR of emotion.
      others: {task: mean change of the UAR that a linear reader reads from h}, without the task
        that a network was trained for.
      from_one, from_20: mean leak from one utterance, and from 20 of a person.
      unsound: runs that diverged, collapsed or lagged.
    """

    recipe: str
    emotion: float
    others: Mapping[str, float]
    from_one: float
    from_20: float
    unsound: int

    @property
    def leak(self) -> float:
        """The larger of both leaks, by which the rule chooses."""
        return max(self.from_one, self.from_20)

    @property
    def passes(self) -> bool:
        """Whether it may be chosen."""
        keeps_others = all(change >= -MOST_OTHER for change in self.others.values())
        is_candidate = self.recipe.split()[0] in CANDIDATES
        is_kept = self.emotion >= -MOST_EMOTION and keeps_others
        return is_candidate and is_kept and not self.unsound


def candidates(rows: Iterable[Row]) -> list[RecipeCandidate]:
    """Every recipe that all networks have, those that pass first, each kind by its leak.

    Args:
      rows: of runs.csv of all networks.

    Raises:
      ValueError: a network has no lambda 0 or no column validation_..., or no recipe is in all.
    """
    lots: dict[Network, dict[str, list[Row]]] = {}
    for row in rows:
        if not row.get("control"):
            network = tuple(str(row[name]) for name in _NETWORK)
            lots.setdefault(network, {}).setdefault(_name(row), []).append(row)
    names = [name for name in next(iter(lots.values()), {}) if name != "none"]
    common = [name for name in names if all(name in of_network for of_network in lots.values())]
    if not common:
        raise ValueError("no recipe is in all of these results: name directories of one comparison")
    made = [_candidate(name, lots) for name in common]
    return sorted(made, key=lambda candidate: (not candidate.passes, candidate.leak))


def chosen(of_all: Sequence[RecipeCandidate]) -> str:
    """The recipe that the rule chooses, from `candidates`."""
    return of_all[0].recipe if of_all and of_all[0].passes else LAST_RESORT


def _name(row: Row) -> str:
    if is_zero(row["lambda"]):
        return "none"
    return (
        row["recipe"] if str(row["lambda"]) in ("1", "1.0") else f"{row['recipe']} {row['lambda']}"
    )


def _candidate(name: str, lots: Mapping[Network, Mapping[str, Sequence[Row]]]) -> RecipeCandidate:
    emotion, from_one, from_20, unsound = [], [], [], 0
    others: dict[str, list[float]] = {}
    for network, of_network in lots.items():
        if "none" not in of_network:
            raise ValueError(f"{' '.join(network)}: no lambda 0 to compare with; add --lambda=0,1")
        _, _, task, private = network
        ordinary, protected = of_network["none"], of_network[name]
        emotion.append(_change("emotion_pooled_uar", protected, ordinary))
        for other, column in members("<task>_read_uar", _validated(ordinary)).items():
            if other != task:
                others.setdefault(other, []).append(_change(column, protected, ordinary))
        for attribute in private.split("+"):
            chance = _mean(protected, f"{attribute}_chance")
            place = f"{attribute}_pooled"
            from_one.append(_of_validation(protected, f"{place}_uar") - chance)
            from_20.append(_of_validation(protected, f"{place}_20_utterances_uar") - chance)
        unsound += sum(any(bool(row.get(flag)) for flag in _UNSOUND) for row in protected)
    means = {task: fmean(changes) for task, changes in others.items()}
    return RecipeCandidate(name, fmean(emotion), means, fmean(from_one), fmean(from_20), unsound)


def _validated(rows: Sequence[Row]) -> list[str]:
    return list(members(_VALIDATION, [name for row in rows for name in row]))


def _change(column: str, protected: Sequence[Row], ordinary: Sequence[Row]) -> float:
    return _of_validation(protected, column) - _of_validation(ordinary, column)


def _of_validation(rows: Sequence[Row], column: str) -> float:
    return _mean(rows, name_of(_VALIDATION, column))


def _mean(rows: Sequence[Row], column: str) -> float:
    values = [row[column] for row in rows if isinstance(row.get(column), (int, float))]
    if not values:
        of = f"{rows[0]['dataset']} {rows[0]['task']} {rows[0]['recipe']}"
        raise ValueError(f"{of}: no value of {column}; run it with --validation_scores=on")
    return fmean(values)


def table(of_all: Sequence[RecipeCandidate]) -> str:
    """Candidates as a Markdown table, with a last line that names the choice."""
    tasks = list(dict.fromkeys(task for candidate in of_all for task in candidate.others))
    header = [
        "recipe",
        "trained task",
        *tasks,
        "leak, 1 utterance",
        "leak, 20",
        "unsound runs",
        "passes",
    ]
    lines = [header, [":--", *["--:"] * (len(header) - 2), ":--"]]
    for candidate in of_all:
        changes = (candidate.emotion, *(candidate.others.get(task) for task in tasks))
        cells = ["-" if change is None else f"{change:+.3f}" for change in changes]
        leaks = (f"{candidate.from_one:.3f}", f"{candidate.from_20:.3f}", str(candidate.unsound))
        lines.append([candidate.recipe, *cells, *leaks, "yes" if candidate.passes else "no"])
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*rows, "", f"The rule chooses {chosen(of_all)}."])


def main(argv: Sequence[str] | None = None) -> None:
    """The command: prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.report.choice",
        description="Chooses a recipe by validation speakers, see experiments/report/choice.py.",
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", type=Path, help="result directory")
    given = parser.parse_args(argv)
    folders = [result_directory(folder) for folder in given.folders]
    missing = [folder for folder in folders if not (folder / "runs.csv").is_file()]
    if missing:
        parser.error(f"{missing[0]} holds no runs.csv: name result directories of experiments.main")
    try:
        rows = [row for folder in folders for row in read_rows(folder / "runs.csv")]
        print(table(candidates(rows)))
    except ValueError as e:
        parser.error(str(e))


if __name__ == "__main__":
    main()
