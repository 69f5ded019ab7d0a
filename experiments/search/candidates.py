"""What a search chooses among, and by what rule. Nothing here trains, and no row has a test score.

Settings that answer the same question compete: the same labels of the same people, protected by the
same recipe. What else varies is chosen.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from experiments.config.lambdas import is_zero
from experiments.config.recipes import GOVERNED
from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import Pack
from experiments.results.columns import FIRST
from experiments.results.summary import Row, attributes, mean, selected, sound, summarise

# What a setting is measured on and by, and what of it the research questions compare.
QUESTION = (
    *("dataset", "data_dir", "modality", "task", "private", "placement", "recipe"),
    *("folds", "fold_seed", "bins", "selection", "attackers"),
)
_PROTECTION = ("lambda_", "recipe", *GOVERNED)


class Setting(NamedTuple):
    """Runs that differ in nothing but their seed; they are of one pack.

    Attributes:
      pack: its number.
      runs: which of its runs.
      config: the first of them.
      question: see QUESTION.
      twin: the number of the setting of the same network at lambda 0, which it is compared with;
        None where there is none, and of lambda 0 itself.
    """

    pack: int
    runs: tuple[int, ...]
    config: Config
    question: tuple
    twin: int | None


class Score(NamedTuple):
    """sound: no run diverged or collapsed; value: the greater the better; means: behind it."""

    sound: bool
    value: float
    means: Mapping[str, float]


def settings_of(packs: Sequence[Pack]) -> list[Setting]:
    """The settings of a sweep, in the order of its packs."""
    found: dict[tuple, tuple[int, list[int], Config]] = {}
    for i, pack in enumerate(packs):
        for r, config in enumerate(pack.runs):
            key = _values(config, [n for n in FIELDS if n != "seed"])
            found.setdefault(key, (i, [], config))[1].append(r)
    of_network = [n for n in FIELDS if n not in ("seed", *_PROTECTION)]
    zeros = {
        _values(config, of_network): number
        for number, (_, _, config) in enumerate(found.values())
        if is_zero(config.lambda_)
    }
    return [
        Setting(
            pack,
            tuple(runs),
            config,
            _values(config, QUESTION),
            None if is_zero(config.lambda_) else zeros.get(_values(config, of_network)),
        )
        for pack, runs, config in found.values()
    ]


def _values(config: Config, names: Iterable[str]) -> tuple:
    return tuple(getattr(config, name) for name in names)


def questions(settings: Sequence[Setting]) -> dict[tuple, list[int]]:
    """{question: the numbers of its settings}.

    Raises:
      ValueError: no question has two settings to choose from.
    """
    found: dict[tuple, list[int]] = {}
    for number, setting in enumerate(settings):
        found.setdefault(setting.question, []).append(number)
    if all(len(numbers) == 1 for numbers in found.values()):
        fixed = ", ".join(f"--{flag_name(name)}" for name in (*QUESTION, "seed"))
        raise ValueError(
            "--search has nothing to choose: give a comma list to --lambda or to a setting of "
            f"network or training, such as --conv_layers=3,4. ({fixed} are not chosen, and neither "
            "is the lambda of the ordinary network.) Without --search all settings are measured."
        )
    return found


def score(rows: Sequence[Row]) -> Score:
    """Of one setting, on the validation parts of its folds and seeds.

    A protected network is judged by `summary.selected`, emotion less what a fresh attacker finds
    (the paper's rule as --selection says it); the ordinary one by emotion, which is what it is for.
    """
    (entry,) = summarise(rows, (*FIRST, "recipe", "selection"))
    columns = ["val_emotion_uar", *(f"val_{a}_attacker_uar" for a in attributes(entry))]
    means = {column: mean(entry, column) for column in columns}
    zero = is_zero(entry["settings"]["lambda"])
    value = means["val_emotion_uar"] if zero else selected(entry)
    return Score(
        math.isfinite(value) and sound(entry), value if math.isfinite(value) else -math.inf, means
    )


def best(numbers: Iterable[int], scores: Mapping[int, Score], count: int) -> list[int]:
    """The best `count`: sound ones before others, of equals the first of the sweep."""
    return sorted(numbers, key=lambda s: (not scores[s].sound, -scores[s].value, s))[:count]


def going_on(
    settings: Sequence[Setting],
    contenders: Collection[int],
    scores: Mapping[int, Score],
    keep: Mapping[tuple, int],
) -> set[int]:
    """Which contenders may still be wanted when `scores` are known of some of them.

    Args:
      contenders: numbers of settings, with each its twin.
      keep: {question: how many of its settings go on}.

    Returns:
      Those that are not measured yet, of every question the best of the others, and the twins of
      all these: a network is compared with the ordinary one that was trained as long.
    """
    found = {s for s in contenders if s not in scores}
    for question, count in keep.items():
        measured = [s for s in contenders if settings[s].question == question and s in scores]
        found |= {*best(measured, scores, count)}
    return found | {settings[s].twin for s in found if settings[s].twin is not None}


def differing(settings: Sequence[Setting], numbers: Collection[int]) -> list[str]:
    """The names of the settings in which these differ, seeds and what a recipe says left out."""
    names = [n for n in FIELDS if n not in ("seed", "recipe", *GOVERNED)]
    return [n for n in names if len({getattr(settings[s].config, n) for s in numbers}) > 1]
