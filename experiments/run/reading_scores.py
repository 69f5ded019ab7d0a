"""Scores of a linear reader of every task of the corpus from h, columns of runs.csv."""

from collections.abc import Iterable, Sequence

import numpy as np

from experiments.config.settings import Config
from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.load_data import Loaded
from experiments.run.speaker_changes import Counted, by_seed, put_changes, summed
from experiments.run.target_groups import Group, groups_of, put
from privrep.inputs.labels import task_labels, task_ratings
from privrep.leakage.reading import read_classes, read_ratings
from privrep.statistics.concordance import ccc_interval, compare_ccc, moments
from privrep.statistics.confidence import interval
from privrep.statistics.paired_comparison import compare
from privrep.statistics.uar import confusion_counts
from privrep.types import Split, Utterance, renumber

_MOST_CLASSES = 30  # of a category; one with more, such as a sentence, is no task


def reading_scores(targets: Sequence[AttackTarget], loaded: Loaded, config: Config) -> list[Row]:
    """Scores of a linear reader of each target's h, for every task of the corpus.

    The networks of all folds together, on speakers held out from them and from the reader: of
    a category, and of a rating in levels, UAR; of a rating where --bins=continuous, CCC.

    <task>_read_{uar or ccc, lower, upper, chance}: with a 95 % interval over speakers, all seeds
      together.
    <task>_read_change_{difference, lower, upper, p}: less that at lambda 0, paired over speakers.
    """
    rows: list[Row] = [{} for _ in targets]
    groups = groups_of(targets, len(loaded.packed.data.folds.split.train))
    for task in readable(loaded.utterances, config.attributes):
        is_rating = config.is_regression and any(task in u.ratings for u in loaded.utterances)
        if is_rating:
            _put_rating(rows, groups, loaded, task)
        else:
            _put_classes(rows, groups, loaded, task, config)
    return rows


def readable(utterances: Sequence[Utterance], attributes: Sequence[str]) -> list[str]:
    """The tasks of a corpus: ratings, and categories that are not facts of the speaker.

    In a manifest every column is a category and a private attribute: accent is the same in all
    utterances of a speaker, an emotion is not.

    Args:
      attributes: that are unlearned, which are no tasks.
    """
    names = dict.fromkeys(name for u in utterances for name in (*u.ratings, *u.categories))
    tasks = []
    for name in (name for name in names if name not in attributes):
        if any(name in u.ratings for u in utterances):
            tasks.append(name)
            continue
        values = {u.categories[name] for u in utterances if name in u.categories}
        pairs = {(u.speaker, u.categories[name]) for u in utterances if name in u.categories}
        varies = len(pairs) > len({speaker for speaker, _ in pairs})
        if varies and 2 <= len(values) <= _MOST_CLASSES:
            tasks.append(name)
    return tasks


def _put_classes(
    rows: Sequence[Row], groups: Sequence[Group], loaded: Loaded, task: str, config: Config
) -> None:
    split, speakers = loaded.packed.data.folds.split, _speakers(loaded)
    try:
        bins = "tertiles" if config.is_regression else config.bins
        labelled = [task_labels(loaded.utterances, task, bins, train) for train in split.train]
    except ValueError:
        return  # one class, or a rating whose bins need a scale that is not stated
    labels, classes = np.stack([codes for codes, _ in labelled]), len(labelled[0][1])
    counted = []
    for group in groups:
        predicted = read_classes(group.h, labels[group.folds], speakers, _split(group, split))
        tested_in = np.where(split.test.any(0), split.test.argmax(0), 0)
        truth = labels[tested_in, np.arange(len(speakers))]
        read = np.flatnonzero(predicted >= 0)
        if not len(read):
            return
        who = renumber(speakers[read])
        counts = confusion_counts(predicted[read], truth[read], who, classes)
        counted.append(Counted(group, counts))
    for of_seed in by_seed(counted).values():
        uar, lower, upper, _ = interval(summed([*of_seed.values()]))
        values = {"uar": uar, "lower": lower, "upper": upper, "chance": 1 / classes}
        _put_read(rows, of_seed.values(), task, values)
    put_changes(rows, counted, f"{task}_read", compare)


def _put_rating(rows: Sequence[Row], groups: Sequence[Group], loaded: Loaded, task: str) -> None:
    split, speakers = loaded.packed.data.folds.split, _speakers(loaded)
    ratings, counted = task_ratings(loaded.utterances, task), []
    for group in groups:
        predicted = read_ratings(group.h, ratings, _split(group, split))
        read = np.flatnonzero(~np.isnan(predicted))
        if not len(read):
            return
        sums = moments(predicted[read], ratings[read], renumber(speakers[read]))
        counted.append(Counted(group, sums))
    for of_seed in by_seed(counted).values():
        value, lower, upper, _ = ccc_interval(summed([*of_seed.values()]))
        values = {"ccc": value, "lower": lower, "upper": upper, "chance": 0.0}
        _put_read(rows, of_seed.values(), task, values)
    put_changes(rows, counted, f"{task}_read", compare_ccc)


def _put_read(rows: Sequence[Row], seeds: Iterable[Counted], task: str, values: Row) -> None:
    for seed in seeds:
        put(rows, seed.group, f"{task}_read", values)


def _split(group: Group, split: Split) -> Split:
    return Split(*(part[group.folds] for part in split))


def _speakers(loaded: Loaded) -> np.ndarray:
    return np.array([u.speaker for u in loaded.utterances])
