"""Scores of a regression: columns of runs.csv about how well the rating is predicted."""

from collections.abc import Sequence

import numpy as np

from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.load_data import Loaded
from experiments.run.speaker_changes import Counted, by_seed, put_changes, summed
from experiments.run.target_groups import Group, groups_of, put
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.labels import private_labels
from privrep.statistics.concordance import ccc, ccc_interval, compare_ccc, in_units, moments, rmse
from privrep.statistics.group_gap import gap
from privrep.types import renumber

_PARTS = ("val", "test")


def rating_scores(
    targets: Sequence[AttackTarget], loaded: Loaded, attributes: Sequence[str]
) -> list[Row]:
    """Scores of the rating that each target's network predicts; {} of a target without one.

    <part>_emotion_rmse: of its fold, in the unit of the rating.
    emotion_pooled_{ccc, lower, upper, rmse}: of all folds and seeds together, the CCC with its
      95 % interval over speakers.
    emotion_change_{difference, lower, upper, p}: the CCC less that at lambda 0, paired over
      speakers, all seeds together.
    emotion_among_<a>=<value>_{ccc, lower, upper}: of the speakers with this value of an attribute
      unlearned; two of them at least.
    emotion_gap_<group>_{difference, lower, upper}: CCC of the group less that of the others.

    Args:
      attributes: that are unlearned.
    """
    rows: list[Row] = [{} for _ in targets]
    folds = loaded.packed.data.folds
    for target, row in zip(targets, rows):
        if target.logits is not None:
            predicted = _predictions(target, loaded)
            for part in _PARTS:
                tested = getattr(folds.split, part)[target.fold]
                row[f"{part}_emotion_rmse"] = rmse(predicted[tested], _ratings(loaded)[tested])
    groups = groups_of(targets, len(folds.split.train))
    networks = [group for group in groups if group.is_of_networks]
    counted = [Counted(group, speaker_moments(group, loaded)) for group in networks]
    for of_seed in by_seed(counted).values():
        sums = summed([*of_seed.values()])
        n, _, _, xx, yy, xy = sums.sum(0)
        scores = {**_interval(sums), "rmse": float(np.sqrt(max(xx + yy - 2 * xy, 0) / n))}
        for seed in of_seed.values():
            put(rows, seed.group, "emotion_pooled", scores)
    put_changes(rows, counted, "emotion", compare_ccc)
    for attribute in [a for a in attributes if a != SPEAKER]:
        codes, values = private_labels(loaded.utterances, attribute)
        for code, value in enumerate(values):
            inside, name = codes == code, f"{attribute}={value}"
            others = (codes >= 0) & ~inside
            has_gap = len(values) > 2 or code == 0
            _put_group(rows, networks, loaded, name, inside, others if has_gap else None)
    return rows


def _put_group(
    rows: Sequence[Row],
    networks: Sequence[Group],
    loaded: Loaded,
    name: str,
    inside: np.ndarray,
    others: np.ndarray | None,
) -> None:
    """Columns of the utterances `inside` bool[N], and their gap to the `others`."""
    inner = by_seed([Counted(group, speaker_moments(group, loaded, inside)) for group in networks])
    outer = {}
    if others is not None:
        outer = by_seed(
            [Counted(group, speaker_moments(group, loaded, others)) for group in networks]
        )
    for key, of_seed in inner.items():
        sums = summed([*of_seed.values()])
        spoke = sums[:, 0] > 0
        if spoke.sum() < 2:
            continue
        rest = None if others is None else summed([*outer[key].values()])
        difference = None
        if rest is not None:
            difference = gap(in_units(sums, sums), in_units(rest, rest), ccc)
        for seed in of_seed.values():
            put(rows, seed.group, f"emotion_among_{name}", _interval(sums[spoke]))
            if difference is not None:
                put(rows, seed.group, f"emotion_gap_{name}", difference._asdict())


def _interval(sums: np.ndarray) -> dict[str, float]:
    value, lower, upper, _ = ccc_interval(sums)
    return {"ccc": value, "lower": lower, "upper": upper}


def _ratings(loaded: Loaded) -> np.ndarray:
    assert loaded.packed.ratings is not None
    return loaded.packed.ratings.values


def _predictions(target: AttackTarget, loaded: Loaded) -> np.ndarray:
    """float64[N], in the unit of the ratings."""
    ratings = loaded.packed.ratings
    assert ratings is not None and target.logits is not None
    standardised = np.asarray(target.logits, np.float64)[:, 0]
    return standardised * ratings.deviation[target.fold] + ratings.mean[target.fold]


def speaker_moments(group: Group, loaded: Loaded, among: np.ndarray | bool = True) -> np.ndarray:
    """float64[S, 6] of all tested speakers by their utterances `among` bool[N], see `moments`."""
    split = loaded.packed.data.folds.split
    predicted, tested = np.zeros(len(loaded.utterances)), np.zeros(len(loaded.utterances), bool)
    for target in group.targets:
        of_fold = split.test[target.fold]
        predicted[of_fold] = _predictions(target, loaded)[of_fold]
        tested |= of_fold
    tested &= ~np.isnan(_ratings(loaded))
    speaker = renumber([u.speaker for u, is_tested in zip(loaded.utterances, tested) if is_tested])
    ratings = np.where(among, _ratings(loaded), np.nan)
    return moments(predicted[tested], ratings[tested], speaker)
