"""Attackers who know unseen speakers: h of the tested speakers' own kind, labelled (host).

A network was trained with the labels of its training speakers, and may hide an attribute of these
speakers alone. An attacker who learns from their h then sees nothing, though h of everybody else
reveals it. Whoever has the network can obtain h of other speakers with known labels; the attackers
here have them.
"""

from collections.abc import Callable, Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.lda import FeatureMaps, kernel_maps, linear_maps
from privrep.attacks.leave_group_out import Settings, Victims, leave_group_out
from privrep.leakage.fold_sample import FoldSample, KnownRows
from privrep.statistics.design import tied_speakers
from privrep.statistics.uar import mean_recall

Maps = Callable[[int, np.ndarray, np.ndarray], FeatureMaps]
OWN: Mapping[str, Maps] = {"linear": linear_maps, "kernel": kernel_maps}
_PARTS = 5  # into which the speakers of a single fold are divided to select hyper-parameters


def own_predictions(
    maps: Maps, sample: FoldSample, labels: np.ndarray, known: KnownRows, seed: int
) -> np.ndarray:
    """Predicts the test speakers of every fold from h of all other speakers by its network.

    In fold k an attacker learns from h[k] of all speakers but the group that is predicted, one test
    speaker of each class (`leave_group_out`). Training, validation and the other test speakers are
    learned from alike, or the latter with a larger weight (`_weights`). Feature map, penalty and
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
    predictions: list[np.ndarray] = []  # of each setting int8[P, n]
    hits: list[np.ndarray] = []  # of each setting int64[K, P, C]
    # Several BLAS threads make nothing faster here, and much slower on a busy machine.
    with threadpool_limits(1, "blas"):
        for k, speakers in enumerate(tested):
            in_fold = (sample.split.test[k] | sample.split.val[k] | sample.split.train[k])[
                known.rows
            ]
            used = np.flatnonzero(in_fold)
            is_tested = np.isin(known.speaker[used], speakers)
            x = np.asarray(sample.h[k, known.rows[used]], np.float32)
            made = maps(seed, x, known.speaker[used])
            setting = 0
            for _, features, penalties in made.maps:
                of_map = leave_group_out(
                    features,
                    made.usable,
                    labels[:, used],
                    known.speaker[used],
                    Victims(speakers, part),
                    Settings(tuple(penalties.values()), _weights(is_tested)),
                )
                for predicted, right in zip(of_map.predictions, of_map.hits):
                    if setting == len(predictions):
                        predictions.append(np.zeros(labels.shape, np.int8))
                        hits.append(np.zeros(right.shape, np.int64))
                    predictions[setting][:, used[is_tested]] = predicted[:, is_tested]
                    hits[setting] += right
                    setting += 1
    return _selected(np.array(predictions), np.array(hits), labels, part[known.speaker])


def _weights(is_tested: np.ndarray) -> tuple[float, ...]:
    """1, and the weight that gives test speakers, bool[n], as much of the means as all others.

    Where a network hides the attribute of its training speakers, these say nothing about the
    direction in which it is found in others.
    """
    share = is_tested.mean()
    return (1.0, (1 - share) / share) if 0 < share < 0.5 else (1.0,)


def _order(known: KnownRows, seed: int) -> np.ndarray:
    """int[S]: the speakers in random order, those who share a session side by side."""
    # A stream of its own: the order must not depend on what is drawn for the permuted labels.
    rng = np.random.default_rng([seed, 1])
    num_speakers = len(known.fold_of_speaker)
    if known.session is None:
        return rng.permutation(num_speakers)
    # Partners of a session are held out together where they are of different classes: whoever knows
    # the one would recognise the room and name the class that the other has not.
    session_of = tied_speakers(known.speaker, known.session)
    place = rng.permutation(session_of.max() + 1)[session_of]
    return np.lexsort((rng.random(num_speakers), place))


def _selected(
    predictions: np.ndarray, hits: np.ndarray, labels: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """int16[P, n]: for every part the predictions of the setting that was best on the others.

    Args:
      predictions: int8[settings, P, n].
      hits: int64[settings, K, P, C], see `GroupPredictions`.
      labels: int[P, n].
      part: int[n] of each utterance, -1 for none.
    """
    selected = np.zeros(labels.shape, np.int16)
    labelling = np.arange(len(labels))[:, None]
    for k in range(hits.shape[1]):
        others = labels[:, (part >= 0) & (part != k)]
        support = np.stack([(others == c).sum(1) for c in range(hits.shape[-1])], -1)
        best = mean_recall(hits[:, k], support).argmax(0)  # [P]
        rows = np.flatnonzero(part == k)
        selected[:, rows] = predictions[best[:, None], labelling, rows]
    return selected
