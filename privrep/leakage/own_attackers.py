"""Attackers that are also trained on labelled h of other held-out speakers (host).

A network was trained with the labels of its training speakers, and may hide an attribute of these
speakers alone. An attacker who learns from their h then sees nothing, though h of everybody else
reveals it. Whoever has the network can obtain h of other speakers with known labels; the attackers
here have them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.lda import FeatureMaps, kernel_maps, linear_maps
from privrep.attacks.leave_group_out import Settings, Victims, leave_group_out
from privrep.leakage.fold_sample import FoldRows, FoldSample, KnownRows
from privrep.statistics.design import tied_speakers, tying_speakers
from privrep.statistics.uar import mean_recall
from privrep.types import renumber

Maps = Callable[[int, np.ndarray, np.ndarray], FeatureMaps]
OWN: Mapping[str, Maps] = {"linear": linear_maps, "kernel": kernel_maps}
_PARTS = 5  # into which the speakers of a single fold are divided to select hyper-parameters


class _FoldPredictions(NamedTuple):
    """The predictions for the test speakers of a fold by all settings.

    Attributes:
      rows: int[r] of the known rows.
      predictions: of every feature map, see `leave_group_out.GroupPredictions`: int8[L, P, r].
      hits: likewise, int64[L, K, P, C].
    """

    rows: np.ndarray
    predictions: Sequence[np.ndarray]
    hits: Sequence[np.ndarray]


def own_predictions(
    maps: Maps, sample: FoldSample, labels: np.ndarray, known: KnownRows, seed: int
) -> np.ndarray:
    """Predicts the test speakers of every fold from h of all other speakers by its network.

    In fold k an attacker learns from h[k] of all speakers but the group that is predicted, one test
    speaker of each class (`leave_group_out`). Training, validation and the other test speakers are
    learned from alike, or the latter with as much weight as all others. Feature map, penalty and
    weight are selected, for every labelling, by the UAR on the test speakers of the other folds,
    predicted in the same way by attackers who lack the speakers of fold k as well. If there is one
    fold, its test speakers are divided into five parts for this. Labels of the speakers who are
    predicted together never influence their prediction.

    Args:
      maps: of the attacker, such as `lda.kernel_maps`.
      sample: h must be finite.
      labels: int[P, n] of the known rows.
      known: those of the sample.
      seed: of the order in which groups are formed, and of what the maps draw.

    Returns:
      int16[P, n]; 0 for speakers who are never tested.
    """
    order = _order(known, seed)
    folds = known.fold_of_speaker
    tested = [order[folds[order] == k] for k in range(len(sample.h))]
    part = folds.copy()
    if len(tested) == 1:
        count = max(1, min(_PARTS, len(tested[0]) // 2))
        part[tested[0]] = np.arange(len(tested[0])) * count // max(len(tested[0]), 1)
    # Several BLAS threads make nothing faster here, and much slower on a busy machine.
    with threadpool_limits(1, "blas"):
        of_folds = [
            _of_fold(maps, sample, labels, known, Victims(speakers, part), k, seed)
            for k, speakers in enumerate(tested)
        ]
    return _selected(of_folds, labels, part[known.speaker])


def _of_fold(
    maps: Maps,
    sample: FoldSample,
    labels: np.ndarray,
    known: KnownRows,
    victims: Victims,
    k: int,
    seed: int,
) -> _FoldPredictions:
    """By all settings of fold k, whose test speakers are the victims."""
    used = FoldRows.of(sample.split, k, known.rows).used
    is_tested = np.isin(known.speaker[used], victims.speakers)
    made = maps(seed, sample.h[k, known.rows[used]], known.speaker[used])
    share = is_tested.mean() or 1.0
    # Where a network hides the attribute of its training speakers, these say nothing about the
    # direction in which others show it: test speakers alike, or with half of all the weight.
    weights = (1.0, max(1.0, (1 - share) / share))
    predictions, hits = [], []
    for _, features, penalties in made.maps:
        of_map = leave_group_out(
            features,
            made.usable,
            labels[:, used],
            known.speaker[used],
            victims,
            Settings(tuple(penalties.values()), weights),
        )
        predictions.append(of_map.predictions[..., is_tested])
        hits.append(of_map.hits)
    return _FoldPredictions(used[is_tested], predictions, hits)


def _order(known: KnownRows, seed: int) -> np.ndarray:
    """int[S]: the speakers in random order, those who share a session side by side."""
    # A stream of its own: the order must not depend on what is drawn for the permuted labels.
    rng = np.random.default_rng([seed, 1])
    num_speakers = len(known.fold_of_speaker)
    if known.session is None:
        return rng.permutation(num_speakers)
    # Partners of a session are held out together where they are of different classes: whoever knows
    # the one would recognise the room and name the class that the other has not.
    tying = tying_speakers(known.speaker, known.session)
    apart = np.setdiff1d(np.arange(num_speakers), tying)
    rows = np.isin(known.speaker, apart)
    session_of = np.full(num_speakers, -1)
    session_of[apart] = tied_speakers(renumber(known.speaker[rows]), renumber(known.session[rows]))
    place = np.append(rng.permutation(session_of.max() + 1), -1)[session_of]
    return np.lexsort((rng.random(num_speakers), place))


def _selected(
    of_folds: Sequence[_FoldPredictions], labels: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """int16[P, n]: for every part the predictions of the setting that was best on the others.

    A fold may have fewer maps than others, such as one if its h does not vary: its last one stands
    for those that it lacks.

    Args:
      of_folds: see `_FoldPredictions`.
      labels: int[P, n].
      part: int[n] of each utterance, -1 for none.
    """
    most = max(len(of_fold.hits) for of_fold in of_folds)
    hits = np.sum([np.concatenate(_filled(of_fold.hits, most)) for of_fold in of_folds], 0)
    selected = np.zeros(labels.shape, np.int16)
    labelling = np.arange(len(labels))[:, None]
    best = np.zeros((len(labels), len(part)), int)  # setting of every labelling and utterance
    for k in range(hits.shape[1]):
        others = labels[:, (part >= 0) & (part != k)]
        support = np.stack([(others == c).sum(1) for c in range(hits.shape[-1])], -1)
        best[:, part == k] = mean_recall(hits[:, k], support).argmax(0)[:, None]
    for rows, predictions, _ in of_folds:
        settings = np.concatenate(_filled(predictions, most))
        selected[:, rows] = settings[best[:, rows], labelling, np.arange(len(rows))]
    return selected


def _filled(of_maps: Sequence[np.ndarray], most: int) -> list[np.ndarray]:
    return [*of_maps, *[of_maps[-1]] * (most - len(of_maps))]
