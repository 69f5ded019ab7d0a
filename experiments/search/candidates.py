"""The candidates of a search, the questions they compete in, and the rule that chooses among them.

Nothing here trains, and no row has a test score. Candidates that answer the same question compete:
the same labels of the same speakers, protected by the same recipe. What else varies is chosen.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from experiments.config.lambdas import is_zero
from experiments.config.recipes import GOVERNED
from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import Pack
from experiments.results.columns import FIRST, Row, attacker_uar
from experiments.results.summary import (
    attributes,
    emotion_column,
    mean,
    selected,
    selected_within_leak,
    sound,
    summarise,
)

# What a candidate is measured on and by, and what of it the research questions compare.
QUESTION = (
    *("dataset", "data_dir", "modality", "task", "private", "placement", "recipe"),
    *("folds", "fold_seed", "bins", "selection", "attackers"),
)
RULES = ("paper", "leak_aware")  # of the choice; values of --search_rule
_PROTECTION = ("lambda_", "recipe", *GOVERNED)


class Candidate(NamedTuple):
    """Runs that differ in nothing but their seed; they are of one pack.

    Attributes:
      pack: its number.
      runs: which of its runs.
      config: the first of them.
      question: the values of QUESTION.
      twin: the number of the candidate of the same network at lambda 0, with which this one is
        compared; None where there is none, and for lambda 0 itself.
    """

    pack: int
    runs: tuple[int, ...]
    config: Config
    question: tuple
    twin: int | None


class CandidateScore(NamedTuple):
    """How good a candidate is on validation data.

    Attributes:
      sound: no run diverged, collapsed or had a lagging adversary.
      value: by the paper's rule, the greater the better.
      means: {column: mean over folds and seeds}, the scores that `value` is computed from.
      within_leak: by the leak-aware rule.
    """

    sound: bool
    value: float
    means: Mapping[str, float]
    within_leak: float = -math.inf

    def by(self, rule: str) -> float:
        """The value by one of RULES."""
        return self.value if rule == "paper" else self.within_leak


def is_ordinary(config: Config) -> bool:
    """Whether the network has lambda 0, without protection."""
    return not any(config.lambda_.values())


def candidates_of(packs: Sequence[Pack]) -> list[Candidate]:
    """The candidates of a sweep, in the order of its packs."""
    runs_of: dict[tuple, list[int]] = {}
    first: dict[tuple, tuple[int, Config]] = {}
    for i, pack in enumerate(packs):
        for r, config in enumerate(pack.runs):
            key = _values(config, [n for n in FIELDS if n != "seed"])
            first.setdefault(key, (i, config))
            runs_of.setdefault(key, []).append(r)
    of_network = [n for n in FIELDS if n not in ("seed", *_PROTECTION)]
    ordinary = {
        _values(config, of_network): number
        for number, (_, config) in enumerate(first.values())
        if is_ordinary(config)
    }
    return [
        Candidate(
            pack,
            tuple(runs_of[key]),
            config,
            _values(config, QUESTION),
            None if is_ordinary(config) else ordinary.get(_values(config, of_network)),
        )
        for key, (pack, config) in first.items()
    ]


def _values(config: Config, names: Iterable[str]) -> tuple:
    return tuple(getattr(config, name) for name in names)


def questions(candidates: Sequence[Candidate]) -> dict[tuple, list[int]]:
    """{question: the numbers of its candidates}.

    Raises:
      ValueError: no question has two candidates to choose from.
    """
    numbers_of: dict[tuple, list[int]] = {}
    for number, candidate in enumerate(candidates):
        numbers_of.setdefault(candidate.question, []).append(number)
    if all(len(numbers) == 1 for numbers in numbers_of.values()):
        fixed = ", ".join(f"--{flag_name(name)}" for name in (*QUESTION, "seed"))
        raise ValueError(
            "--search has nothing to choose: give a comma list to --lambda or to a setting of "
            f"network or training, such as --conv_layers=3,4. ({fixed} are not chosen, and neither "
            "is the lambda of the ordinary network.) Without --search all settings are measured."
        )
    return numbers_of


def score(rows: Sequence[Row]) -> CandidateScore:
    """The score of one candidate on the validation parts of its folds and seeds.

    A protected network is judged by `summary.selected`, emotion less what a freshly trained
    attacker recovers (the paper's rule, as --selection says it), and by
    `summary.selected_within_leak`; the ordinary one by emotion, which is what it is for.
    """
    (entry,) = summarise(rows, (*FIRST, "recipe", "selection"))
    emotion = emotion_column(entry, "val")
    columns = [emotion, *(attacker_uar("val", a) for a in attributes(entry))]
    means = {column: mean(entry, column) for column in columns}
    value = within_leak = means[emotion]
    if not is_zero(entry["settings"]["lambda"]):
        value, within_leak = selected(entry), selected_within_leak(entry)
    if not math.isfinite(value):
        return CandidateScore(False, -math.inf, means)
    return CandidateScore(sound(entry), value, means, within_leak)


def best(numbers: Iterable[int], scores: Mapping[int, CandidateScore], rule: str = "paper") -> int:
    """The best candidate by a rule: sound ones before others, of equals the first of the sweep."""
    return min(numbers, key=lambda s: (not scores[s].sound, -scores[s].by(rule), s))


def still_needed(
    candidates: Sequence[Candidate],
    asked: Mapping[tuple, Sequence[int]],
    scores: Mapping[int, CandidateScore],
    rules: Sequence[str] = RULES[:1],
) -> set[int]:
    """The candidates that may still be wanted when the scores of some of them are known.

    Args:
      asked: {question: the numbers of its candidates}.
      rules: in RULES, by which is chosen.

    Returns:
      Those without a score; of every question the best of those with one, by each rule; and the
      twins of all these, the ordinary networks with which they are compared.
    """
    needed = {s for s in range(len(candidates)) if s not in scores}
    for numbers in asked.values():
        scored = [s for s in numbers if s in scores]
        if scored:
            needed |= {best(scored, scores, rule) for rule in rules}
    twins = (candidates[s].twin for s in needed)
    return needed | {twin for twin in twins if twin is not None}


def differing(candidates: Sequence[Candidate], numbers: Collection[int]) -> list[str]:
    """The settings in which these candidates differ, seeds and what a recipe says left out."""
    names = [n for n in FIELDS if n not in ("seed", "recipe", *GOVERNED)]
    return [n for n in names if len({getattr(candidates[s].config, n) for s in numbers}) > 1]
